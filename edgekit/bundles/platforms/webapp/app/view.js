// What is on the page, and how results look. Knows nothing of models.

const NAMES = [
  "picture", "sound", "text", "canvas", "video", "file", "camera", "example", "heard", "wave", "rate",
  "soundfile", "microphone", "words", "classify", "results", "latency", "status", "trouble", "facts",
  "choice", "artifact", "check", "verify", "checked", "mismatches", "offline",
];
export const place = Object.fromEntries(NAMES.map((id) => [id, document.getElementById(id)]));
const stage = document.getElementById("stage");
stage.classList.add("blank");

const MOST_SHOWN = 20;
const MOST_NAMED = 8; // boxes with a name in the picture: more would hide it
const LARGEST = 1280; // pixels of a side of what is drawn
const COLOURS = ["#ffb000", "#5ad1ff", "#ff7ab6", "#8ce99a", "#c9a7ff", "#ffd8a8", "#74e0c9", "#ff8787"];
const colourOf = (index) => COLOURS[index % COLOURS.length];
const percent = (score) => `${(100 * score).toFixed(1)} %`;
const isPart = (score) => score >= 0 && score <= 1;

export function tell(text) {
  place.status.textContent = text;
  place.status.classList.remove("spoken");
}

/** Says a result aloud; what is seen of it is the list. */
export function sayResult(found, labels) {
  tell(summaryOf(found, labels));
  place.status.classList.toggle("spoken", Boolean(found.classes?.length));
}

export function trouble(error) {
  place.trouble.hidden = !error;
  place.trouble.textContent = error ? error.message : "";
  if (error) {
    tell("");
    document.documentElement.dataset.trouble = error.name;
  }
}

const nameOf = (index, labels) => labels[index] ?? String(index);

/** One sentence, which is also read aloud. */
export function summaryOf({ classes, scores, boxes }, labels) {
  if (!classes) return "Done.";
  if (!boxes) return `${nameOf(classes[0], labels)}, ${shown(scores[0])}.`;
  if (!classes.length) return "Nothing found.";
  const counts = new Map();
  for (const one of classes) counts.set(one, (counts.get(one) ?? 0) + 1);
  const parts = Array.from(counts, ([one, count]) => `${count} ${nameOf(one, labels)}`);
  return `${classes.length} found: ${parts.join(", ")}.`;
}

const shown = (score) => (isPart(score) ? percent(score) : score.toPrecision(4));

/** Classes best first; objects by their class, the most certain class first. */
export function showResults({ classes = [], scores = [], boxes, callMs }, labels) {
  const rows = boxes ? byClass(classes, scores) : classes.map((one, at) => ({ one, score: scores[at] }));
  const items = rows.slice(0, MOST_SHOWN).map(({ one, score, count }) => {
    const item = document.createElement("li");
    if (boxes) {
      const dot = document.createElement("i");
      dot.style.backgroundColor = colourOf(one);
      item.append(dot);
    }
    const parts = { name: nameOf(one, labels), count: count && `× ${count}`, score: shown(score) };
    for (const [kind, text] of Object.entries(parts)) {
      if (!text) continue;
      const part = document.createElement("span");
      part.className = kind;
      part.textContent = text;
      item.append(part);
    }
    item.classList.toggle("part", isPart(score));
    if (isPart(score)) item.style.setProperty("--part", `${100 * score}%`);
    return item;
  });
  if (rows.length > MOST_SHOWN) {
    const more = document.createElement("li");
    more.textContent = `and ${rows.length - MOST_SHOWN} more`;
    items.push(more);
  }
  place.results.classList.toggle("objects", Boolean(boxes));
  place.results.replaceChildren(...items);
  place.latency.textContent = `this call ${callMs < 10 ? callMs.toFixed(1) : Math.round(callMs)} ms`;
}

function byClass(classes, scores) {
  const rows = new Map();
  classes.forEach((one, at) => {
    const row = rows.get(one) ?? { one, score: scores[at], count: 0 };
    row.count += 1;
    rows.set(one, row);
  });
  return Array.from(rows.values());
}

/** The picture, with boxes in 0–1 of it. */
export function drawPicture(source, width, height, found, labels) {
  const scale = Math.min(4, LARGEST / Math.max(width, height));
  const { canvas } = place;
  canvas.width = Math.max(1, Math.round(width * scale));
  canvas.height = Math.max(1, Math.round(height * scale));
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.drawImage(source, 0, 0, canvas.width, canvas.height);
  stage.classList.remove("blank");
  canvas.setAttribute("aria-label", `The picture. ${summaryOf(found, labels)}`);
  const unit = Math.max(canvas.width, canvas.height) / 360;
  const boxes = (found.boxes ?? []).map((box, at) => ({
    at,
    left: box[0] * canvas.width,
    top: box[1] * canvas.height,
    wide: (box[2] - box[0]) * canvas.width,
    high: (box[3] - box[1]) * canvas.height,
    colour: colourOf(found.classes[at]),
  }));
  // The best one last, on top of the others.
  context.lineWidth = 1.6 * unit;
  for (const { left, top, wide, high, colour } of [...boxes].reverse()) {
    context.beginPath();
    context.roundRect(left, top, wide, high, 3 * unit);
    context.fillStyle = `${colour}22`;
    context.fill();
    context.strokeStyle = colour;
    context.stroke();
  }
  drawNames(context, boxes, found, labels, unit);
}

// Names of the best ones, where they hide no other name.
function drawNames(context, boxes, found, labels, unit) {
  const { canvas } = place;
  context.font = `600 ${10 * unit}px ${getComputedStyle(document.body).fontFamily}`;
  context.textBaseline = "middle";
  const high = 14 * unit;
  const taken = [];
  for (const { at, left, top, colour } of boxes.slice(0, MOST_NAMED)) {
    const text = `${nameOf(found.classes[at], labels)} ${Math.round(100 * found.scores[at])} %`;
    const wide = context.measureText(text).width + 8 * unit;
    const x = Math.max(0, Math.min(left, canvas.width - wide));
    const y = top >= high + unit ? top - high - unit : top + unit;
    const hides = taken.some(
      (one) => x < one.x + one.wide && one.x < x + wide && Math.abs(y - one.y) < high,
    );
    if (hides) continue;
    taken.push({ x, y, wide });
    context.beginPath();
    context.roundRect(x, y, wide, high, 4 * unit);
    context.fillStyle = colour;
    context.fill();
    context.fillStyle = "#10131c";
    context.fillText(text, x + 4 * unit, y + high / 2 + 0.5 * unit);
  }
}

const BARS = 64;

/** A sound: the loudest instant of each part of what the model hears; silence where it ends. */
export function drawWave(samples, length, summary) {
  const { wave, heard } = place;
  const context = wave.getContext("2d");
  const style = getComputedStyle(document.documentElement);
  const side = wave.width * 0.06;
  const step = (wave.width - 2 * side) / BARS;
  const middle = wave.height / 2;
  const loudest = samples.reduce((most, one) => Math.max(most, Math.abs(one)), 1e-3);
  context.clearRect(0, 0, wave.width, wave.height);
  for (let bar = 0; bar < BARS; bar++) {
    const [from, to] = [bar, bar + 1].map((at) => Math.floor((at * length) / BARS));
    const part = samples.subarray(from, Math.max(to, from + 1));
    const loud = part.reduce((most, one) => Math.max(most, Math.abs(one)), 0) / loudest;
    const half = Math.max(2, 0.42 * wave.height * loud);
    context.fillStyle = style.getPropertyValue(part.length ? "--accent" : "--line");
    context.beginPath();
    context.roundRect(side + bar * step + step * 0.2, middle - half, step * 0.6, 2 * half, step * 0.3);
    context.fill();
  }
  heard.classList.remove("blank");
  wave.setAttribute("aria-label", `The sound. ${summary}`);
}

export function showFacts({ bundle, held, contract, runtime, threads, why, passed }) {
  const { contents } = bundle;
  const facts = {
    Bundle: `${contents.name} ${contents.version}`,
    Artifact: `${held.label}, ${held.bytes.toLocaleString("en")} bytes: ${why}`,
    ...(passed.length && {
      "Passed over": passed.map((one) => `${one.label}: ${one.why}`).join("; "),
    }),
    Computes: `${runtime}, ${threads === 1 ? "one thread" : `${threads} threads`} of WebAssembly`,
    Signed: self.KEY ? "by the key that this app was made with" : "not asked",
    Takes: contract.inputs.map((one) => `${one.kind} ${one.shape.join(" × ")}`).join(", "),
    sha256: held.sha256,
    Licence: contents.licence || "not told",
  };
  const parts = Object.entries(facts).flatMap(([name, text]) => {
    const [term, told] = [document.createElement("dt"), document.createElement("dd")];
    term.textContent = name;
    told.textContent = text;
    return [term, told];
  });
  place.facts.replaceChildren(...parts);
}
