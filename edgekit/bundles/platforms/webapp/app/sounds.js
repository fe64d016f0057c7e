// From a WAV file or recorded samples to a sample of the model. As `edgekit/datasets/wav.py`: PCM of
// 8 to 32 bits, channels averaged, cut or filled up with silence. Knows arrays; resamples nothing.
import { ARRAYS } from "./numbers.js";

const PCM = 1;
const EXTENSIBLE = 0xfffe;
const PCM_GUID = "0100000000001000800000aa00389b71";
const MOST_CHANNELS = 64;

export class WavError extends Error {}

/** The file's rate is not the wanted one: a browser can resample it. */
export class RateError extends WavError {}

/**
 * The beginning of a WAV file.
 *
 * @param {Uint8Array} bytes The whole file.
 * @param {number} length Instants wanted at most.
 * @param {number} rateHz Instants a second that it must have; 0 takes any.
 * @returns {Float32Array} One channel in −1…1, as many instants as there are, at most `length`.
 */
export function readWav(bytes, length, rateHz = 0) {
  const { channels, rate, width, at, size, end } = headerOf(bytes);
  if (rateHz && rate !== rateHz) {
    throw new RateError(`${rate} Hz; the model takes ${rateHz} Hz`);
  }
  const frame = channels * width;
  const count = Math.min(length, Math.floor(size / frame));
  if (at + count * frame > Math.min(end, at + size)) throw new WavError("the file is cut short");
  const read = readerOf(new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), width);
  const sound = new Float32Array(count);
  for (let instant = 0, from = at; instant < count; instant++) {
    let sum = 0; // exact: 64 channels of 32 bits need 38
    for (let c = 0; c < channels; c++, from += width) sum += read(from);
    sound[instant] = sum / channels;
  }
  return sound;
}

/** Samples in −1…1 at the input's rate as the model takes them: flat, `spec.length` of them. */
export function wave(samples, spec) {
  const sound = new Float32Array(spec.length);
  sound.set(samples.subarray(0, spec.length));
  const [low, high] = spec.range;
  if (low !== -1 || high !== 1) {
    // In float32, as numpy computes it.
    const [least, half] = [Math.fround(low), Math.fround((high - low) / 2)];
    for (let i = 0; i < sound.length; i++) {
      sound[i] = least + Math.fround(Math.fround(sound[i] + 1) * half);
    }
  }
  return spec.dtype === "float32" ? sound : new ARRAYS[spec.dtype](sound);
}

function headerOf(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const name = (at) => String.fromCharCode(...bytes.subarray(at, at + 4));
  if (bytes.length < 12 || name(0) !== "RIFF" || name(8) !== "WAVE") {
    throw new WavError("no WAV file");
  }
  const whole = 8 + view.getUint32(4, true);
  const end = Math.min(whole, bytes.length);
  let format = null;
  for (let at = 12; at + 8 <= end; ) {
    const size = view.getUint32(at + 4, true);
    const body = at + 8;
    if (name(at) === "data") {
      if (!format) break;
      return { ...format, at: body, size, end };
    }
    if (name(at) === "fmt ") {
      if (size < 16 || body + 16 > end) break;
      format = formatOf(view, body, Math.min(size, end - body));
    }
    at = body + size + (size & 1);
    if (at > whole) break;
  }
  throw new WavError("a WAV file without sound, or a damaged one");
}

function formatOf(view, at, size) {
  const tag = view.getUint16(at, true);
  const isPcm = tag === PCM || (tag === EXTENSIBLE && size >= 40 && guidOf(view, at + 24) === PCM_GUID);
  if (!isPcm) throw new WavError("this WAV file holds no plain PCM");
  const channels = view.getUint16(at + 2, true);
  const rate = view.getUint32(at + 4, true);
  const width = (view.getUint16(at + 14, true) + 7) >> 3;
  if (channels < 1 || channels > MOST_CHANNELS || rate < 1 || width < 1 || width > 4) {
    throw new WavError(`${channels} channels of ${8 * width} bits at ${rate} Hz are not read`);
  }
  return { channels, rate, width };
}

function guidOf(view, at) {
  const hex = (_, i) => view.getUint8(at + i).toString(16).padStart(2, "0");
  return Array.from({ length: 16 }, hex).join("");
}

function readerOf(view, width) {
  if (width === 1) return (at) => (view.getUint8(at) - 128) / 128;
  if (width === 2) return (at) => view.getInt16(at, true) / 2 ** 15;
  if (width === 3) return (at) => ((view.getUint16(at, true) | (view.getInt8(at + 2) << 16)) / 2 ** 23);
  return (at) => view.getInt32(at, true) / 2 ** 31;
}
