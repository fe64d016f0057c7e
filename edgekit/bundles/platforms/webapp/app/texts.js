// From a text to tokens: UTF-8 bytes plus one, cut at the input's length, filled up with 0.

export function tokens(text, spec) {
  if (spec.tokenizer !== "bytes") throw new Error(`tokens by ${spec.tokenizer} are not known here`);
  const made = new Int32Array(spec.length);
  // A lone surrogate is no text and becomes "?"; characters, not halves of them, are counted.
  const characters = Array.from(text).slice(0, spec.length);
  const plain = characters.map((one) => (/^[\ud800-\udfff]$/.test(one) ? "?" : one)).join("");
  const bytes = new TextEncoder().encode(plain).subarray(0, spec.length);
  bytes.forEach((byte, at) => (made[at] = byte + 1));
  return made;
}
