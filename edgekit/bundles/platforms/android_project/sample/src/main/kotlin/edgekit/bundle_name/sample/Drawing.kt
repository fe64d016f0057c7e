package edgekit.bundle_name.sample

import android.graphics.Bitmap
import android.graphics.Canvas
import android.graphics.Color
import android.graphics.Paint
import edgekit.bundle_name.Found
import edgekit.bundle_name.Picture
import edgekit.bundle_name.toBitmap
import kotlin.math.max

private const val LARGEST = 1280 // pixels of a side of what is drawn
private const val MOST_NAMED = 8 // boxes with a name: more would hide the picture
private val COLOURS = listOf("#FFB000", "#5AD1FF", "#FF7AB6", "#8CE99A", "#C9A7FF", "#FFD8A8").map(Color::parseColor)

/** The picture with what was found in it. */
internal fun drawn(picture: Picture, found: List<Found>): Bitmap {
    val scale = LARGEST.toFloat() / max(picture.width, picture.height)
    val wide = max(1, (picture.width * scale).toInt())
    val high = max(1, (picture.height * scale).toInt())
    val bitmap = Bitmap.createScaledBitmap(picture.toBitmap(), wide, high, true).copy(Bitmap.Config.ARGB_8888, true)
    val canvas = Canvas(bitmap)
    val frame = Paint(Paint.ANTI_ALIAS_FLAG).apply { style = Paint.Style.STROKE; strokeWidth = 5f }
    val name = Paint(Paint.ANTI_ALIAS_FLAG).apply { textSize = 40f }
    // The best one last, on top of the others.
    for ((at, one) in found.withIndex().reversed()) {
        val box = one.box ?: continue
        val colour = COLOURS[one.number % COLOURS.size]
        val (left, top) = box.left.toFloat() * scale to box.top.toFloat() * scale
        frame.color = colour
        canvas.drawRect(left, top, box.right.toFloat() * scale, box.bottom.toFloat() * scale, frame)
        if (at >= MOST_NAMED) continue
        name.color = colour
        canvas.drawText("${one.label} ${(100 * one.score).toInt()}", left + 4, max(40f, top - 8), name)
    }
    return bitmap
}
