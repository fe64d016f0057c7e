package edgekit.bundle_name

import androidx.test.ext.junit.runners.AndroidJUnit4
import androidx.test.platform.app.InstrumentationRegistry
import java.io.IOException
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith

/** On a device: every artifact loads there and keeps the golden cases. */
@RunWith(AndroidJUnit4::class)
class ModelTest {
    // Models lie in the library's assets, golden cases in those of the test.
    private val places = InstrumentationRegistry.getInstrumentation().let { listOf(it.targetContext, it.context) }
        .map { Source.assets(it.assets, "bundle_name") }

    private val source = Source { path ->
        try {
            places[0].open(path)
        } catch (_: IOException) {
            places[1].open(path)
        }
    }

    @Test
    fun goldenCasesHoldForEveryArtifact() {
        val bundle = Bundle.open(source, BuildConfig.BUNDLE_KEY.ifEmpty { null })
        for (artifact in bundle.contents.artifacts) {
            Model.open(bundle, RUNTIMES, Options(artifact = artifact.label)).use { model ->
                assertTrue(model.check(::decodePicture).cases >= 8)
            }
        }
    }
}
