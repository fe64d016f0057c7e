// LiteRT.js: .tflite files in wasm (XNNPACK) or on WebGPU.

const PLACE = new URL("./runtimes/litert-js/", import.meta.url).href;

export async function open(bytes, { backend, threads }) {
  const core = await import("./runtimes/litert-js/index.js");
  const onGpu = backend === "webgpu";
  // In a worker the glue cannot tell its own address.
  self.Module = {
    locateFile: (file) => `${PLACE}wasm/${file}`,
    mainScriptUrlOrBlob: `${PLACE}wasm/litert_wasm_threaded_internal.js`,
  };
  await core.loadLiteRt(`${PLACE}wasm/`, {
    threads: threads > 1,
    jspi: onGpu && typeof WebAssembly.Suspending === "function",
  });
  const start = performance.now();
  const model = await core
    .loadAndCompile(bytes, { accelerator: backend, cpuOptions: { numThreads: threads } })
    .catch((error) => {
      if (!/Element type \w+ is not supported/.test(error.message)) throw error;
      throw Object.assign(
        new Error(`${error.message.replace(/\.$/, "")} for inputs and outputs`),
        { kind: "device", hint: "export with --io native or float: int8 inside is no obstacle" },
      );
    });
  const loadNs = Math.round((performance.now() - start) * 1e6);
  // It falls back without an error; what it was compiled for is what counts.
  if (onGpu && (model.options.accelerator !== "webgpu" || !model.isFullyAccelerated)) {
    throw Object.assign(
      new Error("WebGPU was asked for, and LiteRT.js leaves ops of this file to wasm"),
      { kind: "device", hint: 'backend = "wasm", or another precision of the model' },
    );
  }
  const described = (all) =>
    all.map(({ name, dtype, shape }) => ({ name, dtype, shape: Array.from(shape) }));
  const outputs = described(model.getOutputDetails());
  const operators = countOperators(bytes);

  const self_ = {
    loadNs,
    inputs: described(model.getInputDetails()),
    outputs,
    facts: { wasm_variant: onGpu ? "jspi" : threads > 1 ? "threads" : "one thread" },
    readInside: onGpu,
    set: (arrays) => arrays.map(({ array, shape }) => new core.Tensor(array, shape)),
    invoke: (fed) => model.run(fed),
    async read(got) {
      const found = [];
      for (const [index, tensor] of got.entries()) {
        const array = onGpu ? await tensor.data() : tensor.toTypedArray();
        found.push({ array, shape: outputs[index].shape });
      }
      return found;
    },
    drop(fed, got) {
      for (const tensor of [...fed, ...got]) tensor.delete();
    },
    async placement() {
      if (onGpu) return await onWebGpu();
      return inWasm();
    },
  };

  function inWasm() {
    const replaced = self.said
      .map((line) => /Replacing (\d+) out of (\d+) node.*XN.*yielding (\d+) partition/i.exec(line))
      .find(Boolean);
    if (!replaced) {
      return {
        ops: operators,
        delegated: 0,
        partitions: 0,
        executors: { wasm: operators },
        left_out: {},
        evidence:
          "operators of the file's first subgraph, all in LiteRT.js's wasm; " +
          (self.said.some((line) => line.includes("XNNPACK delegate for CPU"))
            ? "its log says that XNNPACK was there, not which of them it took"
            : "its log does not name XNNPACK"),
      };
    }
    const [taken, all, partitions] = replaced.slice(1).map(Number);
    const executors = { "XNNPACK (wasm)": taken };
    if (all > taken) executors.wasm = all - taken;
    return {
      ops: all,
      delegated: taken,
      partitions,
      executors,
      left_out: {},
      evidence: "LiteRT's log of the delegate",
    };
  }

  async function onWebGpu() {
    const dispatches = await countDispatches(async () => {
      const fed = self_.set(zeros(self_.inputs));
      const got = await self_.invoke(fed);
      await self_.read(got);
      self_.drop(fed, got);
    });
    const all = dispatches > 0 ? operators : 0;
    return {
      ops: operators,
      delegated: all,
      partitions: 0,
      executors: all ? { WebGPU: operators } : { wasm: operators },
      left_out: {},
      evidence: `LiteRT.js: fully accelerated; ${dispatches} compute dispatches counted in one call`,
    };
  }
  return self_;
}

function zeros(inputs) {
  return inputs.map(({ dtype, shape }) => {
    const kinds = { float32: Float32Array, int8: Int8Array, uint8: Uint8Array, int32: Int32Array };
    const size = shape.reduce((product, one) => product * one, 1);
    return { array: new (kinds[dtype] ?? Float32Array)(size), dtype, shape };
  });
}

// Compute passes that a call sends to the GPU; none means that it ran elsewhere.
export async function countDispatches(call) {
  const kind = globalThis.GPUComputePassEncoder?.prototype;
  if (!kind) return 0;
  const names = ["dispatchWorkgroups", "dispatchWorkgroupsIndirect"];
  const own = names.map((name) => kind[name]);
  let count = 0;
  names.forEach((name, index) => {
    kind[name] = function (...values) {
      count += 1;
      return own[index].apply(this, values);
    };
  });
  try {
    await call();
  } finally {
    names.forEach((name, index) => (kind[name] = own[index]));
  }
  return count;
}

// Operators of the first subgraph, read from the FlatBuffer (schema.fbs: Model.subgraphs is field 2,
// SubGraph.operators field 3).
export function countOperators(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const field = (table, index) => {
    const vtable = table - view.getInt32(table, true);
    const slot = 4 + 2 * index;
    const offset = slot < view.getUint16(vtable, true) ? view.getUint16(vtable + slot, true) : 0;
    if (!offset) return null;
    const at = table + offset;
    return at + view.getUint32(at, true);
  };
  const subgraphs = field(view.getUint32(0, true), 2);
  if (subgraphs === null || !view.getUint32(subgraphs, true)) return 0;
  const first = subgraphs + 4;
  const operators = field(first + view.getUint32(first, true), 3);
  return operators === null ? 0 : view.getUint32(operators, true);
}
