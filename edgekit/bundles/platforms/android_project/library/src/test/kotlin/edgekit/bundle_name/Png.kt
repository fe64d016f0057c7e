package edgekit.bundle_name

import java.io.ByteArrayOutputStream
import java.nio.ByteBuffer
import java.util.zip.Inflater
import kotlin.math.abs

/** A golden picture: PNG of 8-bit RGB, not interlaced. Unit tests of Android have no decoder. */
fun readPng(png: ByteArray): Picture {
    val chunks = ByteBuffer.wrap(png, 8, png.size - 8)
    val packed = ByteArrayOutputStream()
    var width = 0
    var height = 0
    while (chunks.remaining() >= 12) {
        val data = ByteArray(chunks.getInt())
        val kind = ByteArray(4).also(chunks::get).decodeToString()
        chunks.get(data).getInt() // the checksum: the file's digest was compared
        when (kind) {
            "IHDR" -> ByteBuffer.wrap(data).let {
                width = it.getInt()
                height = it.getInt()
                require(data.drop(8) == listOf<Byte>(8, 2, 0, 0, 0)) { "not 8-bit RGB" }
            }
            "IDAT" -> packed.write(data)
        }
    }
    val rows = ByteArray(height * (1 + 3 * width))
    Inflater().run {
        setInput(packed.toByteArray())
        inflate(rows)
        end()
    }
    return Picture(unfiltered(rows, width, height), width, height)
}

private fun unfiltered(rows: ByteArray, width: Int, height: Int): IntArray {
    val stride = 3 * width
    var above = IntArray(stride)
    val pixels = IntArray(width * height)
    for (y in 0 until height) {
        val start = y * (1 + stride)
        val row = IntArray(stride)
        for (x in 0 until stride) {
            val left = if (x < 3) 0 else row[x - 3]
            val corner = if (x < 3) 0 else above[x - 3]
            val guess = when (rows[start].toInt()) {
                1 -> left
                2 -> above[x]
                3 -> (left + above[x]) / 2
                4 -> nearest(left, above[x], corner)
                else -> 0
            }
            row[x] = (rows[start + 1 + x] + guess) and 0xFF
        }
        for (x in 0 until width) {
            pixels[y * width + x] = (0xFF shl 24) or (row[3 * x] shl 16) or (row[3 * x + 1] shl 8) or row[3 * x + 2]
        }
        above = row
    }
    return pixels
}

/** Paeth's predictor: the PNG specification, 9.4. */
private fun nearest(left: Int, above: Int, corner: Int): Int {
    val guess = left + above - corner
    return listOf(left, above, corner).minBy { abs(guess - it) }
}
