// ONNX Runtime Web: .onnx files in wasm or on WebGPU.
import { countDispatches } from "./litert.js";
import { ARRAYS } from "./tensors.js";

const PLACE = new URL("./runtimes/onnxruntime-web/", import.meta.url).href;
const EXECUTORS = {
  CPUExecutionProvider: "wasm",
  WebGpuExecutionProvider: "WebGPU",
  JsExecutionProvider: "WebGPU",
};

export async function open(bytes, { backend, threads }) {
  const onGpu = backend === "webgpu";
  const ort = await import(
    onGpu
      ? "./runtimes/onnxruntime-web/ort.webgpu.min.mjs"
      : "./runtimes/onnxruntime-web/ort.wasm.min.mjs"
  );
  ort.env.wasm.wasmPaths = PLACE;
  ort.env.wasm.numThreads = threads;
  const options = { executionProviders: [backend], graphOptimizationLevel: "all" };
  // The first session starts the runtime itself, which is not what loading a file costs.
  await (await ort.InferenceSession.create(NOTHING, { executionProviders: ["wasm"] })).release();
  const start = performance.now();
  const session = await ort.InferenceSession.create(bytes, options);
  const loadNs = Math.round((performance.now() - start) * 1e6);
  const described = (all) =>
    all.map(({ name, type, shape }) => ({
      name,
      dtype: type,
      shape: shape.map((size) => (Number.isInteger(size) && size >= 0 ? size : -1)),
    }));
  const inputs = described(session.inputMetadata);

  const model = {
    loadNs,
    inputs,
    outputs: described(session.outputMetadata),
    // Its `run` copies inputs and outputs itself, so a sample holds that.
    facts: { sample_is: "the whole call" },
    readInside: false, // `run` returns when the outputs are in memory.
    set: (arrays) =>
      Object.fromEntries(
        arrays.map(({ array, dtype, shape }, index) => [
          session.inputNames[index],
          new ort.Tensor(dtype, array, shape),
        ]),
      ),
    invoke: (fed) => session.run(fed),
    read: (got) =>
      session.outputNames.map((name) => ({ array: got[name].data, shape: got[name].dims })),
    drop(fed, got) {
      for (const tensor of [...Object.values(fed), ...Object.values(got)]) tensor.dispose();
    },
    async placement() {
      const found = await placed();
      if (!onGpu || !found.executors.WebGPU) return found;
      if (inputs.some(({ shape }) => shape.slice(1).some((size) => size < 0))) return found;
      const dispatches = await countDispatches(async () => {
        const fed = model.set(inputs.map(zeros));
        model.drop(fed, await model.invoke(fed));
      });
      const evidence = `${found.evidence}; ${dispatches} compute dispatches counted in one call`;
      return dispatches ? { ...found, evidence } : { ...found, delegated: 0, evidence };
    },
  };

  // A second session of the same file, which says where each node is; it would slow the first one.
  async function placed() {
    const from = self.said.length;
    const talking = await ort.InferenceSession.create(bytes, { ...options, logSeverityLevel: 0 });
    await talking.release();
    return readPlacement(self.said.slice(from), onGpu);
  }
  return model;
}

function zeros({ dtype, shape }) {
  const sizes = shape.map((size) => Math.max(1, size));
  const array = new ARRAYS[dtype](sizes.reduce((product, size) => product * size, 1));
  return { array, dtype, shape: sizes };
}

// Node counts by provider from ONNX Runtime's log of a session's creation.
export function readPlacement(lines, onGpu) {
  const executors = {};
  const leftOut = {};
  let provider = null;
  for (const line of lines.flatMap((text) => text.split("\n"))) {
    const heading = /placed on \[(\w+)\]\. Number of nodes: (\d+)/.exec(line);
    if (heading) {
      provider = EXECUTORS[heading[1]] ?? heading[1];
      executors[provider] = (executors[provider] ?? 0) + Number(heading[2]);
      continue;
    }
    const node = /VerifyEachNodeIsAssignedToAnEp\]\s+(\w+) \(.*\)/.exec(line);
    if (node && provider === "wasm" && onGpu) leftOut[node[1]] = (leftOut[node[1]] ?? 0) + 1;
  }
  const ops = Object.values(executors).reduce((sum, count) => sum + count, 0);
  if (!ops) {
    throw Object.assign(new Error("ONNX Runtime Web does not say where the nodes are"), {
      kind: "device",
    });
  }
  const delegated = onGpu ? (executors.WebGPU ?? 0) : 0;
  return {
    ops,
    delegated,
    partitions: 0,
    executors,
    left_out: leftOut,
    evidence: "ONNX Runtime's log of node placements, from a second session of the same file",
  };
}

// y = Identity(x), float[1].
const NOTHING = Uint8Array.from(atob("CAgSADo3ChAKAXgSAXkiCElkZW50aXR5EgFnWg8KAXgSCgoICAESBAoCCAFiDwoBeRIKCggIARIECgIIAUIECgAQDQ=="), (c) => c.charCodeAt(0));
