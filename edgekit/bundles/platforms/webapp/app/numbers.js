// From a sample's own units to what a file takes, and back: as `edgekit/tensor.py` does it.
import { ARRAYS } from "./compute/tensors.js";

export { ARRAYS };

const LIMITS = {
  int8: [-128, 127],
  uint8: [0, 255],
  int16: [-32768, 32767],
  uint16: [0, 65535],
  int32: [-(2 ** 31), 2 ** 31 - 1],
};

/** To the nearest whole number; halves to the even one. */
export function roundHalfEven(value) {
  const low = Math.floor(value);
  const rest = value - low;
  if (rest !== 0.5) return rest < 0.5 ? low : low + 1;
  return low % 2 === 0 ? low : low + 1;
}

/** A sample as the file takes it; `dtype` is the sample's. */
export function taken(array, dtype, tensor) {
  const scaled = tensor.scale !== null;
  const onGrid = tensor.scale === 1 && tensor.zero_point === 0;
  if (dtype === tensor.dtype && (!scaled || onGrid)) return array;
  const made = new ARRAYS[tensor.dtype](array.length);
  if (!scaled || tensor.zero_point === null) {
    const big = tensor.dtype.endsWith("64") && tensor.dtype !== "float64";
    for (let i = 0; i < array.length; i++) made[i] = big ? BigInt(array[i]) : Number(array[i]);
    return made;
  }
  const [least, most] = LIMITS[tensor.dtype];
  const scale = Math.fround(tensor.scale);
  for (let i = 0; i < array.length; i++) {
    // In float32, as the runtimes divide.
    const steps = Math.fround(Math.fround(Number(array[i])) / scale);
    if (Number.isNaN(steps)) throw new Error("NaN cannot be quantized");
    made[i] = Math.min(most, Math.max(least, roundHalfEven(steps) + tensor.zero_point));
  }
  return made;
}

/** What a file gave, as real values. */
export function real(array, dtype, tensor) {
  if (tensor.scale === null || !/int/.test(dtype)) return array;
  const scale = Math.fround(tensor.scale);
  const zero = tensor.zero_point ?? 0;
  return Float32Array.from(array, (value) => Math.fround(Math.fround(Number(value) - zero) * scale));
}

/** Little-endian bytes of a golden case as an array. */
export function arrayOf(bytes, { dtype, shape }) {
  const kind = ARRAYS[dtype];
  if (!kind) throw new Error(`tensors of ${dtype} are not known here`);
  const count = shape.reduce((product, size) => product * size, 1);
  const step = kind.BYTES_PER_ELEMENT;
  if (bytes.byteLength !== count * step) throw new Error(`${bytes.byteLength} bytes for ${shape}`);
  return new kind(bytes.slice().buffer);
}
