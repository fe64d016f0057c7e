package edgekit.bundle_name

import java.io.ByteArrayInputStream
import java.io.File
import javax.imageio.ImageIO
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test

/** What needs no Android: the bundle is whole, and samples and answers are those of the golden cases. */
class GoldenTest {
    private val folder = File(System.getProperty("bundle") ?: "..")
    private val bundle = Bundle.open(Source.folder(folder))

    @Test
    fun everyFileIsWhatTheBundleSays() {
        val contents = verify(folder)
        assertEquals("android", contents.platform)
    }

    @Test
    fun originalsBecomeTheSamplesOfPythonToTheBit() {
        for (artifact in bundle.contents.artifacts) Golden(bundle, artifact.label).checkOriginals(::decode)
    }

    @Test
    fun outputsBecomeTheAnswersOfPython() {
        for (artifact in bundle.contents.artifacts) assertTrue(Golden(bundle, artifact.label).checkAnswers() >= 8)
    }

    private fun decode(png: ByteArray): Picture {
        val image = ImageIO.read(ByteArrayInputStream(png))
        return Picture(image.getRGB(0, 0, image.width, image.height, null, 0, image.width), image.width, image.height)
    }
}
