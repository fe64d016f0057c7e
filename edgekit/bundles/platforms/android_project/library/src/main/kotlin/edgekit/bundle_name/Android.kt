package edgekit.bundle_name

import android.content.Context
import android.content.res.AssetManager
import android.graphics.Bitmap
import android.graphics.BitmapFactory
import android.media.ExifInterface
import android.os.Build
import java.io.ByteArrayInputStream
import java.io.IOException

/**
 * Loads the model that lies in this library's assets. Slow: not on the main thread.
 *
 * Where the library was built with a key (the Gradle property `bundle_name.key`), a bundle that its
 * private half did not sign is refused.
 */
fun Model.Companion.open(context: Context, options: Options = Options(devices = deviceClasses())): Model =
    open(bundle(context), RUNTIMES, options)

/** The bundle in this library's assets. */
fun bundle(context: Context): Bundle =
    Bundle.open(Source.assets(context.assets, "bundle_name"), BuildConfig.BUNDLE_KEY.ifEmpty { null })

/** A folder of an app's assets. */
fun Source.Companion.assets(assets: AssetManager, folder: String): Source =
    Source { path -> assets.open("$folder/$path") }

/** Names under which this device may have been measured, most special first. */
fun deviceClasses(): List<String> {
    val chip = if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.S) Build.SOC_MODEL else Build.HARDWARE
    return listOf(Build.MODEL, chip).map { it.lowercase().replace(Regex("[^a-z0-9]+"), "-").trim('-') } + "phone"
}

/** A picture's pixels, as a camera or [BitmapFactory] gives them. */
fun Bitmap.toPicture(): Picture {
    val plain = if (config == Bitmap.Config.ARGB_8888) this else copy(Bitmap.Config.ARGB_8888, false)
    val pixels = IntArray(width * height)
    plain.getPixels(pixels, 0, width, 0, 0, width, height)
    return Picture(pixels, width, height)
}

/** A picture to be drawn. */
fun Picture.toBitmap(): Bitmap = Bitmap.createBitmap(argb, width, height, Bitmap.Config.ARGB_8888)

/** A file's picture, upright by EXIF. @throws ModelException It is none. */
fun decodePicture(file: ByteArray): Picture {
    val options = BitmapFactory.Options().apply {
        inPremultiplied = false // or colours below transparency are lost
        inScaled = false
        inPreferredConfig = Bitmap.Config.ARGB_8888
    }
    val bitmap = BitmapFactory.decodeByteArray(file, 0, file.size, options)
        ?: throw ModelException("no picture that Android reads")
    val orientation = try {
        ExifInterface(ByteArrayInputStream(file)).getAttributeInt(ExifInterface.TAG_ORIENTATION, 1)
    } catch (_: IOException) { // PNG, before Android 11
        1
    }
    return bitmap.toPicture().upright(orientation)
}
