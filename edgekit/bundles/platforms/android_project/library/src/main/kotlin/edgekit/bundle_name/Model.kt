package edgekit.bundle_name

/**
 * How to load a model.
 *
 * @property devices Classes of this device, most special first: the first that the bundle measured
 *   chooses the artifact.
 * @property artifact Label of an artifact, to choose it by name: no other is tried then.
 * @property threads That the runtime may compute with.
 */
class Options(
    val devices: List<String> = emptyList(),
    val artifact: String? = null,
    val threads: Int = 1,
)

/**
 * A model with what belongs to it: a picture, text, sound or tensors in, an answer out.
 *
 * One thread at a time may use it; several may be loaded.
 *
 * @property artifact That is loaded.
 * @property labels Names of the classes; may be empty.
 * @property passedOver Label → why it was not loaded, of artifacts that would have come first.
 */
class Model private constructor(
    internal val bundle: Bundle,
    val artifact: Artifact,
    private val contract: Contract,
    val labels: List<String>,
    private val pieces: WordPiece?,
    private val session: Session,
    val passedOver: Map<String, String>,
) : AutoCloseable {
    /** What runs it. */
    val runtime: String get() = session.runtime

    /** What [predict] takes: [Kind.TENSOR] where it is several things, or none of the others. */
    val kind: Kind get() = contract.inputs.singleOrNull()?.kind ?: Kind.TENSOR

    /** Numbers a second that a sound must have; 0 takes any. */
    val rateHz: Int get() = contract.inputs.singleOrNull()?.sound?.rateHz ?: 0

    /** What the model sees, best first; boxes in pixels of the picture. */
    fun predict(picture: Picture): List<Found> {
        val spec = checkNotNull(only(Kind.PICTURE).picture)
        val fit = fitOf(picture.width, picture.height, spec)
        return predict(prepare(picture)).map { found ->
            found.copy(box = found.box?.let { inPixels(toPicture(it, fit, spec), picture) })
        }
    }

    fun predict(text: String): List<Found> = predict(prepare(text))

    /** @param samples A sound, −1 to 1, [rateHz] a second. */
    fun predict(samples: FloatArray): List<Found> = predict(prepare(samples))

    /** @param sample By name of the input, in the model's own units. */
    fun predict(sample: Map<String, Tensor>): List<Found> = answer(run(sample))

    // The steps of that, one by one. prepare: to a sample in the model's own units.

    fun prepare(picture: Picture): Map<String, Tensor> =
        only(Kind.PICTURE).let { mapOf(it.name to prepared(picture, it)) }

    fun prepare(text: String): Map<String, Tensor> =
        only(Kind.TEXT).let { mapOf(it.name to tokens(text, it, pieces)) }

    fun prepare(samples: FloatArray): Map<String, Tensor> =
        only(Kind.SOUND).let { mapOf(it.name to waveOf(samples, it)) }

    /** The beginning of a WAV file, as [prepare] takes it. */
    fun sound(wav: ByteArray): FloatArray =
        checkNotNull(only(Kind.SOUND).sound).let { readWav(wav, it.length, it.rateHz) }

    /** Outputs in real values, by name, in the order of the contract. */
    fun run(sample: Map<String, Tensor>): Map<String, Tensor> {
        val inputs = contract.taken.map { port ->
            taken(sample[port.name] ?: throw ModelException("no input ${port.name} in the sample"), port)
        }
        val outputs = try {
            session.run(inputs)
        } catch (error: Exception) {
            throw error as? ModelException ?: ModelException("$runtime: ${shown(error.message.orEmpty())}", error)
        }
        return contract.given.zip(outputs).associate { (port, output) -> port.name to real(output, port) }
    }

    /** Classes or objects of outputs; boxes in 0 to 1 of the input. */
    fun answer(outputs: Map<String, Tensor>): List<Found> =
        answered(contract.answer, contract.given.associate { it.name to outputs.getValue(it.name) }, labels)

    /**
     * Proves this device with the bundle's golden cases.
     *
     * @param decode A PNG file's picture.
     * @throws ModelException A case does not hold, or the bundle has none.
     */
    fun check(decode: (ByteArray) -> Picture): Checked = Golden(bundle, artifact.label).check(this, decode)

    override fun close() = session.close()

    private fun only(kind: Kind): Input = contract.inputs.singleOrNull()?.takeIf { it.kind == kind }
        ?: throw ModelException("the model takes no ${kind.name.lowercase()}; give tensors by name")

    companion object {
        /**
         * Loads a model of a bundle: of the artifact that was measured to be best for this device, or
         * of the first; where one does not load, of the next.
         *
         * @param runtimes Target → what runs its files here.
         * @throws RefusedException A file is not what the bundle says.
         * @throws ModelException None loads.
         */
        fun open(bundle: Bundle, runtimes: Map<String, Runtime>, options: Options = Options()): Model {
            val document = bundle.json("contract.json")
            val passedOver = LinkedHashMap<String, String>()
            for (artifact in candidates(bundle.contents, options)) {
                val runtime = runtimes[artifact.target]
                if (runtime == null) {
                    passedOver[artifact.label] = "nothing here runs ${shown(artifact.target)} files"
                    continue
                }
                val contract = Contract(document, artifact.label)
                val labels = labelsOf(bundle)
                val pieces = wordPieceOf(bundle, contract.inputs.singleOrNull())
                val bytes = bundle.read(artifact.file)
                val session = try {
                    runtime.load(bytes, contract.taken, contract.given, options.threads)
                } catch (error: Exception) {
                    passedOver[artifact.label] = error.message ?: error.toString()
                    continue
                } catch (error: LinkageError) { // no native library for this processor
                    passedOver[artifact.label] = error.message ?: error.toString()
                    continue
                }
                return Model(bundle, artifact, contract, labels, pieces, session, passedOver)
            }
            val why = passedOver.entries.joinToString("; ") { (label, reason) -> "$label: $reason" }
            throw ModelException("no artifact loads here: ${shown(why)}")
        }

        /** In the order in which they are tried. */
        internal fun candidates(contents: Contents, options: Options): List<Artifact> {
            val named = contents.artifacts.associateBy { it.label }
            if (options.artifact != null) {
                val artifact = named[options.artifact]
                return listOf(artifact ?: throw ModelException("no artifact ${options.artifact} in this bundle"))
            }
            val chosen = options.devices.firstNotNullOfOrNull(contents.choice::get)
            return (listOfNotNull(named[chosen]) + contents.artifacts).distinct()
        }

        private fun labelsOf(bundle: Bundle): List<String> {
            if ("labels.txt" !in bundle.contents.files) return emptyList()
            return bundle.read("labels.txt").decodeToString().lines().dropLastWhile { it.isEmpty() }
        }
    }
}

private fun inPixels(box: Box, picture: Picture) = Box(
    box.left * picture.width,
    box.top * picture.height,
    box.right * picture.width,
    box.bottom * picture.height,
)
