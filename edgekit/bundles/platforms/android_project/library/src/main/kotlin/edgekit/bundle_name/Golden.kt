package edgekit.bundle_name

import kotlin.math.abs
import kotlin.math.max

/**
 * What a check found.
 *
 * @property cases That hold.
 * @property values Of samples that were made of pictures, texts and sounds, each the same to the bit.
 * @property worst Part of an output's spread by which one is apart.
 */
class Checked internal constructor(val cases: Int, val values: Long, val worst: Double)

/** The golden cases of a bundle, of one artifact: each step proven with what Python made of it. */
internal class Golden(private val bundle: Bundle, private val label: String) {
    private val document = bundle.json("golden/cases.json")
    private val contract = Contract(bundle.json("contract.json"), label)
    private val cases = document["cases"].items()
    private val originals = ORIGINALS.associateWith { document[it + "s"].items() }

    /** Everything, with a model that is loaded. */
    fun check(model: Model, decode: (ByteArray) -> Picture): Checked {
        val values = checkOriginals(decode)
        checkAnswers()
        val worst = checkOutputs(model)
        return Checked(originals.values.sumOf { it.size } + cases.size, values, worst)
    }

    /** Pictures, texts and sounds become samples, to the bit. Returns how many numbers were compared. */
    fun checkOriginals(decode: (ByteArray) -> Picture): Long {
        val input = contract.inputs.singleOrNull() ?: return 0
        val pieces = wordPieceOf(bundle, input)
        val pictures = cases.filter { it.find("picture") != null }
            .map { it["picture"].text() to it["inputs"][input.name] } + pairs("picture")
        return pictures.sumOf { (file, entry) -> compare(file, prepared(decode(bundle.read(file)), input), entry) } +
            pairs("text").sumOf { (text, entry) -> compare(text, tokens(text, input, pieces), entry) } +
            pairs("sound").sumOf { (file, entry) -> compare(file, heard(bundle.read(file), input), entry) }
    }

    private fun pairs(kind: String) = originals.getValue(kind).map { it[kind].text() to it["input"] }

    private fun heard(wav: ByteArray, input: Input): Tensor {
        val spec = checkNotNull(input.sound)
        return waveOf(readWav(wav, spec.length, spec.rateHz), input)
    }

    private fun compare(name: String, made: Tensor, entry: Json): Long {
        val wanted = tensor(entry)
        if (made.dtype != wanted.dtype || made.shape != wanted.shape || !made.bytes.contentEquals(wanted.bytes)) {
            throw ModelException("golden ${shown(name)}: preprocessing gives other values")
        }
        return made.size.toLong()
    }

    /** Answers are made of the golden outputs: the same classes or boxes, scores but for rounding. */
    fun checkAnswers(): Int {
        for ((number, case) in cases.withIndex()) {
            val found = answered(contract.answer, outputsOf(case), emptyList())
            if (!isSame(found, case["answers"][label])) {
                throw ModelException("golden case $number: other classes or objects from its outputs")
            }
        }
        return cases.size
    }

    /** Outputs of a model, apart by at most a part of their spread: kernels round otherwise elsewhere. */
    fun checkOutputs(model: Model): Double {
        val wanted = cases.map(::outputsOf)
        // A step of a quantized output is the same in each case, however little one case moves it.
        val spreads = contract.given.associate { port ->
            val values = wanted.map { it.getValue(port.name).values() }.filter { it.isNotEmpty() }
            port.name to if (values.isEmpty()) 1.0 else max(values.maxOf { it.max() } - values.minOf { it.min() }, 1e-6)
        }
        var worst = 0.0
        for ((number, case) in cases.withIndex()) {
            val found = model.run(case["inputs"].table().mapValues { (_, entry) -> tensor(entry) })
            for ((name, output) in wanted[number]) {
                val apart = apartBy(found.getValue(name), output) / spreads.getValue(name)
                if (!(apart <= TOLERANCE)) {
                    val part = "${100 * apart} % of its spread"
                    throw ModelException("golden case $number: $name is $part apart; limit 5 %")
                }
                worst = max(worst, apart)
            }
        }
        return worst
    }

    private fun outputsOf(case: Json): Map<String, Tensor> =
        contract.given.associate { it.name to tensor(case["outputs"][label][it.name]) }

    private fun tensor(entry: Json) = Tensor(
        DType.of(entry["dtype"]),
        entry["shape"].items().map { it.size() },
        bundle.read(entry["file"].text()),
    )

    private companion object {
        val ORIGINALS = listOf("picture", "text", "sound")
        const val TOLERANCE = 0.05
        const val ROUNDING = 1e-6 // of exp, which languages round differently

        /** The largest difference; infinite where sizes differ or a value is none. */
        fun apartBy(found: Tensor, wanted: Tensor): Double {
            val (one, other) = found.values() to wanted.values()
            if (one.size != other.size) return Double.POSITIVE_INFINITY
            val most = one.indices.maxOfOrNull { abs(one[it] - other[it]) } ?: 0.0
            return if (most.isNaN()) Double.POSITIVE_INFINITY else most
        }

        fun isSame(found: List<Found>, wanted: Json): Boolean {
            val classes = wanted.find("classes")?.items() ?: return found.isEmpty()
            val scores = wanted["scores"].items()
            val boxes = wanted.find("boxes")?.items()
            return found.size == classes.size && found.withIndex().all { (at, one) ->
                one.number.toLong() == classes[at].integer() &&
                    abs(one.score - scores[at].number()) <= ROUNDING &&
                    (one.box == null) == (boxes == null) &&
                    (boxes == null || one.box == boxOf(boxes[at]))
            }
        }

        fun boxOf(json: Json): Box = json.items().map { it.number() }.let { Box(it[0], it[1], it[2], it[3]) }
    }
}
