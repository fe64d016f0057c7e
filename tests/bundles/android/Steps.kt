package edgekit.known_glyphs

import java.io.ByteArrayInputStream
import java.io.DataInputStream
import java.io.DataOutputStream
import java.io.EOFException
import java.io.File
import javax.imageio.ImageIO

// Steps of an Android bundle one by one, for tests. A request is frames on standard input: the step,
// how many frames follow, and those; the answer as many frames as it takes, after their number, or
// −1 and one with what was refused. A frame is its size in 4 bytes, high ones first, and its bytes.

private val input = DataInputStream(System.`in`.buffered())
private val output = DataOutputStream(System.out.buffered())

fun main() {
    while (true) {
        val step = try {
            frame().decodeToString()
        } catch (_: EOFException) {
            return
        }
        val given = List(input.readInt()) { frame() }
        val answer = runCatching { answerTo(step, given) }
        answer.onSuccess { frames ->
            output.writeInt(frames.size)
            frames.forEach(::write)
        }.onFailure { error ->
            output.writeInt(-1)
            write("${error.javaClass.simpleName}: ${error.message}".encodeToByteArray())
        }
        output.flush()
    }
}

private fun answerTo(step: String, given: List<ByteArray>): List<ByteArray> = when (step) {
    // The others take the contract's input first.
    "picture" -> input(given).let { spec -> given.drop(1).map { prepared(decoded(it), spec).bytes } }
    "upright" -> given.chunked(2).map { (orientation, png) ->
        val made = decoded(png).upright(orientation.decodeToString().toInt())
        made.argb.joinToString(" ", "${made.width} ${made.height} ").encodeToByteArray()
    }
    "text" -> input(given).let { spec ->
        val pieces = given.getOrNull(2)?.let { WordPiece(Json.parse(it, "wordpiece.json")) }
        Json.parse(given[1], "texts").items().map { tokens(it.text(), spec, pieces).bytes }
    }
    "wav" -> input(given).let { spec ->
        val sound = checkNotNull(spec.sound)
        given.drop(1).map { file ->
            runCatching { "=".encodeToByteArray() + waveOf(readWav(file, sound.length, sound.rateHz), spec).bytes }
                .getOrElse { "!${it.message}".encodeToByteArray() }
        }
    }
    "sound" -> input(given).let { spec -> given.drop(1).map { waveOf(floats(it), spec).bytes } }
    "numbers" -> Json.parse(given[0], "port").let { json ->
        val made = taken(Tensor(DType.FLOAT32, listOf(given[1].size / 4), given[1]), Port(json))
        listOf(made.bytes, real(made, Port(json)).bytes)
    }
    "objects" -> Json.parse(given[0], "answer").let { json ->
        val places = given[1].size / 16
        val boxes = Tensor(DType.FLOAT32, listOf(places, 4), given[1])
        val scores = Tensor(DType.FLOAT32, listOf(places, given[2].size / 4 / maxOf(places, 1)), given[2])
        listOf(told(answered(Answer.of(json), mapOf("boxes" to boxes, "scores" to scores), emptyList())))
    }
    "classes" -> Json.parse(given[0], "answer").let { json ->
        val scores = Tensor(DType.FLOAT32, listOf(given[1].size / 4), given[1])
        listOf(told(answered(Answer.of(json), mapOf("x" to scores), emptyList())))
    }
    "to-picture" -> given.map { frame ->
        val json = Json.parse(frame, "case")
        val spec = checkNotNull(Input(json["input"]).picture)
        val fit = fitOf(json["width"].size(), json["height"].size(), spec)
        val boxes = json["boxes"].items().map { box ->
            val (left, top, right, bottom) = box.items().map { it.number() }
            toPicture(Box(left, top, right, bottom), fit, spec).let { listOf(it.left, it.top, it.right, it.bottom) }
        }
        "${listOf(fit.left, fit.top, fit.width, fit.height)} $boxes".encodeToByteArray()
    }
    "json" -> given.map { file ->
        runCatching { Json.parse(file, "it"); "taken" }.getOrElse { "!${it.message}" }.encodeToByteArray()
    }
    "verify" -> path(given[0]).let { folder ->
        listOf("${verify(File(folder), given.getOrNull(1)?.decodeToString()).files.size}".encodeToByteArray())
    }
    "open" -> {
        val bundle = Bundle.open(Source.folder(File(path(given[0]))), given.getOrNull(1)?.decodeToString())
        bundle.contents.files.keys.forEach(bundle::read)
        listOf(bundle.contents.name.encodeToByteArray())
    }
    "originals" -> {
        val golden = Golden(Bundle.open(Source.folder(File(path(given[0])))), given[1].decodeToString())
        listOf("${golden.checkOriginals(::decoded)}".encodeToByteArray())
    }
    "check" -> {
        val options = Options(given[1].decodeToString().split(" "), given[2].decodeToString().ifEmpty { null })
        Model.open(Bundle.open(Source.folder(File(path(given[0])))), RUNTIMES, options).use { model ->
            val checked = model.check(::decoded)
            val passed = model.passedOver.entries.joinToString("; ") { (label, why) -> "$label: $why" }
            listOf(model.artifact.label, model.runtime, checked.cases, checked.values, checked.worst, passed)
                .map { it.toString().encodeToByteArray() }
        }
    }
    "predict" -> Model.open(Bundle.open(Source.folder(File(path(given[0])))), RUNTIMES).use { model ->
        listOf(told(model.predict(decoded(given[1]))))
    }
    else -> error("no step $step")
}

private fun input(given: List<ByteArray>) = Input(Json.parse(given[0], "input"))

private fun path(frame: ByteArray) = frame.decodeToString()

private fun floats(bytes: ByteArray) =
    FloatArray(bytes.size / 4).also { littleEndian(bytes).asFloatBuffer().get(it) }

private fun decoded(png: ByteArray): Picture {
    val image = ImageIO.read(ByteArrayInputStream(png))
    return Picture(image.getRGB(0, 0, image.width, image.height, null, 0, image.width), image.width, image.height)
}

/** Number, score and box of each, as doubles. */
private fun told(found: List<Found>): ByteArray {
    val values = found.flatMap { one ->
        listOf(one.number.toDouble(), one.score) + (one.box?.run { listOf(left, top, right, bottom) } ?: emptyList())
    }
    val bytes = ByteArray(8 * values.size)
    littleEndian(bytes).asDoubleBuffer().put(values.toDoubleArray())
    return bytes
}

private fun frame(): ByteArray = ByteArray(input.readInt()).also(input::readFully)

private fun write(frame: ByteArray) {
    output.writeInt(frame.size)
    output.write(frame)
}
