package edgekit.bundle_name

import java.io.File
import java.io.IOException
import java.nio.file.FileVisitResult
import java.nio.file.Files
import java.nio.file.Path
import java.nio.file.SimpleFileVisitor
import java.nio.file.attribute.BasicFileAttributes
import java.security.MessageDigest

private const val MOST_DEPTH = 34

/**
 * Looks at every file of a bundle's folder, as `edgekit verify` does: of one that came over the
 * network, before it is used.
 *
 * @param key As of [Bundle.open].
 * @throws RefusedException A file that was changed, added or is missing, a link, no plain file; or
 *   another signature.
 */
fun verify(folder: File, key: String? = null): Contents {
    val contents = Bundle.open(Source.folder(folder), key).contents
    val left = contents.files.toMutableMap()
    val walk = Walk(folder.toPath()) { path, file, size ->
        val entry = left.remove(path) ?: throw RefusedException("${shown(path)} is not in $CONTENTS: it was added")
        // By size first: a file of another one is not read, however large.
        if (size != entry.bytes) throw RefusedException("$path has $size bytes; $CONTENTS says ${entry.bytes}")
        if (digest(file) != entry.sha256) throw RefusedException("$path: sha256 differs from the one in $CONTENTS")
    }
    try {
        // One deeper than any bundle is, where a folder is told as if it were a file.
        Files.walkFileTree(folder.toPath(), emptySet(), MOST_DEPTH, walk)
    } catch (error: IOException) {
        throw RefusedException("the bundle cannot be read: ${error.message}", error)
    }
    left.keys.firstOrNull()?.let { throw RefusedException("$it is missing") }
    return contents
}

private class Walk(
    private val root: Path,
    private val check: (path: String, file: Path, size: Long) -> Unit,
) : SimpleFileVisitor<Path>() {
    private var seen = 0
    private var last: Path? = null

    override fun visitFile(file: Path, attributes: BasicFileAttributes): FileVisitResult {
        last = file
        val path = pathOf(file)
        if (!attributes.isRegularFile) throw RefusedException("${shown(path)} is a link or no plain file")
        seen += 1
        if (seen > MOST_FILES + 2) throw RefusedException("more than $MOST_FILES files")
        if (path != CONTENTS && path != SIGNATURE) check(path, file, attributes.size())
        return FileVisitResult.CONTINUE
    }

    override fun postVisitDirectory(folder: Path, error: IOException?): FileVisitResult {
        if (error != null) throw error
        val isEmpty = last?.startsWith(folder) != true
        if (isEmpty) throw RefusedException("${shown(pathOf(folder))} is an empty folder: it was added")
        return FileVisitResult.CONTINUE
    }

    private fun pathOf(place: Path) = root.relativize(place).joinToString("/")
}

private fun digest(file: Path): String {
    val digest = MessageDigest.getInstance("SHA-256")
    val piece = ByteArray(1 shl 16)
    Files.newInputStream(file).use { stream ->
        generateSequence { stream.read(piece) }.takeWhile { it >= 0 }.forEach { digest.update(piece, 0, it) }
    }
    return digest.digest().toHexString()
}
