package edgekit.bundle_name

/**
 * From text to tokens by `wordpiece.json`.
 *
 * It says what becomes of every character, so that no Unicode version of Android's matters; the
 * steps are those of `edgekit/bundles/wordpiece.py`. Characters are code points throughout.
 */
internal class WordPiece(json: Json) {
    private val numbers = json["pieces"].items().withIndex().associate { (number, piece) -> piece.text() to number }
    private val unknown = json["unknown"].size()
    private val continued = json["continued"].text()
    private val longest = json["longest"].size()
    private val cut = json["cut"].size()
    private val before = json["before"].items().map { it.size() }
    private val after = json["after"].items().map { it.size() }
    // Of two at one place the longer is taken.
    private val special = json["special"].items().map { pair ->
        val (text, number) = pair.items()
        text.text().codePoints().toArray() to number.size()
    }.sortedByDescending { (text, _) -> text.size }
    private val becomes = Ranges(json["becomes"]) { Rule.of(it) }
    private val order = Ranges(json["order"]) { it.first().size() }
    private val breaks = Ranges(json["breaks"]) { }
    private val classes = listOf(
        Ranges(json["spaces"]) { Class.SPACE },
        Ranges(json["alone"]) { Class.ALONE },
        Ranges(json["runs"]) { Class.RUN },
    )

    /** Tokens, cut at [length] and not filled up. */
    fun tokens(text: String, length: Int): List<Int> {
        val tokens = before.toMutableList()
        val characters = characters(text, length.toLong() * cut)
        var begin = 0
        var at = 0
        while (at < characters.size) {
            val (found, number) = special.firstOrNull { (one, _) -> characters.startsWith(one, at) } ?: run {
                at += 1
                continue
            }
            tokens += plain(characters.copyOfRange(begin, at))
            tokens += number
            at += found.size
            begin = at
        }
        tokens += plain(characters.copyOfRange(begin, at))
        return (tokens + after).take(length)
    }

    private fun plain(characters: IntArray): List<Int> = words(normal(characters)).flatMap(::pieces)

    /** Characters folded, dropped and in canonical order. */
    private fun normal(characters: IntArray): IntArray {
        val made = Characters(characters.size)
        val ranks = Characters(characters.size)
        var run = 0 // where the run of combining characters begins
        for (character in characters) {
            if (breaks[character] != null) run = made.size
            for (one in becomes[character]?.applied(character) ?: intArrayOf(character)) {
                val rank = order[one] ?: 0 // 0 stays in its place
                var at = made.size
                while (rank > 0 && at > run && ranks[at - 1] > rank) at -= 1
                made.insert(at, one)
                ranks.insert(at, rank)
                if (rank == 0) run = made.size
            }
        }
        return made.toArray()
    }

    private fun words(characters: IntArray): List<IntArray> {
        val words = ArrayList<IntArray>()
        var begin = 0
        var kind = Class.SPACE
        for ((at, character) in characters.withIndex()) {
            val here = classes.firstNotNullOfOrNull { it[character] } ?: Class.LETTER
            if (here != kind || here == Class.ALONE) {
                if (kind != Class.SPACE) words += characters.copyOfRange(begin, at)
                begin = at
            }
            kind = here
        }
        if (kind != Class.SPACE) words += characters.copyOfRange(begin, characters.size)
        return words
    }

    /** The longest piece that is in the vocabulary, again and again; arXiv 1810.04805. */
    private fun pieces(word: IntArray): List<Int> {
        if (word.size > longest) return listOf(unknown)
        val made = ArrayList<Int>()
        var at = 0
        while (at < word.size) {
            val prefix = if (at > 0) continued else ""
            val end = (word.size downTo at + 1).firstOrNull { prefix + String(word, at, it - at) in numbers }
                ?: return listOf(unknown)
            made += numbers.getValue(prefix + String(word, at, end - at))
            at = end
        }
        return made
    }

    private enum class Class { SPACE, ALONE, RUN, LETTER }
}

/** What becomes of a character. */
private sealed interface Rule {
    fun applied(character: Int): IntArray

    class To(text: String) : Rule {
        private val characters = text.codePoints().toArray()

        override fun applied(character: Int) = characters
    }

    class Shift(private val by: Int) : Rule {
        override fun applied(character: Int) = intArrayOf(character + by)
    }

    data object Apart : Rule {
        override fun applied(character: Int) = intArrayOf(' '.code, character, ' '.code)
    }

    /** The letters of a syllable: The Unicode Standard, 3.12. */
    data object Hangul : Rule {
        override fun applied(character: Int): IntArray {
            val index = character - 0xAC00
            val two = intArrayOf(0x1100 + index / 588, 0x1161 + index % 588 / 28)
            return if (index % 28 == 0) two else two + (0x11A7 + index % 28)
        }
    }

    companion object {
        fun of(rule: List<Json>): Rule = when (val how = rule.first().text()) {
            "to" -> To(rule[1].text())
            "shift" -> Shift(rule[1].integer().toInt())
            "apart" -> Apart
            "hangul" -> Hangul
            else -> rule.first().fail("${shown(how)} is not known here")
        }
    }
}

/** What ascending ranges of characters, [first, last, …], say of one. */
private class Ranges<T : Any>(json: Json, value: (List<Json>) -> T) {
    private val ranges = json.items().map { it.items() }
    private val firsts = IntArray(ranges.size) { ranges[it][0].size() }
    private val lasts = IntArray(ranges.size) { ranges[it][1].size() }
    private val values = ranges.map { value(it.drop(2)) }

    operator fun get(character: Int): T? {
        val found = firsts.binarySearch(character)
        val at = if (found >= 0) found else -found - 2
        return if (at >= 0 && character <= lasts[at]) values[at] else null
    }
}

private class Characters(capacity: Int) {
    private var held = IntArray(maxOf(capacity, 16))
    var size = 0
        private set

    operator fun get(at: Int) = held[at]

    fun insert(at: Int, character: Int) {
        if (size == held.size) held = held.copyOf(2 * size)
        held.copyInto(held, at + 1, at, size)
        held[at] = character
        size += 1
    }

    fun toArray() = held.copyOf(size)
}

private fun IntArray.startsWith(other: IntArray, at: Int): Boolean =
    at + other.size <= size && other.indices.all { this[at + it] == other[it] }
