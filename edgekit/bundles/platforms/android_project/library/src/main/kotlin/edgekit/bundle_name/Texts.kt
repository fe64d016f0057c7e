package edgekit.bundle_name

/** Tokens as the input takes them, filled up with 0; [pieces] where its tokenizer has a vocabulary. */
internal fun tokens(text: String, input: Input, pieces: WordPiece?): Tensor {
    val length = checkNotNull(input.text).length
    val found = pieces?.tokens(text, length) ?: bytes(text, length)
    return Tensor.made(input.dtype, input.shape) { if (it < found.size) found[it].toDouble() else 0.0 }
}

/** The vocabulary that an input needs. @throws ModelException It is another tokenizer's. */
internal fun wordPieceOf(bundle: Bundle, input: Input?): WordPiece? {
    val tokenizer = input?.text?.tokenizer ?: return null
    if (tokenizer == "bytes") return null
    val json = bundle.json("wordpiece.json")
    if (json["version"].integer() != 1L || tokenizer != "wordpiece:${json["sha256"].text()}") {
        throw ModelException("wordpiece.json is not of the tokenizer ${shown(tokenizer)}")
    }
    return WordPiece(json)
}

/** UTF-8 bytes plus one. */
private fun bytes(text: String, length: Int): List<Int> {
    val plain = characters(text, length.toLong()).let { String(it, 0, it.size) }
    return plain.encodeToByteArray().take(length).map { (it.toInt() and 255) + 1 }
}

/** The first characters, not halves of them; a lone half is no text and becomes "?". */
internal fun characters(text: String, most: Long): IntArray =
    text.codePoints().limit(most).map { if (it in 0xD800..0xDFFF) '?'.code else it }.toArray()
