// From a text to tokens, cut at the input's length and filled up with 0: UTF-8 bytes plus one, or
// pieces of words.
import { charactersOf } from "./wordpiece.js";

/** @param {import("./wordpiece.js").WordPiece|null} wordpiece Where the input's tokenizer is one. */
export function tokens(text, spec, wordpiece = null) {
  const made = new Int32Array(spec.length);
  if (spec.tokenizer === "bytes") {
    const plain = charactersOf(text, spec.length).join("");
    const bytes = new TextEncoder().encode(plain).subarray(0, spec.length);
    bytes.forEach((byte, at) => (made[at] = byte + 1));
  } else {
    if (!wordpiece) throw new Error(`tokens by ${spec.tokenizer} are not known here`);
    made.set(wordpiece.encode(text, spec.length));
  }
  return made;
}
