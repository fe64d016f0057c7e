package edgekit.bundle_name

/** What runs the files of a target. */
interface Runtime {
    /**
     * Loads a model.
     *
     * @param taken What it takes, of the contract; [given] is what it gives.
     * @throws Exception It does not run here; the next artifact is tried.
     */
    fun load(model: ByteArray, taken: List<Port>, given: List<Port>, threads: Int): Session
}

/** A model that is loaded; one thread at a time may use it. */
interface Session : AutoCloseable {
    /** What runs it, with its version where it tells one. */
    val runtime: String

    /** What the file gives for what it takes, both in the order of the contract, without batch axis. */
    fun run(inputs: List<Tensor>): List<Tensor>
}

/** Places of [ports] among a file's [names]: by name where all are the same, else as they stand. */
internal fun orderOf(ports: List<Port>, names: List<String>): List<Int> {
    if (names.size != ports.size) throw ModelException("the file has ${names.size} tensors; its contract ${ports.size}")
    val places = ports.map { names.indexOf(it.name) }
    return if (-1 in places) ports.indices.toList() else places
}
