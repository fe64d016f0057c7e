package edgekit.bundle_name

import java.io.File
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test

/** What needs no Android: files are those of the list, samples and answers those of the golden cases. */
class GoldenTest {
    private val bundle = Bundle.open(Source.folder(File(System.getProperty("bundle") ?: "..")))

    // What Gradle and Android Studio put beside them is not looked at: `verify` would refuse it.
    @Test
    fun everyFileIsWhatTheBundleSays() {
        assertEquals("android", bundle.contents.platform)
        bundle.contents.files.keys.forEach(bundle::read)
    }

    @Test
    fun originalsBecomeTheSamplesOfPythonToTheBit() {
        for (artifact in bundle.contents.artifacts) Golden(bundle, artifact.label).checkOriginals(::readPng)
    }

    @Test
    fun outputsBecomeTheAnswersOfPython() {
        for (artifact in bundle.contents.artifacts) assertTrue(Golden(bundle, artifact.label).checkAnswers() >= 8)
    }
}
