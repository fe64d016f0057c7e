// From pixels to a sample, to the bit as edgekit does it. Knows arrays; no canvas and no file.
//
// Resizing is Pillow's antialiased bilinear filter: all rows, then all columns, 8 bits between them,
// weights in double, then in 22-bit fixed point.
import { ARRAYS, roundHalfEven } from "./numbers.js";

const BITS = 32 - 8 - 2;

/**
 * A picture as the model takes it.
 *
 * @param {Uint8Array|Uint8ClampedArray} rgba [height, width, 4], not premultiplied, upright.
 * @param {number} width Of the picture.
 * @param {number} height The same.
 * @param {object} spec An input of the contract, of kind "picture".
 * @returns {{sample: TypedArray, fit: object}} The sample, flat in the order of the contract's
 *   shape; and where the picture lies in it.
 */
export function prepare(rgba, width, height, spec) {
  const fit = fitOf(width, height, spec);
  const resized = resize(onWhite(rgba), width, height, fit.width, fit.height);
  return { sample: levels(pasted(resized, fit, spec.grey), spec), fit };
}

/** Where a picture of width × height lies in an input: everywhere, or with grey sides. */
export function fitOf(width, height, spec) {
  const whole = { inputWidth: spec.width, inputHeight: spec.height };
  if (spec.resize !== "letterbox") {
    return { left: 0, top: 0, width: spec.width, height: spec.height, ...whole };
  }
  const scale = Math.min(spec.width / width, spec.height / height);
  const wide = Math.min(spec.width, Math.max(1, roundHalfEven(width * scale)));
  const high = Math.min(spec.height, Math.max(1, roundHalfEven(height * scale)));
  return {
    left: Math.floor((spec.width - wide) / 2),
    top: Math.floor((spec.height - high) / 2),
    width: wide,
    height: high,
    ...whole,
  };
}

/** A box [left, top, right, bottom] from 0–1 of the input to 0–1 of the picture, cut to it. */
export function toPicture(box, fit) {
  const whole = [fit.inputWidth, fit.inputHeight, fit.inputWidth, fit.inputHeight];
  const offset = [fit.left, fit.top, fit.left, fit.top];
  const size = [fit.width, fit.height, fit.width, fit.height];
  return box.map((value, i) =>
    Math.min(1, Math.max(0, (value - offset[i] / whole[i]) / (size[i] / whole[i]))),
  );
}

/** RGBA on white, as Pillow's alpha_composite: RGB, 3 bytes a pixel. */
export function onWhite(rgba) {
  const rgb = new Uint8Array((rgba.length / 4) * 3);
  for (let from = 0, to = 0; from < rgba.length; from += 4, to += 3) {
    const alpha = rgba[from + 3];
    for (let c = 0; c < 3; c++) {
      if (alpha === 255) {
        rgb[to + c] = rgba[from + c];
      } else {
        const sum = (rgba[from + c] * alpha + 255 * (255 - alpha) + 0x80) * 128;
        rgb[to + c] = (((sum >> 8) + sum) >> 8) >> 7;
      }
    }
  }
  return rgb;
}

/** uint8 [height, width, 3] to [outHeight, outWidth, 3]. */
export function resize(rgb, width, height, outWidth, outHeight) {
  const across = (pixels, high) =>
    outWidth === width ? pixels : horizontal(pixels, width, high, outWidth);
  const down = (pixels, wide) =>
    outHeight === height ? pixels : vertical(pixels, wide, height, outHeight);
  return down(across(rgb, height), outWidth);
}

// Weights of each output pixel: where they begin, how many, and the fixed-point numbers.
function weights(size, outSize) {
  const scale = size / outSize;
  const support = Math.max(scale, 1);
  const most = Math.ceil(support) * 2 + 1;
  const starts = new Int32Array(outSize);
  const counts = new Int32Array(outSize);
  const numbers = new Int32Array(outSize * most);
  const row = new Float64Array(most);
  for (let out = 0; out < outSize; out++) {
    const center = (out + 0.5) * scale;
    const inverse = 1 / support;
    const start = Math.max(0, Math.trunc(center - support + 0.5));
    const count = Math.min(size, Math.trunc(center + support + 0.5)) - start;
    let sum = 0;
    for (let i = 0; i < count; i++) {
      const away = Math.abs((i + start - center + 0.5) * inverse);
      row[i] = away < 1 ? 1 - away : 0;
      sum += row[i];
    }
    for (let i = 0; i < count; i++) {
      const part = sum === 0 ? row[i] : row[i] / sum;
      numbers[out * most + i] = Math.trunc(0.5 + part * 2 ** BITS);
    }
    starts[out] = start;
    counts[out] = count;
  }
  return { starts, counts, numbers, most };
}

const HALF = 1 << (BITS - 1);
const cut = (sum) => Math.min(255, Math.max(0, sum >> BITS));

function horizontal(rgb, width, height, outWidth) {
  const { starts, counts, numbers, most } = weights(width, outWidth);
  const made = new Uint8Array(outWidth * height * 3);
  let to = 0;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < outWidth; x++) {
      let [r, g, b] = [HALF, HALF, HALF];
      let from = (y * width + starts[x]) * 3;
      for (let i = 0, k = x * most; i < counts[x]; i++, k++, from += 3) {
        r += rgb[from] * numbers[k];
        g += rgb[from + 1] * numbers[k];
        b += rgb[from + 2] * numbers[k];
      }
      made[to++] = cut(r);
      made[to++] = cut(g);
      made[to++] = cut(b);
    }
  }
  return made;
}

function vertical(rgb, width, height, outHeight) {
  const { starts, counts, numbers, most } = weights(height, outHeight);
  const stride = width * 3;
  const made = new Uint8Array(stride * outHeight);
  for (let y = 0; y < outHeight; y++) {
    for (let at = 0; at < stride; at++) {
      let sum = HALF;
      let from = starts[y] * stride + at;
      for (let i = 0, k = y * most; i < counts[y]; i++, k++, from += stride) {
        sum += rgb[from] * numbers[k];
      }
      made[y * stride + at] = cut(sum);
    }
  }
  return made;
}

/**
 * RGBA pixels without the grey sides that a letterbox left.
 *
 * @param {{rgba: Uint8Array, width: number, height: number}} picture
 * @param {number} grey Level of the sides.
 * @returns {object|null} The same kind; null where nothing but grey, or no side, is there.
 */
export function withoutSides({ rgba, width, height }, grey) {
  const isGrey = (x, y) => [0, 1, 2].every((c) => rgba[(y * width + x) * 4 + c] === grey);
  const row = (y) => Array.from({ length: width }, (_, x) => isGrey(x, y)).every(Boolean);
  const column = (x) => Array.from({ length: height }, (_, y) => isGrey(x, y)).every(Boolean);
  let [top, left] = [0, 0];
  while (top < height / 2 && row(top)) top++;
  while (left < width / 2 && column(left)) left++;
  // A letterbox has sides above and below, or left and right, alike but for one pixel.
  if (Boolean(top) === Boolean(left)) return null;
  let [bottom, right] = [height, width];
  while (top && bottom > top && row(bottom - 1)) bottom--;
  while (left && right > left && column(right - 1)) right--;
  const made = new Uint8Array((right - left) * (bottom - top) * 4);
  for (let y = top; y < bottom; y++) {
    const from = (y * width + left) * 4;
    made.set(rgba.subarray(from, from + (right - left) * 4), (y - top) * (right - left) * 4);
  }
  return { rgba: made, width: right - left, height: bottom - top };
}

function pasted(rgb, fit, grey) {
  if (fit.width === fit.inputWidth && fit.height === fit.inputHeight) return rgb;
  const made = new Uint8Array(fit.inputWidth * fit.inputHeight * 3).fill(grey);
  for (let y = 0; y < fit.height; y++) {
    const row = rgb.subarray(y * fit.width * 3, (y + 1) * fit.width * 3);
    made.set(row, ((fit.top + y) * fit.inputWidth + fit.left) * 3);
  }
  return made;
}

// uint8 [height, width, 3] to the input's channels, range, dtype and layout.
function levels(rgb, spec) {
  const { channels, dtype, ranges, layout } = spec;
  const tables = ranges.map((limits) => table(limits, dtype));
  const count = rgb.length / 3;
  const made = new ARRAYS[dtype](count * channels);
  for (let pixel = 0; pixel < count; pixel++) {
    for (let c = 0; c < channels; c++) {
      const level = channels === 1 ? luma(rgb, pixel * 3) : rgb[pixel * 3 + c];
      const to = layout === "CHW" ? c * count + pixel : pixel * channels + c;
      made[to] = tables[Math.min(c, tables.length - 1)][level];
    }
  }
  return made;
}

// ITU-R 601, in integers: no sum of floats rounds otherwise elsewhere.
function luma(rgb, at) {
  return roundHalfEven((299 * rgb[at] + 587 * rgb[at + 1] + 114 * rgb[at + 2]) / 1000);
}

function table([low, high], dtype) {
  const step = (high - low) / 255;
  const whole = /int/.test(dtype);
  const made = new ARRAYS[dtype](256);
  for (let level = 0; level < 256; level++) {
    const value = low + level * step;
    made[level] = whole ? roundHalfEven(value) : value;
  }
  return made;
}
