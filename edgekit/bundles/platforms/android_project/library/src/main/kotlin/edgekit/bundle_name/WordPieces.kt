package edgekit.bundle_name

/** Placeholder until wordpiece.json lands. */
internal class WordPieces

internal fun wordPiecesOf(bundle: Bundle, inputs: List<Input>): WordPieces? = null

internal fun tokens(text: String, input: Input, pieces: WordPieces?): Tensor = byteTokens(text, input)
