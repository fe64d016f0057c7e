// From a model's outputs to an answer: classes with scores, or objects. As
// `edgekit/bundles/answers.py` and, step by step, `edgekit/detection.py`; in float64.

/**
 * What one sample's outputs mean.
 *
 * @param {object} answer Of the contract.
 * @param {Array<{name: string, shape: number[], array: TypedArray}>} outputs Real values without
 *   batch axis, in the order of the contract.
 * @returns {{classes?: number[], scores?: number[], boxes?: number[][]}} Best first; boxes are
 *   [left, top, right, bottom] in 0–1 of the input.
 */
export function answerOf(answer, outputs) {
  if (answer.kind === "objects") {
    const [boxes, scores] = ["boxes", "scores"].map((name) =>
      outputs.find((one) => one.name === name),
    );
    return objects(boxes.array, scores.array, scores.shape.at(-1), answer);
  }
  if (answer.kind === "classes") {
    const scores = activate(outputs[answer.output].array, answer.activation);
    const order = Array.from(scores.keys()).sort((a, b) => scores[b] - scores[a]);
    const classes = order.slice(0, answer.top);
    return { classes, scores: classes.map((index) => scores[index]) };
  }
  return {};
}

/** Outputs after the app's activation. */
export function activate(values, activation) {
  const wide = Float64Array.from(values, Number);
  if (activation === "softmax") {
    const highest = wide.reduce((most, value) => Math.max(most, value), -Infinity);
    const powers = wide.map((value) => Math.exp(value - highest));
    const sum = powers.reduce((total, value) => total + value, 0);
    return powers.map((value) => value / sum);
  }
  return activation === "sigmoid" ? wide.map(sigmoid) : wide;
}

const sigmoid = (value) => 1 / (1 + Math.exp(-value));

/** Objects from boxes [A, 4] and logits [A, C]. */
export function objects(boxes, logits, classes, { threshold, overlap, most, candidates }) {
  const found = [];
  for (let at = 0; at < logits.length; at++) {
    const score = sigmoid(logits[at]);
    if (score >= threshold) found.push({ score, place: Math.floor(at / classes), class: at % classes });
  }
  // Stable: equal scores keep the order of place and class.
  found.sort((a, b) => b.score - a.score);
  const kept = [];
  for (const one of found.slice(0, candidates)) {
    const corner = (i) => Math.min(1, Math.max(0, boxes[one.place * 4 + i]));
    one.box = [0, 1, 2, 3].map(corner);
    if (!(one.box[2] > one.box[0] && one.box[3] > one.box[1])) continue;
    const clashes = (other) => other.class === one.class && iou(other.box, one.box) > overlap;
    if (!kept.some(clashes)) kept.push(one);
  }
  const best = kept.slice(0, most);
  return {
    boxes: best.map((one) => one.box.map(Math.fround)),
    scores: best.map((one) => Math.fround(one.score)),
    classes: best.map((one) => one.class),
  };
}

function iou(a, b) {
  const wide = Math.max(Math.min(a[2], b[2]) - Math.max(a[0], b[0]), 0);
  const high = Math.max(Math.min(a[3], b[3]) - Math.max(a[1], b[1]), 0);
  const area = (box) => (box[2] - box[0]) * (box[3] - box[1]);
  const union = area(a) + area(b) - wide * high;
  return union > 0 ? (wide * high) / union : 0;
}
