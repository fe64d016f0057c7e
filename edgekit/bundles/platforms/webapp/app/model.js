// The whole way of a sample: preprocessing, the file's own numbers, the model, and the answer. The
// model computes in a worker of its own.
import { answerOf } from "./answer.js";
import { bytesOf } from "./compute/tensors.js";
import { ARRAYS, real, taken } from "./numbers.js";
import { prepare, toPicture } from "./pictures.js";
import { wave } from "./sounds.js";
import { tokens } from "./texts.js";
import { WordPiece } from "./wordpiece.js";

const MOST_THREADS = 4;
const RUNTIMES = { tflite: "litert-js", onnx: "onnxruntime-web" };

export class Model {
  /**
   * Load a model of a bundle. Each file is verified before it is used. An artifact that cannot be
   * loaded is passed over for the next, unless it was named.
   *
   * @param {import("./verify.js").Bundle} bundle Opened.
   * @param {{artifact?: string, classes?: string[]}} choice An artifact's label; or classes of device,
   *   the first of which that the bundle names an artifact for counts.
   * @returns {Promise<Model>} With `why` this artifact, and those that were `passed` over:
   *   `{label, why}`.
   */
  static async open(bundle, { artifact, classes = [] } = {}) {
    const { artifacts, choice, files } = bundle.contents;
    const named = (label) => artifacts.find((one) => one.label === label);
    if (artifact && !named(artifact)) throw new Error(`no artifact ${artifact} in this bundle`);
    const known = classes.find((one) => Object.hasOwn(choice, one) && named(choice[one]));
    const first = artifact ?? choice[known] ?? artifacts[0].label;
    const rest = artifact ? [] : artifacts.filter(({ label }) => label !== first);
    const why = artifact
      ? "it was asked for"
      : known
        ? `the bundle names it for ${known}`
        : "the first of the bundle";
    const contract = await bundle.json("contract.json");
    const labels = files["labels.txt"]
      ? new TextDecoder().decode(await bundle.read("labels.txt")).split("\n").filter(Boolean)
      : [];
    const wordpiece = await wordpieceOf(bundle, contract.inputs[0].tokenizer);
    const passed = [];
    for (const held of [named(first), ...rest]) {
      const file = await bundle.read(held.file); // what was changed is no reason to take another
      const model = new Model(bundle, held, contract, labels);
      try {
        await model.#load(file);
        const reason = passed.length ? "the first that could be loaded" : why;
        return Object.assign(model, { why: reason, passed, wordpiece });
      } catch (error) {
        model.close();
        passed.push({ label: held.label, why: error.message });
      }
    }
    throw new Error(passed.map((one) => `${one.label} cannot be loaded: ${one.why}`).join("; "));
  }

  #worker = new Worker(new URL("./compute/worker.js", import.meta.url));
  #waiting = [];
  #loaded = null;

  constructor(bundle, held, contract, labels) {
    Object.assign(this, { bundle, held, contract, labels });
    this.tensors = contract.artifacts[held.label];
    this.#worker.onmessage = ({ data }) => {
      const { resolve, reject } = this.#waiting.shift();
      if (data.error) reject(new Error(data.error.message));
      else resolve(data);
    };
    this.#worker.onerror = (event) => {
      event.preventDefault();
      const error = new Error(event.message || "the model's worker ended");
      this.#waiting.splice(0).forEach(({ reject }) => reject(error));
    };
  }

  get runtime() {
    return RUNTIMES[this.held.target];
  }

  /** Of ONNX Runtime where headers isolate the page; LiteRT.js has another build for them. */
  get threads() {
    if (!self.crossOriginIsolated || this.held.target !== "onnx") return 1;
    return Math.min(MOST_THREADS, navigator.hardwareConcurrency || 1);
  }

  close() {
    this.#worker.terminate();
  }

  /** Objects or classes in RGBA pixels [height, width, 4], best first; boxes in 0–1 of the picture. */
  async seen(rgba, width, height) {
    const [spec] = this.contract.inputs;
    const { sample, fit } = prepare(rgba, width, height, spec);
    const found = await this.#predict({ [spec.name]: sample });
    return { ...found, boxes: found.boxes?.map((box) => toPicture(box, fit)) };
  }

  /** Classes of a text, best first. */
  read(text) {
    const [spec] = this.contract.inputs;
    return this.#predict({ [spec.name]: this.tokens(text) });
  }

  /** What a text becomes before it is read. */
  tokens(text) {
    const [spec] = this.contract.inputs;
    const numbers = tokens(text, spec, this.wordpiece);
    return spec.dtype === "int32" ? numbers : ARRAYS[spec.dtype].from(numbers, numberOf(spec.dtype));
  }

  /** Classes of a sound, best first: samples in −1…1, at the rate of the contract. */
  heard(samples) {
    const [spec] = this.contract.inputs;
    return this.#predict({ [spec.name]: wave(samples, spec) });
  }

  async #predict(sample) {
    const { outputs, callMs } = await this.run(sample);
    return { ...answerOf(this.contract.answer, outputs), callMs };
  }

  /**
   * Outputs in real values of a sample in the model's units.
   *
   * @param {Object<string, TypedArray>} sample By input name.
   * @returns {Promise<{outputs: Array, callMs: number}>} In the order of the contract; and how long
   *   this one call took, from handing over the sample until the outputs were here.
   */
  async run(sample) {
    const dtypes = Object.fromEntries(this.contract.inputs.map((one) => [one.name, one.dtype]));
    const inputs = inOrderOf(this.#loaded.inputs, this.tensors.inputs);
    const fed = inputs.map((tensor) => taken(sample[tensor.name], dtypes[tensor.name], tensor));
    const tensors = inputs.map(({ dtype, shape }, at) => ({
      dtype,
      shape,
      bytes: fed[at].byteLength,
    }));
    const body = bytesOf(fed);
    const start = performance.now();
    const { answer, raw } = await this.#ask({ step: "run", count: 1, tensors }, body);
    const callMs = performance.now() - start;
    let at = 0;
    const given = this.#loaded.outputs.map(({ dtype }, index) => {
      const { shape } = answer.outputs[index];
      const bytes = shape.reduce((all, size) => all * size, ARRAYS[dtype].BYTES_PER_ELEMENT);
      return { dtype, shape, array: new ARRAYS[dtype](raw.slice(at, (at += bytes))) };
    });
    const order = inOrderOf(this.tensors.outputs, this.#loaded.outputs.map((one, i) => ({ ...one, i })));
    const outputs = this.tensors.outputs.map((tensor, index) => {
      const { dtype, shape, array } = given[order[index].i];
      return { name: tensor.name, shape: shape.slice(1), array: real(array, dtype, tensor) };
    });
    return { outputs, callMs };
  }

  async #load(bytes) {
    if (!this.runtime) throw new Error(`${this.held.target} files don't run in a browser`);
    const body = bytes.slice().buffer;
    const { sha256 } = this.bundle.contents.files[this.held.file];
    const file = { bytes: bytes.length, sha256 };
    const step = { step: "load", runtime: this.runtime, backend: "wasm", threads: this.threads, file };
    this.#loaded = (await this.#ask(step, body)).answer;
  }

  #ask(step, body) {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.#worker.postMessage({ step, body }, body ? [body] : []);
    });
  }
}

const numberOf = (dtype) => (dtype === "int64" ? BigInt : Number);

async function wordpieceOf(bundle, tokenizer) {
  if (!tokenizer?.startsWith("wordpiece:")) return null;
  const table = await bundle.json("wordpiece.json");
  if (table.version !== 1 || `wordpiece:${table.sha256}` !== tokenizer) {
    throw new Error("wordpiece.json is of another version, or for another tokenizer");
  }
  return new WordPiece(table);
}

// `tensors` in the order of `wanted`: by name where names are the same, else as they are.
function inOrderOf(wanted, tensors) {
  const named = wanted.map(({ name }) => tensors.find((one) => one.name === name));
  return named.every(Boolean) ? named : tensors;
}
