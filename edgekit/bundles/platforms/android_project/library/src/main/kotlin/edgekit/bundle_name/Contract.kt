package edgekit.bundle_name

/** What a sample is made from. */
enum class Kind { PICTURE, TEXT, SOUND, TENSOR }

/**
 * An array that the file takes or gives; [shape] has a batch axis.
 *
 * @property scale Of quantized numbers, with [zeroPoint]: x = (q − zeroPoint) · scale.
 */
class Port internal constructor(json: Json) {
    val name: String = json["name"].text()
    val dtype: DType = DType.of(json["dtype"])
    val shape: List<Int> = json["shape"].items().map { it.integer().toInt() }
    val scale: Float? = json.find("scale")?.number()?.toFloat()
    val zeroPoint: Long? = json.find("zero_point")?.integer()
}

/** What an app hands in. */
internal class Input(json: Json) {
    val name: String = json["name"].text()
    val dtype: DType = DType.of(json["dtype"])
    val shape: List<Int> = json["shape"].items().map { it.size() }
    val kind: Kind = Kind.entries.find { it.name.lowercase() == json["kind"].text() } ?: json.fail("of no known kind")
    val picture: PictureInput? = if (kind == Kind.PICTURE) PictureInput(json) else null
    val text: TextInput? = if (kind == Kind.TEXT) TextInput(json) else null
    val sound: SoundInput? = if (kind == Kind.SOUND) SoundInput(json) else null
}

/** @property ranges What the levels 0 and 255 of each channel become. */
internal class PictureInput(json: Json) {
    val width: Int = json["width"].size()
    val height: Int = json["height"].size()
    val channels: Int = json["channels"].size()
    val isChannelsFirst: Boolean = json["layout"].text() == "CHW"
    val isLetterboxed: Boolean = json["resize"].text() == "letterbox"
    val grey: Int = json["grey"].size(most = 255)
    val ranges: List<Pair<Double, Double>> = json["ranges"].items().map(::range)

    init {
        if (width < 1 || height < 1 || channels !in listOf(1, 3) || ranges.size != channels) json.fail("no picture")
    }
}

internal class TextInput(json: Json) {
    val length: Int = json["length"].size()
    val tokenizer: String = json["tokenizer"].text()
}

internal class SoundInput(json: Json) {
    val length: Int = json["length"].size()
    val rateHz: Int = json["rate_hz"].size()
    val range: Pair<Double, Double> = range(json["range"])
}

private fun range(json: Json): Pair<Double, Double> {
    val items = json.items()
    if (items.size != 2) json.fail("no pair")
    return items[0].number() to items[1].number()
}

/** How outputs become an answer. */
internal sealed interface Answer {
    class Classes(val output: Int, val activation: String, val top: Int) : Answer

    class Objects(val threshold: Double, val overlap: Double, val most: Int, val candidates: Int) : Answer

    /** The outputs themselves. */
    data object Tensors : Answer

    companion object {
        fun of(json: Json): Answer = when (val kind = json["kind"].text()) {
            "classes" -> Classes(json["output"].size(), json["activation"].text(), json["top"].size())
            "objects" -> Objects(
                json["threshold"].number(),
                json["overlap"].number(),
                json["most"].size(),
                json["candidates"].size(),
            )
            "tensors" -> Tensors
            else -> json.fail("answers of the kind ${shown(kind)} are not known here")
        }
    }
}

/** What an app does before and after the model, for one artifact: `contract.json`. */
internal class Contract(json: Json, label: String) {
    val inputs: List<Input> = json["inputs"].items().map(::Input)
    val answer: Answer = Answer.of(json["answer"])
    val taken: List<Port> = json["artifacts"][label]["inputs"].items().map(::Port)
    val given: List<Port> = json["artifacts"][label]["outputs"].items().map(::Port)
}
