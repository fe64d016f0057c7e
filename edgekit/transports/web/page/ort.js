// ONNX Runtime Web: .onnx files in wasm or on WebGPU.
import { countDispatches } from "./litert.js";
import { ARRAYS } from "./tensors.js";

const PLACE = new URL("./runtimes/onnxruntime-web/", import.meta.url).href;
const EXECUTORS = {
  CPUExecutionProvider: "wasm",
  WebGpuExecutionProvider: "WebGPU",
  JsExecutionProvider: "WebGPU",
};

const HEADING = /placed on \[(\w+)\]\. Number of nodes: (\d+)/;
const EVIDENCE = "ONNX Runtime's log of node placements, from a second session of the same file";

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
    // Where each node is: the document of the pass "placement" of edgekit/passes.py.
    async placed() {
      const lines = await talk();
      const wanted = onGpu ? "WebGPU" : "wasm";
      let nodes = readNodes(lines);
      if (!nodes.length) {
        // Where all nodes are in one place, the log counts them and lists none.
        const counts = Object.entries(readPlacement(lines, onGpu).executors);
        nodes = counts.flatMap(([executor, count]) =>
          Array.from({ length: count }, () => ({ name: "", kind: "", executor })),
        );
      }
      const ops = nodes.map(({ name, kind, executor }) => ({
        name,
        place: null,
        kind,
        executor,
        taken: executor === wanted,
      }));
      return { wanted, ops, reasons: {}, evidence: EVIDENCE };
    },
    async placement() {
      const found = readPlacement(await talk(), onGpu);
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
  async function talk() {
    const from = self.said.length;
    const talking = await ort.InferenceSession.create(bytes, { ...options, logSeverityLevel: 0 });
    await talking.release();
    return self.said.slice(from).flatMap((text) => text.split("\n"));
  }
  return model;
}

function zeros({ dtype, shape }) {
  const sizes = shape.map((size) => Math.max(1, size));
  const array = new ARRAYS[dtype](sizes.reduce((product, size) => product * size, 1));
  return { array, dtype, shape: sizes };
}

// Nodes by provider, from the lines of ONNX Runtime's log of a session's creation.
function readNodes(lines) {
  const nodes = [];
  let executor = null;
  for (const line of lines) {
    const heading = HEADING.exec(line);
    if (heading) executor = EXECUTORS[heading[1]] ?? heading[1];
    const node = /VerifyEachNodeIsAssignedToAnEp\]\s+(\w+) \((.*)\)/.exec(line);
    if (node && executor) nodes.push({ kind: node[1], name: node[2], executor });
  }
  return nodes;
}

// How many there are where: the log counts nodes that it does not list.
export function readPlacement(lines, onGpu) {
  const executors = {};
  for (const heading of lines.map((line) => HEADING.exec(line)).filter(Boolean)) {
    const executor = EXECUTORS[heading[1]] ?? heading[1];
    executors[executor] = (executors[executor] ?? 0) + Number(heading[2]);
  }
  const ops = Object.values(executors).reduce((sum, count) => sum + count, 0);
  if (!ops) {
    throw Object.assign(new Error("ONNX Runtime Web does not say where the nodes are"), {
      kind: "device",
    });
  }
  const leftOut = {};
  for (const { kind, executor } of onGpu ? readNodes(lines) : []) {
    if (executor === "wasm") leftOut[kind] = (leftOut[kind] ?? 0) + 1;
  }
  const delegated = onGpu ? (executors.WebGPU ?? 0) : 0;
  return { ops, delegated, partitions: 0, executors, left_out: leftOut, evidence: EVIDENCE };
}

// y = Identity(x), float[1].
const NOTHING = Uint8Array.from(atob("CAgSADo3ChAKAXgSAXkiCElkZW50aXR5EgFnWg8KAXgSCgoICAESBAoCCAFiDwoBeRIKCggIARIECgIIAUIECgAQDQ=="), (c) => c.charCodeAt(0));
