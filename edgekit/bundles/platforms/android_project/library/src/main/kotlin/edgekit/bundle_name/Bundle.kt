package edgekit.bundle_name

import java.io.ByteArrayOutputStream
import java.io.File
import java.io.IOException
import java.io.InputStream
import java.nio.file.Files
import java.nio.file.LinkOption.NOFOLLOW_LINKS
import java.security.MessageDigest

/** Where a bundle's files come from: an app's assets, or a folder. */
fun interface Source {
    /** Opens a file. @throws IOException There is none. */
    @Throws(IOException::class)
    fun open(path: String): InputStream

    companion object {
        /** A folder; links in it are refused. */
        fun folder(folder: File): Source = Source { path ->
            val file = folder.toPath().resolve(path)
            if (!Files.isRegularFile(file, NOFOLLOW_LINKS)) throw IOException("$path: no plain file")
            Files.newInputStream(file, NOFOLLOW_LINKS)
        }
    }
}

/**
 * A bundle: every file is compared with the size and sha256 that `bundle.json` gives, before it is
 * used. What `bundle.json` says is only worth what its place, or its signature, is.
 */
class Bundle private constructor(private val source: Source, val contents: Contents) {
    /** A file's bytes. @throws RefusedException They are not what the bundle says. */
    fun read(path: String): ByteArray {
        val entry = contents.files[path] ?: throw RefusedException("${shown(path)} is not in this bundle")
        val bytes = bounded(source, path, entry.bytes)
        if (bytes.size.toLong() != entry.bytes || sha256(bytes) != entry.sha256) {
            throw RefusedException("$path was changed: its sha256 differs from the bundle's")
        }
        return bytes
    }

    internal fun json(path: String): Json = Json.parse(read(path), path)

    companion object {
        /**
         * Opens a bundle.
         *
         * @param key Public key (PEM, elliptic curve) of who must have signed it; without one digests
         *   alone are checked, which anybody can have made.
         * @throws RefusedException No bundle, or not by this key.
         */
        fun open(source: Source, key: String? = null): Bundle {
            val bytes = bounded(source, CONTENTS, MOST_CONTENTS_BYTES)
            val contents = Contents.parse(bytes)
            if (key != null) {
                checkSignature(bounded(source, SIGNATURE, MOST_SIGNATURE_BYTES), bytes, contents, key)
            }
            return Bundle(source, contents)
        }
    }
}

internal fun sha256(bytes: ByteArray): String = MessageDigest.getInstance("SHA-256").digest(bytes).toHexString()

/** A file's bytes, and never more than it may have: what is read is not trusted yet. */
private fun bounded(source: Source, path: String, most: Long): ByteArray {
    val made = ByteArrayOutputStream()
    val piece = ByteArray(1 shl 16)
    try {
        source.open(path).use { stream ->
            while (true) {
                val count = stream.read(piece)
                if (count < 0) return made.toByteArray()
                if (made.size() + count.toLong() > minOf(most, Int.MAX_VALUE - 8L)) {
                    throw RefusedException("$path is larger than the $most bytes it may have")
                }
                made.write(piece, 0, count)
            }
        }
    } catch (error: IOException) {
        throw RefusedException("$path cannot be read: ${error.message}", error)
    }
}
