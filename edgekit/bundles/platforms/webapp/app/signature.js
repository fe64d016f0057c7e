// Who signed a bundle: a Sigstore bundle with a DSSE envelope around the digest of every file, as the
// OpenSSF Model Signing specification has it, by WebCrypto. A script for the page and its service
// worker.
{
  const CURVES = [
    { namedCurve: "P-256", hash: "SHA-256", bytes: 32 },
    { namedCurve: "P-384", hash: "SHA-384", bytes: 48 },
    { namedCurve: "P-521", hash: "SHA-512", bytes: 66 },
  ];

  /**
   * Refuse a bundle that was not signed with the private half of a key.
   *
   * @param {string} key Public key: PEM, an elliptic-curve key.
   * @param {Uint8Array} signature What bundle.sig holds.
   * @param {Object<string, {sha256: string}>} files Path → digest of every other file, bundle.json too.
   * @throws {Error} It was signed by another key, or is of other files.
   */
  self.checkSignature = async (key, signature, files) => {
    if (!self.crypto?.subtle) throw new Error("signatures need https or localhost");
    const refuse = (why) => {
      throw new Error(`the signature is not by this key, or the bundle was changed: ${why}`);
    };
    const { publicKey, hash, bytes } = await opened(key);
    let envelope, payload, statement;
    try {
      envelope = JSON.parse(new TextDecoder().decode(signature)).dsseEnvelope;
      payload = fromBase64(envelope.payload);
      statement = JSON.parse(new TextDecoder().decode(payload));
    } catch {
      refuse("bundle.sig has another form");
    }
    const type = new TextEncoder().encode(envelope.payloadType);
    const head = `DSSEv1 ${type.length} ${envelope.payloadType} ${payload.length} `;
    const signed = new Uint8Array([...new TextEncoder().encode(head), ...payload]);
    const rs = plainSignature(fromBase64(envelope.signatures?.[0]?.sig ?? ""), bytes);
    const algorithm = { name: "ECDSA", hash };
    if (!rs || !(await crypto.subtle.verify(algorithm, publicKey, rs, signed))) {
      refuse("it does not fit");
    }
    const listed = new Map();
    for (const { name, digest, algorithm: kind } of statement.predicate?.resources ?? []) {
      if (kind !== "sha256" || listed.has(name)) refuse(`${name} is listed otherwise`);
      listed.set(name, digest);
    }
    if (listed.size !== Object.keys(files).length) refuse("it is of other files");
    for (const [path, entry] of Object.entries(files)) {
      if (listed.get(path) !== entry.sha256) refuse(`${path} differs`);
    }
  };

  async function opened(key) {
    for (const { namedCurve, hash, bytes } of CURVES) {
      try {
        const spki = fromBase64(key.replace(/-----[A-Z ]+-----|\s/g, ""));
        const curve = { name: "ECDSA", namedCurve };
        return { publicKey: await crypto.subtle.importKey("spki", spki, curve, false, ["verify"]), hash, bytes };
      } catch {
        // Another curve.
      }
    }
    throw new Error("no public elliptic-curve key (PEM)");
  }

  function fromBase64(text) {
    return Uint8Array.from(atob(text), (one) => one.charCodeAt(0));
  }

  // Two integers in DER to fixed sizes, as WebCrypto takes them; null where it is none.
  function plainSignature(der, bytes) {
    const made = new Uint8Array(2 * bytes);
    let at = der[1] === 0x81 ? 3 : 2;
    if (der[0] !== 0x30 || der[at - 1] !== der.length - at) return null;
    for (const end of [bytes, 2 * bytes]) {
      if (der[at] !== 2) return null;
      const size = der[at + 1];
      const whole = der.subarray(at + 2, at + 2 + size);
      const first = whole.findIndex((byte) => byte !== 0);
      const number = first < 0 ? whole.subarray(size) : whole.subarray(first);
      if (whole.length !== size || number.length > bytes) return null;
      made.set(number, end - number.length);
      at += 2 + size;
    }
    return at === der.length ? made : null;
  }
}
