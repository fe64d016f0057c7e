package edgekit.bundle_name

import java.nio.ByteBuffer
import java.nio.charset.CharacterCodingException

private const val MOST_DEPTH = 64

/**
 * A value of a JSON document. It is read strictly: UTF-8, every key once, bounded depth, nothing
 * behind its end. Not by `org.json`, which takes more than JSON and is no part of a plain JVM.
 */
internal class Json private constructor(
    private val value: Any?,
    private val name: String,
    private val within: Json? = null,
) {
    private val where: String get() = if (within == null) name else "${within.where}: ${shown(name)}"

    operator fun get(key: String): Json = find(key) ?: fail("no \"$key\"")

    /** The value of a key; null where there is none, or where it is `null`. */
    fun find(key: String): Json? = raw()[key]?.let { Json(it, key, this) }

    fun table(): Map<String, Json> = raw().mapValues { (key, one) -> Json(one, key, this) }

    fun items(): List<Json> {
        val items = value as? List<*> ?: fail("no list")
        return items.mapIndexed { index, one -> Json(one, index.toString(), this) }
    }

    fun text(): String = value as? String ?: fail("no text")

    fun integer(): Long = value as? Long ?: fail("no whole number")

    fun size(most: Long = Int.MAX_VALUE.toLong()): Int =
        integer().also { if (it !in 0..most) fail("$it is not in 0…$most") }.toInt()

    fun number(): Double = (value as? Number)?.toDouble() ?: fail("no number")

    fun fail(why: String): Nothing = throw ModelException("$where: $why")

    @Suppress("UNCHECKED_CAST")
    private fun raw(): Map<String, Any?> = value as? Map<String, Any?> ?: fail("no table")

    companion object {
        /** @throws ModelException It is no JSON. */
        fun parse(bytes: ByteArray, where: String): Json {
            val text = try {
                Charsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes)).toString()
            } catch (error: CharacterCodingException) {
                throw ModelException("$where: not UTF-8", error)
            }
            return Json(Parser(text, where).document(), where)
        }
    }
}

/** A text that came from outside, cut and without line ends, for a message. */
internal fun shown(text: String): String =
    text.take(200).map { if (it < ' ' || it == '\u007f') '?' else it }.joinToString("")

private class Parser(private val text: String, private val where: String) {
    private var at = 0

    fun document(): Any? {
        val value = value(0)
        skip()
        if (at < text.length) fail("more behind its end")
        return value
    }

    private fun value(depth: Int): Any? {
        if (depth > MOST_DEPTH) fail("deeper than $MOST_DEPTH")
        skip()
        return when (peek()) {
            '{' -> table(depth)
            '[' -> list(depth)
            '"' -> string()
            't' -> word("true", true)
            'f' -> word("false", false)
            'n' -> word("null", null)
            else -> number()
        }
    }

    private fun table(depth: Int): Map<String, Any?> {
        val table = LinkedHashMap<String, Any?>()
        each('}') {
            skip()
            if (peek() != '"') fail("no key")
            val key = string()
            skip()
            take(':')
            val value = value(depth + 1)
            if (table.containsKey(key)) fail("\"${shown(key)}\" twice")
            table[key] = value
        }
        return table
    }

    private fun list(depth: Int): List<Any?> {
        val list = ArrayList<Any?>()
        each(']') { list.add(value(depth + 1)) }
        return list
    }

    private inline fun each(end: Char, element: () -> Unit) {
        at += 1
        skip()
        if (peek() == end) {
            at += 1
            return
        }
        while (true) {
            element()
            skip()
            if (peek() == end) break
            take(',')
        }
        at += 1
    }

    private fun string(): String {
        take('"')
        val made = StringBuilder()
        while (true) {
            val one = next()
            when {
                one == '"' -> return made.toString()
                one == '\\' -> made.append(escaped())
                one < ' ' -> fail("a control character in a text")
                else -> made.append(one)
            }
        }
    }

    private fun escaped(): Char = when (val one = next()) {
        '"', '\\', '/' -> one
        'b' -> '\b'
        'f' -> '\u000c'
        'n' -> '\n'
        'r' -> '\r'
        't' -> '\t'
        'u' -> {
            val digits = text.substring(at, minOf(at + 4, text.length))
            if (!HEX.matches(digits)) fail("no character \\u$digits")
            at += 4
            digits.toInt(16).toChar()
        }
        else -> fail("no character \\$one")
    }

    private fun number(): Number {
        val found = NUMBER.matchAt(text, at)?.value ?: fail("no value")
        at += found.length
        // What Long cannot hold is kept as a double, and is then no whole number.
        return found.toLongOrNull() ?: found.toDouble()
    }

    private fun word(word: String, value: Boolean?): Boolean? {
        if (!text.startsWith(word, at)) fail("no value")
        at += word.length
        return value
    }

    private fun skip() {
        while (at < text.length && text[at] in " \t\r\n") at += 1
    }

    private fun peek(): Char = if (at < text.length) text[at] else fail("it ends too early")

    private fun next(): Char = peek().also { at += 1 }

    private fun take(wanted: Char) {
        if (next() != wanted) fail("no '$wanted' at character ${at - 1}")
    }

    private fun fail(why: String): Nothing = throw ModelException("$where: not valid JSON: $why")

    private companion object {
        val NUMBER = Regex("-?(0|[1-9][0-9]*)(\\.[0-9]+)?([eE][+-]?[0-9]+)?")
        val HEX = Regex("[0-9a-fA-F]{4}")
    }
}
