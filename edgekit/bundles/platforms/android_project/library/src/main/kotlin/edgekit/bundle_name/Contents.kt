package edgekit.bundle_name

internal const val CONTENTS = "bundle.json"
internal const val SIGNATURE = "bundle.sig"
internal const val MOST_CONTENTS_BYTES = 4L shl 20
internal const val MOST_SIGNATURE_BYTES = 4L shl 20
internal const val MOST_FILES = 4096
private const val MOST_BYTES = 4L shl 30
private const val LONGEST_PATH = 200
private val PATH = Regex("[A-Za-z0-9_@+][A-Za-z0-9._@+-]*(/[A-Za-z0-9_@+][A-Za-z0-9._@+-]*){0,15}")
private val SHA256 = Regex("[0-9a-f]{64}")

/** A file of a bundle: what it must be. */
class Entry internal constructor(val sha256: String, val bytes: Long)

/** A model file of a bundle; [label] names it: "tflite-int8". [target] is what runs it. */
class Artifact internal constructor(
    val label: String,
    val target: String,
    val precision: String,
    val file: String,
    val sha256: String,
    val bytes: Long,
)

/**
 * What a bundle says of itself in `bundle.json`.
 *
 * @property artifacts In the order in which they are tried.
 * @property choice Class of device → label of the artifact for it, from measurements.
 * @property files Path → size and digest of every file but this one and the signature.
 */
class Contents private constructor(json: Json) {
    val name: String = json["name"].text()
    val version: String = json["version"].text()
    val platform: String = json["platform"].text()
    val model: String = json["model"].text()
    val task: String = json["task"].text()
    val licence: String = json["licence"].text()
    val artifacts: List<Artifact> = json["artifacts"].items().map(::artifact)
    val choice: Map<String, String> = json["choice"].table().mapValues { (_, label) -> label.text() }
    val files: Map<String, Entry> = json["files"].table().onEach { (path, one) ->
        if (!isPath(path)) one.fail("no path inside a bundle")
    }.mapValues { (_, one) -> Entry(digest(one["sha256"]), bytes(one["bytes"])) }

    init {
        if (files.size > MOST_FILES) json.fail("more than $MOST_FILES files")
        if (files.keys.mapTo(HashSet()) { it.lowercase() }.size < files.size) {
            json.fail("two paths differ in the case of letters only")
        }
        if (files.values.sumOf { it.bytes } > MOST_BYTES) json.fail("more than $MOST_BYTES bytes together")
        val labels = artifacts.map { it.label }
        if (labels.isEmpty() || labels.toSet().size < labels.size) json.fail("artifacts without names of their own")
        artifacts.firstOrNull { it.file !in files }?.let { json.fail("${it.label}: its file is not among the files") }
        choice.values.firstOrNull { it !in labels }?.let { json.fail("choice: ${shown(it)} is not there") }
    }

    internal companion object {
        /** @throws RefusedException Another form, or a path that leaves the bundle. */
        fun parse(bytes: ByteArray): Contents = try {
            val json = Json.parse(bytes, CONTENTS)
            val format = json["format"].integer()
            if (format != 1L) json.fail("format $format; this code reads 1")
            Contents(json)
        } catch (error: ModelException) {
            throw RefusedException(error.message.orEmpty(), error)
        }

        private fun isPath(path: String) =
            path.length <= LONGEST_PATH && PATH.matches(path) && path != CONTENTS && path != SIGNATURE

        private fun artifact(json: Json) = Artifact(
            json["label"].text(),
            json["target"].text(),
            json["precision"].text(),
            json["file"].text(),
            digest(json["sha256"]),
            bytes(json["bytes"]),
        )

        private fun digest(json: Json): String =
            json.text().also { if (!SHA256.matches(it)) json.fail("no digest") }

        private fun bytes(json: Json): Long =
            json.integer().also { if (it !in 0..MOST_BYTES) json.fail("$it bytes") }
    }
}
