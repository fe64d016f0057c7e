// docs/update.md in another language, with nothing but what Node brings: DELTA OLD NEW.
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { inflateRawSync } from "node:zlib";

/** Name → bytes, as the list at the end of a ZIP says. */
function unzip(zip) {
  const entries = new Map();
  let place = zip.readUInt32LE(zip.length - 6);
  for (let count = zip.readUInt16LE(zip.length - 12); count > 0; count--) {
    const packed = zip.readUInt32LE(place + 20);
    const nameLength = zip.readUInt16LE(place + 28);
    const header = zip.readUInt32LE(place + 42);
    const name = zip.toString("utf8", place + 46, place + 46 + nameLength);
    const begin = header + 30 + zip.readUInt16LE(header + 26) + zip.readUInt16LE(header + 28);
    const data = zip.subarray(begin, begin + packed);
    entries.set(name, zip.readUInt16LE(place + 10) === 8 ? inflateRawSync(data) : data);
    place += 46 + nameLength + zip.readUInt16LE(place + 30) + zip.readUInt16LE(place + 32);
  }
  return entries;
}

function applySteps(old, steps, size) {
  const made = Buffer.alloc(size);
  const count = steps.readUInt32LE(0);
  let difference = 4 + 12 * count;
  let extra = difference;
  for (let step = 0; step < count; step++) extra += steps.readUInt32LE(4 + 12 * step);
  let at = 0;
  let place = 0;
  for (let step = 0; step < count; step++) {
    const add = steps.readUInt32LE(4 + 12 * step);
    const copy = steps.readUInt32LE(8 + 12 * step);
    for (let i = 0; i < add; i++) made[at++] = old[place++] + steps[difference++];
    at += steps.copy(made, at, extra, extra + copy);
    extra += copy;
    place += steps.readInt32LE(12 + 12 * step);
  }
  return made;
}

const [delta, old, target] = process.argv.slice(2);
const entries = unzip(readFileSync(delta));
const index = JSON.parse(entries.get("update.json").toString());
for (const [path, part] of Object.entries(index.files)) {
  const source = part.from ? readFileSync(join(old, part.from)) : null;
  const content =
    part.how === "kept" ? source
    : part.how === "whole" ? entries.get(`whole/${path}`)
    : applySteps(source, entries.get(`steps/${path}`), part.bytes);
  if (createHash("sha256").update(content).digest("hex") !== part.sha256) throw new Error(path);
  mkdirSync(dirname(join(target, path)), { recursive: true });
  writeFileSync(join(target, path), content);
}
