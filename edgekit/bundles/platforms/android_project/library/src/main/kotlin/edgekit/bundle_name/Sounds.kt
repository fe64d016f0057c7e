package edgekit.bundle_name

private const val PCM = 1
private const val EXTENSIBLE = 0xFFFE
private const val MOST_CHANNELS = 64

/** Numbers in −1…1 at the model's rate: cut or filled up with silence, in the model's own units. */
internal fun waveOf(samples: FloatArray, input: Input): Tensor {
    val spec = checkNotNull(input.sound)
    val (low, high) = spec.range
    val half = ((high - low) / 2).toFloat()
    return Tensor.made(input.dtype, input.shape) { at ->
        val level = if (at < minOf(samples.size, spec.length)) samples[at] else 0f
        if (low == -1.0 && high == 1.0) level.toDouble() else (low.toFloat() + (level + 1) * half).toDouble()
    }
}

/**
 * The beginning of a WAV file: one channel in −1…1, silence behind its end, [length] numbers.
 *
 * Plain PCM of 8, 16, 24 or 32 bits is read; channels are averaged, nothing is resampled.
 *
 * @param rateHz Numbers a second that the model takes; 0 takes any.
 * @throws ModelException No such file, cut short, or of another rate.
 */
fun readWav(bytes: ByteArray, length: Int, rateHz: Int): FloatArray {
    val wave = Wave(bytes)
    if (rateHz != 0 && wave.rateHz != rateHz) {
        throw ModelException("a sound of ${wave.rateHz} Hz; the model takes $rateHz Hz: resample it")
    }
    val wanted = minOf(length, wave.frames)
    if (wave.available < wanted) throw ModelException("the sound is cut short")
    return FloatArray(length) { at -> if (at < wanted) wave.mono(at) else 0f }
}

private class Wave(bytes: ByteArray) {
    private val buffer = littleEndian(bytes)
    private var channels = 0
    private var width = 0
    private var start = -1

    var rateHz = 0
        private set

    /** What the header says, in instants; fewer may be there. */
    var frames = 0
        private set

    val available get() = (end - start) / (channels * width)
    private var end = bytes.size

    init {
        if (tag(0) != "RIFF" || tag(8) != "WAVE") fail("no RIFF WAVE")
        end = minOf(end.toLong(), 8 + long(4)).toInt()
        var at = 12
        while (start < 0) {
            if (at + 8 > end) fail("no chunk of sound")
            val size = long(at + 4)
            when (tag(at)) {
                "fmt " -> format(at + 8, size)
                "data" -> {
                    if (channels == 0) fail("sound before its format")
                    start = at + 8
                    frames = (size / (channels * width)).coerceAtMost(Int.MAX_VALUE.toLong()).toInt()
                }
            }
            at = (at + 8 + size + size % 2).coerceAtMost(Int.MAX_VALUE - 8L).toInt()
        }
    }

    private fun format(at: Int, size: Long) {
        if (size < 16 || at + size > end) fail("its format is cut short")
        val tag = short(at)
        val isPcm = tag == PCM || (tag == EXTENSIBLE && size >= 40 && short(at + 24) == PCM)
        if (!isPcm) fail("not plain PCM")
        channels = short(at + 2)
        rateHz = long(at + 4).coerceAtMost(Int.MAX_VALUE.toLong()).toInt()
        width = (short(at + 14) + 7) / 8
        if (channels !in 1..MOST_CHANNELS || rateHz < 1 || width !in 1..4) {
            fail("$channels channels of $width bytes, $rateHz Hz")
        }
    }

    /** The mean of the channels: whole numbers, so that no order of the sum rounds otherwise. */
    fun mono(frame: Int): Float {
        var sum = 0L
        for (channel in 0 until channels) sum += level(start + (frame * channels + channel) * width)
        val full = 1L shl (8 * width - 1)
        return (sum.toDouble() / full / channels).toFloat()
    }

    private fun level(at: Int): Long = when (width) {
        1 -> (buffer.get(at).toLong() and 255) - 128
        2 -> buffer.getShort(at).toLong()
        3 -> (buffer.get(at).toLong() and 255) or (buffer.getShort(at + 1).toLong() shl 8)
        else -> buffer.getInt(at).toLong()
    }

    private fun short(at: Int) = buffer.getShort(at).toInt() and 0xFFFF

    private fun long(at: Int) = buffer.getInt(at).toLong() and 0xFFFFFFFFL

    private fun tag(at: Int): String {
        if (at + 4 > buffer.limit()) fail("it ends within its header")
        return String(CharArray(4) { (buffer.get(at + it).toInt() and 255).toChar() })
    }

    private fun fail(why: String): Nothing = throw ModelException("not a readable WAV file: $why")
}
