package edgekit.bundle_name

import java.nio.ByteBuffer
import java.nio.ByteOrder

/** What numbers are stored as. */
enum class DType(val bytes: Int, internal val least: Long, internal val most: Long) {
    UINT8(1, 0, 255),
    INT8(1, -128, 127),
    INT16(2, -32768, 32767),
    INT32(4, Int.MIN_VALUE.toLong(), Int.MAX_VALUE.toLong()),
    INT64(8, Long.MIN_VALUE, Long.MAX_VALUE),
    FLOAT32(4, 0, 0),
    ;

    internal val isWhole get() = this != FLOAT32

    internal companion object {
        fun of(json: Json): DType =
            entries.find { it.name.lowercase() == json.text() } ?: json.fail("${shown(json.text())} is not known here")
    }
}

/** An array without batch axis, row by row; [bytes] are little-endian, as on every Android device. */
class Tensor(val dtype: DType, val shape: List<Int>, val bytes: ByteArray) {
    init {
        require(bytes.size == count(shape) * dtype.bytes) { "${bytes.size} bytes for $shape of $dtype" }
    }

    /** How many numbers. */
    val size: Int get() = bytes.size / dtype.bytes

    /** The numbers; all but the largest of INT64 are exact. */
    fun values(): DoubleArray {
        val buffer = littleEndian(bytes)
        return when (dtype) {
            DType.UINT8 -> DoubleArray(size) { (bytes[it].toInt() and 255).toDouble() }
            DType.INT8 -> DoubleArray(size) { bytes[it].toDouble() }
            DType.INT16 -> DoubleArray(size) { buffer.getShort(2 * it).toDouble() }
            DType.INT32 -> DoubleArray(size) { buffer.getInt(4 * it).toDouble() }
            DType.INT64 -> DoubleArray(size) { buffer.getLong(8 * it).toDouble() }
            DType.FLOAT32 -> DoubleArray(size) { buffer.getFloat(4 * it).toDouble() }
        }
    }

    companion object {
        fun of(shape: List<Int>, values: FloatArray): Tensor = made(DType.FLOAT32, shape) { values[it].toDouble() }

        /** Numbers stored as [dtype]: whole ones cut to what it holds. */
        internal inline fun made(dtype: DType, shape: List<Int>, value: (Int) -> Double): Tensor {
            val count = count(shape)
            val bytes = ByteArray(count * dtype.bytes)
            val buffer = littleEndian(bytes)
            for (at in 0 until count) store(buffer, at, dtype, value(at))
            return Tensor(dtype, shape, bytes)
        }

        internal fun count(shape: List<Int>): Int = shape.fold(1) { product, size -> Math.multiplyExact(product, size) }
    }
}

internal fun littleEndian(bytes: ByteArray): ByteBuffer = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN)

internal fun store(buffer: ByteBuffer, at: Int, dtype: DType, value: Double) {
    when (dtype) {
        DType.UINT8, DType.INT8 -> buffer.put(at, cut(value, dtype).toByte())
        DType.INT16 -> buffer.putShort(2 * at, cut(value, dtype).toShort())
        DType.INT32 -> buffer.putInt(4 * at, cut(value, dtype).toInt())
        DType.INT64 -> buffer.putLong(8 * at, value.toLong())
        DType.FLOAT32 -> buffer.putFloat(4 * at, value.toFloat())
    }
}

private fun cut(value: Double, dtype: DType): Long = value.toLong().coerceIn(dtype.least, dtype.most)
