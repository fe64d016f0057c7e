// A bundle's files, each compared with the size and sha256 that bundle.json gives before it is used;
// and who signed it. What bundle.json says is only worth what its place or its signature is.
import { sha256 } from "./compute/sha256.js";

const MOST_CONTENTS_BYTES = 4 * 1024 ** 2;
const MOST_SIGNATURE_BYTES = 4 * 1024 ** 2;
const MOST_BYTES = 4 * 1024 ** 3;
const PATH = /^[A-Za-z0-9_@+][A-Za-z0-9._@+-]*(\/[A-Za-z0-9_@+][A-Za-z0-9._@+-]*){0,15}$/;

export class RefusedError extends Error {}

/** sha256 in hex, by the browser where it offers it. */
export async function digestOf(bytes) {
  if (!globalThis.crypto?.subtle) return sha256(bytes);
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

export class Bundle {
  /**
   * Open a bundle where it is served.
   *
   * @param {string|URL} base Address of its folder.
   * @param {{key?: string}} trust Public key (PEM, ECDSA P-256) of who must have signed it; without
   *   one digests alone are checked.
   */
  static async open(base, { key } = {}) {
    const bytes = await fetched(new URL("bundle.json", base), MOST_CONTENTS_BYTES);
    const contents = contentsOf(bytes);
    if (key) await checkSignature(base, bytes, contents, key);
    return new Bundle(base, contents);
  }

  constructor(base, contents) {
    Object.assign(this, { base, contents });
  }

  /** A file's bytes; refused unless they are what the bundle says. */
  async read(path) {
    const entry = Object.hasOwn(this.contents.files, path) ? this.contents.files[path] : null;
    if (!entry) throw new RefusedError(`${path} is not in this bundle`);
    const bytes = await fetched(new URL(path, this.base), entry.bytes, path);
    if (bytes.length !== entry.bytes || (await digestOf(bytes)) !== entry.sha256) {
      throw new RefusedError(`${path} was changed: its sha256 differs from the bundle's`);
    }
    return bytes;
  }

  async json(path) {
    return JSON.parse(new TextDecoder().decode(await this.read(path)));
  }

  /** Read files, all by default, once; the first that was changed is refused. */
  async verify(paths = Object.keys(this.contents.files), told = () => {}) {
    for (const [done, path] of paths.entries()) {
      told(done);
      await this.read(path);
    }
  }
}

function contentsOf(bytes) {
  let contents;
  try {
    contents = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    throw new RefusedError("bundle.json is not valid JSON");
  }
  const { format, files, artifacts, choice } = contents ?? {};
  const isObject = (one) => one !== null && typeof one === "object" && !Array.isArray(one);
  if (format !== 1 || !isObject(files) || !Array.isArray(artifacts) || !isObject(choice)) {
    throw new RefusedError("bundle.json is of a form that is not known here");
  }
  for (const [path, entry] of Object.entries(files)) {
    if (!PATH.test(path) || path.length > 200) {
      throw new RefusedError(`${JSON.stringify(path).slice(0, 200)} is no path inside a bundle`);
    }
    const size = entry?.bytes;
    if (!/^[0-9a-f]{64}$/.test(entry?.sha256) || !Number.isInteger(size) || size < 0 || size > MOST_BYTES) {
      throw new RefusedError(`${path}: no digest and size in bundle.json`);
    }
  }
  for (const { file } of artifacts) {
    if (!Object.hasOwn(files, file)) throw new RefusedError(`the artifact ${file} is not in it`);
  }
  return contents;
}

// Bytes of an answer, and never more than it may have.
async function fetched(url, most, name = "bundle.json") {
  const answer = await fetch(url, { redirect: "error", cache: "no-cache" });
  if (!answer.ok) throw new RefusedError(`${name} is not there (${answer.status})`);
  const pieces = [];
  let size = 0;
  const reader = answer.body?.getReader();
  for (let piece; reader && !(piece = await reader.read()).done; ) {
    size += piece.value.length;
    if (size > most) {
      await reader.cancel();
      throw new RefusedError(`${name} is larger than the ${most} bytes it may have`);
    }
    pieces.push(piece.value);
  }
  const whole = new Uint8Array(size);
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}

/**
 * Refuse a bundle that was not signed with the private half of a key: a Sigstore bundle with a DSSE
 * envelope around the digest of every file, as the OpenSSF Model Signing specification has it.
 */
export async function checkSignature(base, contentsBytes, contents, key) {
  if (!globalThis.crypto?.subtle) throw new RefusedError("signatures need https or localhost");
  const refuse = (why) => {
    throw new RefusedError(`the signature is not by this key, or the bundle was changed: ${why}`);
  };
  const name = "bundle.sig";
  const bytes = await fetched(new URL(name, base), MOST_SIGNATURE_BYTES, name);
  let envelope, payload, statement;
  try {
    envelope = JSON.parse(new TextDecoder().decode(bytes)).dsseEnvelope;
    payload = fromBase64(envelope.payload);
    statement = JSON.parse(new TextDecoder().decode(payload));
  } catch {
    refuse("bundle.sig has another form");
  }
  const spki = fromBase64(key.replace(/-----[A-Z ]+-----|\s/g, ""));
  const curve = { name: "ECDSA", namedCurve: "P-256" };
  const publicKey = await crypto.subtle.importKey("spki", spki, curve, false, ["verify"]);
  const type = new TextEncoder().encode(envelope.payloadType);
  const head = `DSSEv1 ${type.length} ${envelope.payloadType} ${payload.length} `;
  const signed = new Uint8Array([...new TextEncoder().encode(head), ...payload]);
  const rs = plainSignature(fromBase64(envelope.signatures?.[0]?.sig ?? ""));
  const algorithm = { name: "ECDSA", hash: "SHA-256" };
  if (!rs || !(await crypto.subtle.verify(algorithm, publicKey, rs, signed))) refuse("it does not fit");
  const listed = new Map();
  for (const { name: path, digest, algorithm: kind } of statement.predicate?.resources ?? []) {
    if (kind !== "sha256" || listed.has(path)) refuse(`${path} is listed otherwise`);
    listed.set(path, digest);
  }
  const own = { ...contents.files, "bundle.json": { sha256: await digestOf(contentsBytes) } };
  if (listed.size !== Object.keys(own).length) refuse("it is of other files");
  for (const [path, entry] of Object.entries(own)) {
    if (listed.get(path) !== entry.sha256) refuse(`${path} differs`);
  }
}

function fromBase64(text) {
  return Uint8Array.from(atob(text), (one) => one.charCodeAt(0));
}

// Two integers in DER to 32 bytes each, as WebCrypto takes them; null where it is none.
function plainSignature(der) {
  const made = new Uint8Array(64);
  if (der[0] !== 0x30 || der[1] !== der.length - 2) return null;
  let at = 2;
  for (const end of [32, 64]) {
    if (der[at] !== 2) return null;
    const size = der[at + 1];
    const whole = der.subarray(at + 2, at + 2 + size);
    const number = whole.subarray(whole.findIndex((byte) => byte !== 0));
    if (whole.length !== size || number.length > 32) return null;
    made.set(number, end - number.length);
    at += 2 + size;
  }
  return at === der.length ? made : null;
}
