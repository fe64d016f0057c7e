// Calls that spin for as long as the model file says, in the place of a page's runtime.

export async function open(bytes) {
  const text = new TextDecoder().decode(bytes.subarray(0, 40)).split("\0")[0];
  const milliseconds = Number(text) / 1e6;
  const tensor = (name) => ({ name, dtype: "float32", shape: [1, 4] });
  return {
    loadNs: 0,
    inputs: [tensor("x")],
    outputs: [tensor("y")],
    facts: {},
    readInside: false,
    set: (arrays) => arrays,
    invoke: (fed) => {
      if (milliseconds) {
        const end = performance.now() + milliseconds;
        while (performance.now() < end);
      }
      return fed;
    },
    read: (got) => got.map(({ array, shape }) => ({ array, shape })),
    drop() {},
    placement: async () => ({
      ops: 1, delegated: 0, partitions: 1, executors: { spinning: 1 }, evidence: "one operator",
    }),
  };
}
