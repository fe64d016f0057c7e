package edgekit.bundle_name

/** A picture as it is to be seen. [orientation] is EXIF's, 1 to 8; what is none of them changes nothing. */
internal fun Picture.upright(orientation: Int): Picture {
    if (orientation !in 2..8) return this
    val isTurned = orientation > 4
    val (wide, high) = if (isTurned) height to width else width to height
    val (right, bottom) = width - 1 to height - 1
    val made = IntArray(argb.size)
    for (y in 0 until high) {
        for (x in 0 until wide) {
            val from = when (orientation) {
                2 -> y * width + right - x
                3 -> (bottom - y) * width + right - x
                4 -> (bottom - y) * width + x
                5 -> x * width + y
                6 -> (bottom - x) * width + y
                7 -> (bottom - x) * width + right - y
                else -> x * width + right - y
            }
            made[y * wide + x] = argb[from]
        }
    }
    return Picture(made, wide, high)
}
