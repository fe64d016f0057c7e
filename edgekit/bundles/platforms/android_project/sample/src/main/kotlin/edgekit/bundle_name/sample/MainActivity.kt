package edgekit.bundle_name.sample

import android.app.Activity
import android.content.ActivityNotFoundException
import android.content.Intent
import android.graphics.Bitmap
import android.os.Bundle
import android.provider.MediaStore
import android.view.View
import android.widget.Button
import android.widget.EditText
import android.widget.ImageView
import android.widget.LinearLayout
import android.widget.ScrollView
import android.widget.TextView
import edgekit.bundle_name.Found
import edgekit.bundle_name.Kind
import edgekit.bundle_name.Model
import edgekit.bundle_name.Picture
import edgekit.bundle_name.decodePicture
import edgekit.bundle_name.open
import edgekit.bundle_name.toPicture
import java.util.concurrent.Executors

/** A picture, sound or text in; labels, and boxes in the picture, out. */
class MainActivity : Activity() {
    /** The model's only thread: it loads and computes there. */
    private val worker = Executors.newSingleThreadExecutor()
    private var model: Model? = null
    private lateinit var results: TextView
    private lateinit var image: ImageView
    private lateinit var controls: LinearLayout

    override fun onCreate(state: Bundle?) {
        super.onCreate(state)
        results = TextView(this).apply { textSize = 18f; setText(R.string.loading); setTextIsSelectable(true) }
        results.accessibilityLiveRegion = View.ACCESSIBILITY_LIVE_REGION_POLITE
        image = ImageView(this).apply {
            adjustViewBounds = true
            contentDescription = getString(R.string.picture)
            visibility = View.GONE
        }
        controls = column()
        val page = column(controls, image, results)
        page.fitsSystemWindows = true
        setContentView(ScrollView(this).apply { addView(page) })
        work({ Model.open(this).also { model = it } }) { showControls(it) }
    }

    override fun onDestroy() {
        worker.execute { model?.close() }
        worker.shutdown()
        super.onDestroy()
    }

    private fun showControls(model: Model) {
        results.text = ""
        when (model.kind) {
            Kind.PICTURE -> {
                controls.addView(button(R.string.camera) { takePicture() })
                controls.addView(button(R.string.pick_picture) { pick("image/*") })
            }
            Kind.SOUND -> controls.addView(button(R.string.pick_sound) { pick("audio/*") })
            Kind.TEXT -> {
                val words = EditText(this).apply { setHint(R.string.text_hint) }
                controls.addView(words)
                controls.addView(button(R.string.read) { answer(null) { predict(words.text.toString()) } })
            }
            Kind.TENSOR -> results.text = getString(R.string.nothing_found)
        }
    }

    private fun takePicture() = try {
        startActivityForResult(Intent(MediaStore.ACTION_IMAGE_CAPTURE), TAKEN)
    } catch (_: ActivityNotFoundException) {
        results.setText(R.string.no_camera)
    }

    private fun pick(type: String) =
        startActivityForResult(Intent(Intent.ACTION_GET_CONTENT).setType(type), PICKED)

    override fun onActivityResult(request: Int, status: Int, data: Intent?) {
        if (status != RESULT_OK || data == null) return
        if (request == TAKEN) {
            // The camera app's small picture, which takes neither a permission nor a file.
            @Suppress("DEPRECATION")
            val taken = data.getParcelableExtra<Bitmap>("data") ?: return
            see { taken.toPicture() }
        } else {
            val place = data.data ?: return
            val read = { contentResolver.openInputStream(place)?.use { it.readBytes() } ?: ByteArray(0) }
            if (model?.kind == Kind.SOUND) answer(null) { predict(sound(read())) } else see { decodePicture(read()) }
        }
    }

    private fun see(get: () -> Picture) = work(get) { picture -> answer(picture) { predict(picture) } }

    private fun answer(picture: Picture?, predict: Model.() -> List<Found>) {
        val model = model ?: return
        work({
            val start = System.nanoTime()
            val found = model.predict()
            found to (System.nanoTime() - start) / 1e6
        }) { (found, milliseconds) ->
            image.visibility = if (picture == null) View.GONE else View.VISIBLE
            if (picture != null) image.setImageBitmap(drawn(picture, found))
            val lines = found.take(MOST_SHOWN).map { "${it.label}  ${"%.3f".format(it.score)}" }
            val latency = getString(R.string.latency, model.artifact.label, model.runtime, milliseconds)
            results.text = (lines.ifEmpty { listOf(getString(R.string.nothing_found)) } + latency).joinToString("\n")
        }
    }

    /** Does something on the model's thread, then shows it, or what went wrong. */
    private fun <T> work(work: () -> T, show: (T) -> Unit) = worker.execute {
        val done = runCatching(work)
        runOnUiThread { done.onSuccess(show).onFailure { results.text = it.message ?: it.toString() } }
    }

    private fun column(vararg views: View) = LinearLayout(this).apply {
        orientation = LinearLayout.VERTICAL
        val edge = (16 * resources.displayMetrics.density).toInt()
        setPadding(edge, edge, edge, edge)
        views.forEach(::addView)
    }

    private fun button(text: Int, act: () -> Unit) = Button(this).apply {
        setText(text)
        setOnClickListener { act() }
    }

    private companion object {
        const val TAKEN = 1
        const val PICKED = 2
        const val MOST_SHOWN = 20
    }
}
