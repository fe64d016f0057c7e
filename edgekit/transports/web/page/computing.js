// The steps of one model: load, begin, block, work, run, placed, facts. Checks what it was sent, times and
// feeds; which runtime computes is not known here.
import { sha256 } from "./sha256.js";
import { arraysOf, bytesOf } from "./tensors.js";
import { callsPerSample, resolutionNs, timeCalls, untilOver } from "./timing.js";

let model = null;
let arrays = null; // What timed calls are fed.
let group = 1;

const steps = {
  async probe() {
    return { answer: { resolution_ns: resolutionNs(), gpu: await adapter() } };
  },

  async load({ runtime, backend, threads, file }, body) {
    const bytes = new Uint8Array(body);
    if (bytes.length !== file.bytes || sha256(bytes) !== file.sha256) {
      throw Object.assign(new Error("the model arrived damaged: its sha256 differs"), {
        kind: "device",
      });
    }
    const { open } = await import(runtime === "litert-js" ? "./litert.js" : "./ort.js");
    model = await open(bytes, { backend, threads });
    const { loadNs, inputs, outputs, facts } = model;
    return { answer: { load_ns: loadNs, inputs, outputs, facts } };
  },

  async begin({ warmup_calls: calls, tensors }, body) {
    [arrays] = arraysOf(tensors, body, 1);
    const first = await timeCalls(model, arrays, { seconds: 0, atLeast: 1, group: 1 });
    const warmup = calls
      ? (await timeCalls(model, arrays, { seconds: 0, atLeast: calls, group: 1 })).samples
      : [];
    group = await callsPerSample(model, arrays);
    return {
      answer: { first_ns: first.calls[0], warmup_ns: warmup, calls_per_sample: group },
    };
  },

  async block({ seconds, min_calls: atLeast }) {
    const { samples, calls } = await timeCalls(model, arrays, { seconds, atLeast, group });
    return {
      answer: { samples_ns: samples, call_ns: calls, cpu_ns: new Array(samples.length).fill(0) },
    };
  },

  async work({ seconds }) {
    await untilOver(model, arrays, seconds);
    return { answer: {} };
  },

  async run({ count, tensors }, body) {
    const given = [];
    let shapes = null;
    for (const sample of arraysOf(tensors, body, count)) {
      const fed = model.set(sample);
      const got = await model.invoke(fed);
      const outputs = await model.read(got);
      model.drop(fed, got);
      const found = outputs.map(({ shape }) => shape);
      shapes ??= found;
      if (JSON.stringify(found) !== JSON.stringify(shapes)) {
        throw new Error(`outputs of different shapes: ${JSON.stringify([shapes, found])}`);
      }
      given.push(...outputs.map(({ array }) => array));
    }
    return { answer: { outputs: shapes.map((shape) => ({ shape })) }, raw: bytesOf(given) };
  },

  async placed() {
    const unavailable = "this runtime tells no op's place in a browser";
    return { answer: model.placed ? await model.placed() : { unavailable } };
  },

  async facts() {
    return { answer: { placement: await model.placement() } };
  },
};

export function handle(step, body) {
  const known = Object.hasOwn(steps, step.step) ? steps[step.step] : null;
  if (!known) throw new Error(`no such step: ${step.step}`);
  if (!model && !["probe", "load"].includes(step.step)) throw new Error("no model is loaded");
  return known(step, body);
}

async function adapter() {
  const found = await navigator.gpu?.requestAdapter?.({ powerPreference: "high-performance" });
  if (!found) return null;
  const { vendor, architecture, device, description, isFallbackAdapter } = found.info ?? {};
  return {
    vendor: vendor ?? "",
    architecture: architecture ?? "",
    device: device ?? "",
    description: description ?? "",
    fallback: Boolean(isFallbackAdapter ?? found.isFallbackAdapter),
  };
}
