// A bundle's files, each compared with the size and sha256 that bundle.json gives before it is used;
// and who signed it. What bundle.json says is only worth what its place or its signature is.
import { sha256 } from "./compute/sha256.js";
import "./signature.js";

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
   * @param {{key?: string}} trust Public key (PEM, elliptic curve) of who must have signed it;
   *   without one digests alone are checked.
   */
  static async open(base, { key } = {}) {
    const bytes = await fetched(new URL("bundle.json", base), MOST_CONTENTS_BYTES);
    const contents = contentsOf(bytes);
    if (key) {
      const signature = await fetched(new URL("bundle.sig", base), MOST_SIGNATURE_BYTES, "bundle.sig");
      const files = { ...contents.files, "bundle.json": { sha256: await digestOf(bytes) } };
      await self.checkSignature(key, signature, files).catch((error) => {
        throw new RefusedError(error.message);
      });
    }
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
