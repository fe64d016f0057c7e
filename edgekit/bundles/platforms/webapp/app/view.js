// What is on the page, and how results look. Knows nothing of models.

const NAMES = [
  "picture", "text", "canvas", "video", "file", "camera", "example", "words", "classify", "results",
  "latency", "status", "trouble", "facts", "choice", "artifact", "check", "verify", "checked",
  "mismatches", "offline",
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

export function showResults({ classes = [], scores = [], boxes, callMs }, labels) {
  const items = classes.slice(0, MOST_SHOWN).map((one, at) => {
    const item = document.createElement("li");
    if (boxes) {
      const dot = document.createElement("i");
      dot.style.backgroundColor = colourOf(one);
      item.append(dot);
    }
    for (const [kind, text] of [["name", nameOf(one, labels)], ["score", shown(scores[at])]]) {
      const part = document.createElement("span");
      part.className = kind;
      part.textContent = text;
      item.append(part);
    }
    if (isPart(scores[at])) item.style.setProperty("--part", `${100 * scores[at]}%`);
    return item;
  });
  if (classes.length > MOST_SHOWN) {
    const more = document.createElement("li");
    more.textContent = `and ${classes.length - MOST_SHOWN} more`;
    items.push(more);
  }
  place.results.replaceChildren(...items);
  place.latency.textContent = `this call ${callMs < 10 ? callMs.toFixed(1) : Math.round(callMs)} ms`;
}

/** The picture, with boxes in 0–1 of it. */
export function drawPicture(source, width, height, found, labels) {
  const scale = Math.min(4, LARGEST / Math.max(width, height));
  const { canvas } = place;
  canvas.width = Math.max(1, Math.round(width * scale));
  canvas.height = Math.max(1, Math.round(height * scale));
  const context = canvas.getContext("2d");
  context.imageSmoothingEnabled = scale < 1;
  context.drawImage(source, 0, 0, canvas.width, canvas.height);
  stage.classList.remove("blank");
  canvas.setAttribute("aria-label", `The picture. ${summaryOf(found, labels)}`);
  const unit = Math.max(canvas.width, canvas.height) / 320;
  context.lineWidth = 1.5 * unit;
  context.font = `600 ${11 * unit}px system-ui, sans-serif`;
  context.textBaseline = "top";
  // The best one last, on top of the others.
  (found.boxes ?? []).map((box, at) => ({ box, at })).reverse().forEach(({ box, at }) => {
    const [left, right] = [box[0] * canvas.width, box[2] * canvas.width];
    const [top, bottom] = [box[1] * canvas.height, box[3] * canvas.height];
    context.strokeStyle = colourOf(found.classes[at]);
    context.strokeRect(left, top, right - left, bottom - top);
    if (at >= MOST_NAMED) return;
    const text = `${nameOf(found.classes[at], labels)} ${Math.round(100 * found.scores[at])}`;
    const wide = context.measureText(text).width + 6 * unit;
    const x = Math.min(left, canvas.width - wide);
    const y = Math.max(0, top - 14 * unit);
    context.fillStyle = colourOf(found.classes[at]);
    context.fillRect(x, y, wide, 14 * unit);
    context.fillStyle = "#10131c";
    context.fillText(text, x + 3 * unit, y + 2 * unit);
  });
}

export function showFacts({ bundle, held, contract, runtime }) {
  const { contents } = bundle;
  const facts = {
    Bundle: `${contents.name} ${contents.version}`,
    Artifact: `${held.label}, ${held.bytes.toLocaleString("en")} bytes`,
    Computes: `${runtime}, one thread of WebAssembly`,
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
