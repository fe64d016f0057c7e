package edgekit.bundle_name

/** UTF-8 bytes plus one, cut at the input's length, filled up with 0. */
internal fun byteTokens(text: String, input: Input): Tensor {
    val length = checkNotNull(input.text).length
    // Characters, not halves of them, are counted; a lone half is no text and becomes "?".
    val plain = StringBuilder()
    var at = 0
    var characters = 0
    while (at < text.length && characters < length) {
        val character = text.codePointAt(at)
        plain.appendCodePoint(if (character in 0xD800..0xDFFF) '?'.code else character)
        at += Character.charCount(character)
        characters += 1
    }
    val bytes = plain.toString().encodeToByteArray()
    return Tensor.made(input.dtype, input.shape) { index ->
        if (index < minOf(bytes.size, length)) (bytes[index].toInt() and 255) + 1.0 else 0.0
    }
}
