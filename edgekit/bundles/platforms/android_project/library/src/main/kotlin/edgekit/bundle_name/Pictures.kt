package edgekit.bundle_name

import kotlin.math.abs
import kotlin.math.ceil
import kotlin.math.max
import kotlin.math.min

/**
 * A decoded picture, upright.
 *
 * @property argb A colour each pixel, row by row, 0xAARRGGBB, not premultiplied.
 */
class Picture(val argb: IntArray, val width: Int, val height: Int) {
    init {
        require(width > 0 && height > 0 && argb.size == Math.multiplyExact(width, height)) {
            "${argb.size} pixels for $width × $height"
        }
    }
}

/** Where a picture lies in an input, in its pixels; around it lies grey. */
internal class Fit(val left: Int, val top: Int, val width: Int, val height: Int)

// Resizing is Pillow's antialiased bilinear filter: all rows, then all columns, 8 bits between them,
// weights in double, then in 22-bit fixed point.
private const val BITS = 32 - 8 - 2
private const val HALF = 1 shl (BITS - 1)

/** A picture as the model takes it, to the bit as edgekit does it. */
internal fun prepared(picture: Picture, input: Input): Tensor {
    val spec = checkNotNull(input.picture)
    val fit = fitOf(picture.width, picture.height, spec)
    val resized = resized(onWhite(picture.argb), picture.width, picture.height, fit.width, fit.height)
    return levels(pasted(resized, fit, spec), input)
}

internal fun fitOf(width: Int, height: Int, spec: PictureInput): Fit {
    if (!spec.isLetterboxed) return Fit(0, 0, spec.width, spec.height)
    val scale = min(spec.width.toDouble() / width, spec.height.toDouble() / height)
    val wide = Math.rint(width * scale).toInt().coerceIn(1, spec.width)
    val high = Math.rint(height * scale).toInt().coerceIn(1, spec.height)
    return Fit((spec.width - wide) / 2, (spec.height - high) / 2, wide, high)
}

/** A box from 0–1 of the input to 0–1 of the picture, cut to it. */
internal fun toPicture(box: Box, fit: Fit, spec: PictureInput): Box {
    fun placed(value: Double, offset: Int, size: Int, whole: Int) =
        ((value - offset.toDouble() / whole) / (size.toDouble() / whole)).coerceIn(0.0, 1.0)

    fun across(x: Double) = placed(x, fit.left, fit.width, spec.width)
    fun down(y: Double) = placed(y, fit.top, fit.height, spec.height)
    return Box(across(box.left), down(box.top), across(box.right), down(box.bottom))
}

/** Colours on white, as Pillow's alpha_composite. */
internal fun onWhite(argb: IntArray): IntArray {
    if (argb.all { it ushr 24 == 255 }) return argb
    return IntArray(argb.size) {
        val pixel = argb[it]
        val alpha = pixel ushr 24
        fun one(level: Int): Int {
            if (alpha == 255) return level
            val sum = (level * alpha + 255 * (255 - alpha) + 0x80) * 128
            return (((sum shr 8) + sum) shr 8) shr 7
        }
        packed(one(pixel shr 16 and 255), one(pixel shr 8 and 255), one(pixel and 255))
    }
}

private fun packed(red: Int, green: Int, blue: Int) = (255 shl 24) or (red shl 16) or (green shl 8) or blue

internal fun resized(pixels: IntArray, width: Int, height: Int, outWidth: Int, outHeight: Int): IntArray {
    val across = if (outWidth == width) pixels else across(pixels, width, height, outWidth)
    return if (outHeight == height) across else down(across, outWidth, height, outHeight)
}

private fun across(pixels: IntArray, width: Int, height: Int, outWidth: Int): IntArray {
    val weights = Weights(width, outWidth)
    val made = IntArray(outWidth * height)
    for (y in 0 until height) {
        for (x in 0 until outWidth) {
            made[y * outWidth + x] = weights.blend(pixels, x, from = y * width, step = 1)
        }
    }
    return made
}

private fun down(pixels: IntArray, width: Int, height: Int, outHeight: Int): IntArray {
    val weights = Weights(height, outHeight)
    val made = IntArray(width * outHeight)
    for (y in 0 until outHeight) {
        for (x in 0 until width) {
            made[y * width + x] = weights.blend(pixels, y, from = x, step = width)
        }
    }
    return made
}

/** Of each output pixel of a line: where its inputs begin, how many, and their fixed-point numbers. */
private class Weights(size: Int, outSize: Int) {
    private val scale = size.toDouble() / outSize
    private val support = max(scale, 1.0)
    private val most = ceil(support).toInt() * 2 + 1
    private val starts = IntArray(outSize)
    private val counts = IntArray(outSize)
    private val numbers = IntArray(Math.multiplyExact(outSize, most))

    init {
        val row = DoubleArray(most)
        val inverse = 1 / support
        for (out in 0 until outSize) {
            val center = (out + 0.5) * scale
            val start = max(0, (center - support + 0.5).toInt())
            val count = min(size, (center + support + 0.5).toInt()) - start
            var sum = 0.0
            for (i in 0 until count) {
                val away = abs((i + start - center + 0.5) * inverse)
                row[i] = if (away < 1) 1 - away else 0.0
                sum += row[i]
            }
            for (i in 0 until count) {
                val part = if (sum == 0.0) row[i] else row[i] / sum
                numbers[out * most + i] = (0.5 + part * (1 shl BITS)).toInt()
            }
            starts[out] = start
            counts[out] = count
        }
    }

    /** Output pixel [out] of the line of pixels that begins at [from]. */
    fun blend(pixels: IntArray, out: Int, from: Int, step: Int): Int {
        var red = HALF
        var green = HALF
        var blue = HALF
        var at = from + starts[out] * step
        val first = out * most
        for (k in first until first + counts[out]) {
            val pixel = pixels[at]
            val weight = numbers[k]
            red += (pixel shr 16 and 255) * weight
            green += (pixel shr 8 and 255) * weight
            blue += (pixel and 255) * weight
            at += step
        }
        return packed(cut(red), cut(green), cut(blue))
    }

    private fun cut(sum: Int) = (sum shr BITS).coerceIn(0, 255)
}

private fun pasted(pixels: IntArray, fit: Fit, spec: PictureInput): IntArray {
    if (fit.width == spec.width && fit.height == spec.height) return pixels
    val made = IntArray(spec.width * spec.height) { packed(spec.grey, spec.grey, spec.grey) }
    for (y in 0 until fit.height) {
        pixels.copyInto(made, (fit.top + y) * spec.width + fit.left, y * fit.width, (y + 1) * fit.width)
    }
    return made
}

/** Pixels to the input's channels, range, dtype and layout. */
private fun levels(pixels: IntArray, input: Input): Tensor {
    val spec = checkNotNull(input.picture)
    val tables = spec.ranges.map { table(it, input.dtype) }
    val bytes = ByteArray(Tensor.count(input.shape) * input.dtype.bytes)
    val buffer = littleEndian(bytes)
    for ((at, pixel) in pixels.withIndex()) {
        for (c in 0 until spec.channels) {
            val level = if (spec.channels == 1) luma(pixel) else pixel shr (16 - 8 * c) and 255
            val to = if (spec.isChannelsFirst) c * pixels.size + at else at * spec.channels + c
            store(buffer, to, input.dtype, tables[c][level])
        }
    }
    return Tensor(input.dtype, input.shape, bytes)
}

/** ITU-R 601, in integers: no sum of floats rounds otherwise elsewhere. */
private fun luma(pixel: Int): Int {
    val sum = 299 * (pixel shr 16 and 255) + 587 * (pixel shr 8 and 255) + 114 * (pixel and 255)
    return Math.rint(sum / 1000.0).toInt()
}

private fun table(range: Pair<Double, Double>, dtype: DType): DoubleArray {
    val (low, high) = range
    val step = (high - low) / 255
    return DoubleArray(256) {
        val value = low + it * step
        if (dtype.isWhole) Math.rint(value) else value
    }
}
