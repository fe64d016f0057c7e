package edgekit.bundle_name

import java.security.GeneralSecurityException
import java.security.KeyFactory
import java.security.Signature
import java.security.interfaces.ECPublicKey
import java.security.spec.X509EncodedKeySpec
import java.util.Base64

/**
 * Refuses a bundle that was not signed with the private half of a key.
 *
 * The signature is a Sigstore bundle with a DSSE envelope around the digest of every file, as the
 * OpenSSF Model Signing specification has it.
 *
 * @param contentsBytes `bundle.json` as it lies there; [contents] is what it says.
 */
internal fun checkSignature(signature: ByteArray, contentsBytes: ByteArray, contents: Contents, key: String) {
    val publicKey = publicKeyOf(key)
    val listed = try {
        statementOf(signature, publicKey)
    } catch (error: RefusedException) {
        throw error
    } catch (error: ModelException) {
        refuse("bundle.sig has another form", error)
    } catch (error: IllegalArgumentException) { // of Base64
        refuse("bundle.sig has another form", error)
    } catch (error: GeneralSecurityException) {
        refuse("it does not fit", error)
    }
    val own = contents.files.mapValues { (_, entry) -> entry.sha256 } + (CONTENTS to sha256(contentsBytes))
    if (listed.size != own.size) refuse("it is of other files")
    own.forEach { (path, digest) -> if (listed[path] != digest) refuse("$path differs") }
}

/** Path → sha256 of what was signed. */
private fun statementOf(bytes: ByteArray, key: ECPublicKey): Map<String, String> {
    val envelope = Json.parse(bytes, SIGNATURE)["dsseEnvelope"]
    val type = envelope["payloadType"].text()
    val payload = Base64.getDecoder().decode(envelope["payload"].text())
    val signatures = envelope["signatures"].items()
    if (signatures.size != 1) refuse("bundle.sig has ${signatures.size} signatures")
    val verifier = Signature.getInstance("SHA${hashBits(key)}withECDSA")
    verifier.initVerify(key)
    verifier.update("DSSEv1 ${type.encodeToByteArray().size} $type ${payload.size} ".encodeToByteArray())
    verifier.update(payload)
    if (!verifier.verify(Base64.getDecoder().decode(signatures.first()["sig"].text()))) refuse("it does not fit")
    val listed = HashMap<String, String>()
    for (one in Json.parse(payload, SIGNATURE)["predicate"]["resources"].items()) {
        val path = one["name"].text()
        if (one["algorithm"].text() != "sha256" || listed.put(path, one["digest"].text()) != null) {
            refuse("${shown(path)} is listed otherwise")
        }
    }
    return listed
}

private fun publicKeyOf(pem: String): ECPublicKey = try {
    val der = Base64.getMimeDecoder().decode(pem.replace(Regex("-----[A-Z ]+-----"), ""))
    KeyFactory.getInstance("EC").generatePublic(X509EncodedKeySpec(der)) as ECPublicKey
} catch (error: GeneralSecurityException) {
    throw ModelException("the key is no public key of an elliptic curve (PEM)", error)
} catch (error: IllegalArgumentException) {
    throw ModelException("the key is no public key of an elliptic curve (PEM)", error)
}

private fun hashBits(key: ECPublicKey): Int = when (val bits = key.params.order.bitLength()) {
    256 -> 256
    384 -> 384
    521 -> 512
    else -> throw ModelException("a key of $bits bits; 256, 384 and 521 are known")
}

private fun refuse(why: String, cause: Throwable? = null): Nothing =
    throw RefusedException("the signature is not by this key, or the bundle was changed: $why", cause)
