// Raw bytes and typed arrays.

export const ARRAYS = {
  bool: Uint8Array,
  float16: globalThis.Float16Array ?? Uint16Array,
  float32: Float32Array,
  float64: Float64Array,
  int8: Int8Array,
  int16: Int16Array,
  int32: Int32Array,
  int64: BigInt64Array,
  uint8: Uint8Array,
  uint16: Uint16Array,
  uint32: Uint32Array,
  uint64: BigUint64Array,
};

// Samples from the body of a step: for each, one {array, dtype, shape} per tensor.
export function arraysOf(tensors, body, count) {
  const samples = [];
  let at = 0;
  for (let index = 0; index < count; index++) {
    samples.push(
      tensors.map(({ dtype, shape, bytes }) => {
        if (!ARRAYS[dtype]) throw new Error(`tensors of ${dtype} are not known here`);
        const piece = body.slice(at, (at += bytes));
        return { array: new ARRAYS[dtype](piece), dtype, shape };
      }),
    );
  }
  if (at !== body.byteLength) throw new Error(`${body.byteLength} bytes of samples, not ${at}`);
  return samples;
}

// Typed arrays one after the other, as one buffer.
export function bytesOf(arrays) {
  const whole = new Uint8Array(arrays.reduce((sum, array) => sum + array.byteLength, 0));
  let at = 0;
  for (const { buffer, byteOffset, byteLength } of arrays) {
    whole.set(new Uint8Array(buffer, byteOffset, byteLength), at);
    at += byteLength;
  }
  return whole.buffer;
}
