package edgekit.bundle_name

// From a sample's own units to what a file takes, and back: as `edgekit/tensor.py` does it.

/** A sample as the file takes it. */
internal fun taken(sample: Tensor, port: Port): Tensor {
    val scale = port.scale
    val onGrid = scale == 1f && port.zeroPoint == 0L
    if (sample.dtype == port.dtype && (scale == null || onGrid)) return sample
    val values = sample.values()
    if (scale == null || port.zeroPoint == null) return Tensor.made(port.dtype, sample.shape) { values[it] }
    return Tensor.made(port.dtype, sample.shape) {
        // In float32, as the runtimes divide: double would land on other sides of the halves.
        val steps = values[it].toFloat() / scale
        if (steps.isNaN()) throw ModelException("${port.name}: NaN cannot be quantized")
        Math.rint(steps.toDouble()) + port.zeroPoint
    }
}

/** What a file gave, as real values. */
internal fun real(given: Tensor, port: Port): Tensor {
    val scale = port.scale
    if (scale == null || !given.dtype.isWhole) return given
    val values = given.values()
    val zero = (port.zeroPoint ?: 0L).toDouble()
    return Tensor.made(DType.FLOAT32, given.shape) { ((values[it] - zero).toFloat() * scale).toDouble() }
}
