// Sound from files of any format that the browser reads, and from the microphone: one channel at the
// rate that a model takes. What has another rate is resampled by the browser, and told so.
import { readWav, WavError } from "./sounds.js";

/**
 * Sound of a file. A WAV file of PCM at the right rate is read to the bit as edgekit reads it.
 *
 * @param {Uint8Array} bytes The file.
 * @param {{length: number, rate_hz: number}} spec An input of the contract, of kind "sound".
 * @returns {Promise<{samples: Float32Array, resampled: boolean}>}
 */
export async function soundOf(bytes, spec) {
  try {
    return { samples: readWav(bytes, spec.length, spec.rate_hz), resampled: false };
  } catch (error) {
    if (!(error instanceof WavError)) throw error;
    const context = new OfflineAudioContext(1, 1, spec.rate_hz);
    const decoded = await context.decodeAudioData(bytes.slice().buffer).catch(() => {
      throw new Error(`This file is no sound that this browser reads: ${error.message}.`);
    });
    return { samples: mono(decoded).slice(0, spec.length), resampled: true };
  }
}

/** The microphone, until the model has as much as it takes. */
export class Microphone {
  #context = null;
  #stream = null;
  #done = null;

  get runs() {
    return this.#context !== null;
  }

  /**
   * Record `seconds`, or until `stop` is called.
   *
   * @returns {Promise<{samples: Float32Array, resampled: boolean}>} At `spec.rate_hz`.
   */
  async record(spec, told = () => {}) {
    if (!navigator.mediaDevices) throw new Error("it needs https or localhost");
    const plain = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
    this.#stream = await navigator.mediaDevices.getUserMedia({ audio: plain, video: false });
    this.#context = new AudioContext();
    const { sampleRate } = this.#context;
    const wanted = Math.ceil((spec.length / spec.rate_hz) * sampleRate);
    const parts = [];
    let count = 0;
    try {
      await this.#context.audioWorklet.addModule(new URL("./recorder.js", import.meta.url));
      const recorder = new AudioWorkletNode(this.#context, "recorder", { numberOfOutputs: 0 });
      await new Promise((resolve) => {
        this.#done = resolve;
        recorder.port.onmessage = ({ data }) => {
          parts.push(data);
          count += data.length;
          told(Math.min(1, count / wanted));
          if (count >= wanted) resolve();
        };
        this.#context.createMediaStreamSource(this.#stream).connect(recorder);
      });
    } finally {
      for (const track of this.#stream.getTracks()) track.stop();
      await this.#context.close();
      this.#context = this.#stream = this.#done = null;
    }
    if (count === 0) throw new Error("it gave no sound");
    const buffer = new AudioBuffer({ length: count, sampleRate });
    let at = 0;
    for (const part of parts) {
      buffer.copyToChannel(part, 0, at);
      at += part.length;
    }
    const samples = mono(await resampled(buffer, spec.rate_hz)).slice(0, spec.length);
    return { samples, resampled: sampleRate !== spec.rate_hz };
  }

  stop() {
    this.#done?.();
  }
}

async function resampled(buffer, rateHz) {
  if (buffer.sampleRate === rateHz) return buffer;
  const length = Math.max(1, Math.ceil(buffer.duration * rateHz));
  const context = new OfflineAudioContext(buffer.numberOfChannels, length, rateHz);
  const source = new AudioBufferSourceNode(context, { buffer });
  source.connect(context.destination);
  source.start();
  return context.startRendering();
}

function mono(buffer) {
  const channels = Array.from({ length: buffer.numberOfChannels }, (_, c) => buffer.getChannelData(c));
  if (channels.length === 1) return channels[0];
  return channels[0].map((_, at) => channels.reduce((sum, one) => sum + one[at], 0) / channels.length);
}
