// The page: takes pictures, frames and texts, and shows what the model sees in them.
import "./builds.js";
import { Camera } from "./camera.js";
import { check } from "./check.js";
import { decode } from "./decoding.js";
import { Model } from "./model.js";
import { Bundle } from "./verify.js";
import { drawPicture, place, showFacts, showResults, summaryOf, tell, trouble } from "./view.js";

const BASE = new URL("../", import.meta.url);
const SAY_EVERY_MS = 2000; // what is read aloud of a camera's pictures
const asked = new URLSearchParams(location.search);

let bundle = null;
let model = null;
let turn = Promise.resolve(); // one call after the other
let examples = [];
let nextExample = 0;

const camera = new Camera(place.video, async (frame, width, height) => {
  await see(frame.rgba, width, height, frame.source, { live: true });
});

// One thing at a time; what goes wrong is shown, and the page goes on.
function inTurn(work) {
  turn = turn.then(work).catch((error) => {
    camera.stop();
    pressed(false);
    trouble(error);
  });
  return turn;
}

let said = 0;
async function see(rgba, width, height, source, { live = false } = {}) {
  const found = await model.seen(rgba, width, height);
  drawPicture(source, width, height, found, model.labels);
  showResults(found, model.labels);
  if (!live || performance.now() - said > SAY_EVERY_MS) {
    tell(summaryOf(found, model.labels));
    said = performance.now();
  }
}

function show(blob) {
  return inTurn(async () => {
    camera.stop();
    pressed(false);
    trouble(null);
    tell("Looking …");
    const { rgba, width, height } = await decode(blob).catch(() => {
      throw new Error("This file is no picture that this browser reads.");
    });
    const source = await createImageBitmap(blob, { imageOrientation: "from-image" });
    await see(rgba, width, height, source);
    source.close();
  });
}

const pressed = (on) => {
  place.camera.setAttribute("aria-pressed", String(on));
  place.camera.textContent = on ? "Stop camera" : "Camera";
};

place.file.addEventListener("change", () => {
  const [file] = place.file.files;
  if (file) show(file);
  place.file.value = "";
});

place.camera.addEventListener("click", async () => {
  if (camera.runs) {
    camera.stop();
    pressed(false);
    tell("Camera stopped.");
    return;
  }
  trouble(null);
  try {
    await camera.start();
    pressed(true);
  } catch (error) {
    trouble(new Error(`The camera cannot be opened: ${error.message}`));
  }
});

place.example.addEventListener("click", async () => {
  const path = examples[nextExample++ % examples.length];
  try {
    show(new Blob([await bundle.read(path)], { type: "image/png" }));
  } catch (error) {
    trouble(error);
  }
});

place.classify.addEventListener("click", () =>
  inTurn(async () => {
    trouble(null);
    const found = await model.read(place.words.value);
    showResults(found, model.labels);
    tell(summaryOf(found, model.labels));
  }),
);

place.check.addEventListener("click", () => runCheck());
place.verify.addEventListener("click", () =>
  inTurn(async () => {
    // What was left out of the cache is not there without a network.
    const paths = Object.keys(bundle.contents.files).filter((path) => !self.isUnused(path));
    await bundle.verify(paths, (done) => {
      place.checked.textContent = `Verifying ${done} of ${paths.length} files …`;
    });
    place.checked.textContent = `All ${paths.length} files are what the bundle says.`;
  }),
);
place.artifact.addEventListener("change", () => inTurn(() => load(place.artifact.value)));

function runCheck() {
  return inTurn(async () => {
    camera.stop();
    pressed(false);
    place.mismatches.replaceChildren();
    const result = await check(model, (done, all) => {
      place.checked.textContent = `Checking case ${done + 1} of ${all} …`;
    });
    const { pictures, outputs, answers, furthest, mismatches } = result;
    place.checked.textContent =
      `${mismatches.length} mismatches: ${pictures} pictures to the bit, ${outputs} outputs ` +
      `(at most ${(100 * furthest).toPrecision(2)} % of their spread apart), ${answers} answers.`;
    for (const line of mismatches) {
      const item = document.createElement("li");
      item.textContent = line;
      place.mismatches.append(item);
    }
    place.checked.dataset.result = JSON.stringify({ artifact: model.held.label, ...result });
  });
}

async function load(artifact) {
  tell("Loading the model …");
  model?.close();
  model = null;
  enable(false);
  model = await Model.open(bundle, { artifact, device: asked.get("device") ?? undefined });
  const [{ kind }] = model.contract.inputs;
  place.picture.hidden = kind !== "picture";
  place.text.hidden = kind !== "text";
  showFacts(model);
  place.artifact.value = model.held.label;
  enable(true);
  tell("Ready.");
}

function enable(on) {
  const parts = ["file", "camera", "example", "words", "classify", "check", "verify"];
  for (const name of parts) place[name].disabled = !on;
}

// Pictures among the golden cases that are real ones: extremes and noise come first, real ones last.
async function findExamples() {
  if (!bundle.contents.files["golden/cases.json"]) return;
  const { cases } = await bundle.json("golden/cases.json");
  examples = cases.map((one) => one.picture).filter(Boolean).reverse();
  place.example.hidden = examples.length === 0;
}

function keepForOffline() {
  if (!navigator.serviceWorker) {
    place.offline.textContent += " Without https it is not kept for use without a network.";
    return;
  }
  navigator.serviceWorker
    // Past the browser's cache, which could hide a new release.
    .register(new URL("sw.js", BASE), { updateViaCache: "none" })
    .then(installed)
    .then(() => {
      place.offline.textContent =
        "Kept on this device: it works without a network. Nothing that you show it leaves it.";
      document.documentElement.dataset.offline = "ready";
    })
    .catch((error) => trouble(new Error(`Not kept for offline use: ${error.message}`)));
}

// Waits for a first release to be kept; one that replaces another may take its time.
function installed(registration) {
  const worker = registration.installing ?? registration.waiting;
  return new Promise((resolve, reject) => {
    const look = () => {
      if (registration.active) resolve();
      else if (worker.state === "redundant") {
        reject(new Error("a file of the bundle was changed, or is not there."));
      }
    };
    worker?.addEventListener("statechange", look);
    look();
  });
}

async function start() {
  bundle = await Bundle.open(BASE);
  for (const { label, bytes } of bundle.contents.artifacts) {
    place.artifact.append(new Option(`${label}, ${(bytes / 1e6).toFixed(1)} MB`, label));
  }
  place.choice.hidden = bundle.contents.artifacts.length < 2;
  await load(asked.get("artifact") ?? undefined);
  await findExamples();
  keepForOffline();
  document.documentElement.dataset.ready = "yes";
  if (asked.has("check")) {
    place.check.closest("details").open = true;
    runCheck(); // when this turn is over
  }
}

inTurn(start);
