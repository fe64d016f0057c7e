// Proves this browser with the golden cases, step by step: pictures, texts and sounds to the bit, outputs
// within a part of their spread over all cases (kernels round otherwise elsewhere), answers of the
// same outputs.
import { answerOf } from "./answer.js";
import { decode } from "./decoding.js";
import { arrayOf } from "./numbers.js";
import { prepare } from "./pictures.js";
import { readWav, wave } from "./sounds.js";

export const TOLERANCE = 0.05; // as edgekit/bundles/packaged/golden.py
const ROUNDING = 1e-6; // of exp, which languages round differently

/**
 * Run all golden cases of a model.
 *
 * @returns {{pictures: number, texts: number, sounds: number, outputs: number,
 *   answers: number, furthest: number, mismatches: string[]}} How many of each were compared, by which part of its spread an output
 *   was apart at most, and what does not hold.
 */
export async function check(model, told = () => {}) {
  const { bundle, contract, held } = model;
  const document = await bundle.json("golden/cases.json");
  const result = { pictures: 0, texts: 0, sounds: 0, outputs: 0, answers: 0, furthest: 0, mismatches: [] };
  const array = async (entry) => arrayOf(await bundle.read(entry.file), entry);

  async function comparePicture(file, entry) {
    const { rgba, width, height } = await decode(new Blob([await bundle.read(file)]));
    const { sample } = prepare(rgba, width, height, contract.inputs[0]);
    await compare(file, sample, entry, "pictures");
  }

  async function compare(name, sample, entry, kind) {
    const wanted = await array(entry);
    const wrong = sample.reduce((count, value, at) => count + (value !== wanted[at]), 0);
    if (wrong || sample.length !== wanted.length) {
      result.mismatches.push(`${name}: ${wrong} of ${wanted.length} values differ`);
    }
    result[kind] += 1;
  }

  const spreads = {};
  for (const { name } of model.tensors.outputs) {
    const all = document.cases.map((one) => array(one.outputs[held.label][name]));
    spreads[name] = spreadOf(await Promise.all(all));
  }
  for (const { picture, input } of document.pictures) await comparePicture(picture, input);
  for (const { text, input } of document.texts ?? []) {
    await compare(JSON.stringify(text.slice(0, 40)), model.tokens(text), input, "texts");
  }
  for (const { sound, input } of document.sounds ?? []) {
    const [spec] = contract.inputs;
    const samples = readWav(await bundle.read(sound), spec.length, spec.rate_hz);
    await compare(sound, wave(samples, spec), input, "sounds");
  }
  for (const [number, one] of document.cases.entries()) {
    told(number, document.cases.length);
    const [first] = Object.values(one.inputs);
    if (one.picture) await comparePicture(one.picture, first);
    const sample = {};
    for (const [name, entry] of Object.entries(one.inputs)) sample[name] = await array(entry);
    const { outputs } = await model.run(sample);
    const golden = [];
    for (const output of outputs) {
      const entry = one.outputs[held.label][output.name];
      const wanted = await array(entry);
      golden.push({ name: output.name, shape: entry.shape, array: wanted });
      const apart = furthest(output.array, wanted) / spreads[output.name];
      result.furthest = Math.max(result.furthest, apart);
      if (!(apart <= TOLERANCE)) {
        const told = (100 * apart).toPrecision(3);
        result.mismatches.push(`case ${number}: ${output.name} is ${told} % of its spread apart`);
      }
      result.outputs += 1;
    }
    if (!sameAnswer(answerOf(contract.answer, golden), one.answers[held.label])) {
      result.mismatches.push(`case ${number}: another answer from the same outputs`);
    }
    result.answers += 1;
  }
  return result;
}

// The largest difference; infinite where sizes differ or a value is none.
function furthest(found, wanted) {
  if (found.length !== wanted.length) return Infinity;
  let most = 0;
  for (let at = 0; at < wanted.length; at++) {
    const apart = Math.abs(Number(found[at]) - Number(wanted[at]));
    most = Number.isNaN(apart) ? Infinity : Math.max(most, apart);
  }
  return most;
}

function spreadOf(arrays) {
  let [low, high] = [Infinity, -Infinity];
  for (const array of arrays) {
    for (const value of array) {
      low = Math.min(low, Number(value));
      high = Math.max(high, Number(value));
    }
  }
  return high >= low ? Math.max(high - low, 1e-6) : 1;
}

function sameAnswer(found, wanted) {
  const close = (a, b) => Math.abs(a - b) <= ROUNDING;
  const all = (a = [], b = [], same) => a.length === b.length && a.every((one, i) => same(one, b[i]));
  return (
    all(found.classes, wanted.classes, (a, b) => a === b) &&
    all(found.scores, wanted.scores, close) &&
    all(found.boxes?.flat(), wanted.boxes?.flat(), close)
  );
}
