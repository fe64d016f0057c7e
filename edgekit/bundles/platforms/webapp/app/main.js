// The page: takes pictures, frames, sounds and texts, and shows what the model makes of them.
import "./builds.js";
import { Camera } from "./camera.js";
import { check } from "./check.js";
import { decode } from "./decoding.js";
import { classesOf } from "./device.js";
import { Microphone, soundOf } from "./hearing.js";
import { Model } from "./model.js";
import { withoutSides } from "./pictures.js";
import { Bundle } from "./verify.js";
import {
  drawPicture, drawWave, place, sayResult, showFacts, showResults, summaryOf, tell, trouble,
} from "./view.js";

const BASE = new URL("../", import.meta.url);
const SAY_EVERY_MS = 2000; // what is read aloud of a camera's pictures
const asked = new URLSearchParams(location.search);

let bundle = null;
let model = null;
let turn = Promise.resolve(); // one call after the other
let examples = [];
let nextExample = 0;
const microphone = new Microphone();

const camera = new Camera(place.video, async (frame, width, height) => {
  await see(frame.rgba, width, height, frame.source, { live: true });
});

// One thing at a time; what goes wrong is shown, and the page goes on.
function inTurn(work) {
  turn = turn.then(work).catch((error) => {
    camera.stop();
    pressed(place.camera, false);
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
    sayResult(found, model.labels);
    said = performance.now();
  }
}

function show(blob, { example = false } = {}) {
  return inTurn(async () => {
    camera.stop();
    pressed(place.camera, false);
    trouble(null);
    tell("Looking …");
    const decoded = await decode(blob).catch(() => {
      throw new Error("This file is no picture that this browser reads.");
    });
    // Golden samples carry the sides that a letterbox gave them; without, they become the same again.
    const [spec] = model.contract.inputs;
    const cut = example && spec.resize === "letterbox" ? withoutSides(decoded, spec.grey) : null;
    const { rgba, width, height } = cut ?? decoded;
    const source = cut
      ? await createImageBitmap(new ImageData(new Uint8ClampedArray(rgba), width, height))
      : await createImageBitmap(blob, { imageOrientation: "from-image" });
    await see(rgba, width, height, source);
    source.close();
  });
}

const NAMES = { camera: ["Camera", "Stop camera"], microphone: ["Microphone", "Stop recording"] };
const pressed = (button, on) => {
  button.setAttribute("aria-pressed", String(on));
  button.querySelector("span").textContent = NAMES[button.id][Number(on)];
};

place.file.addEventListener("change", () => {
  const [file] = place.file.files;
  if (file) show(file);
  place.file.value = "";
});

place.camera.addEventListener("click", async () => {
  if (camera.runs) {
    camera.stop();
    pressed(place.camera, false);
    tell("Camera stopped.");
    return;
  }
  trouble(null);
  try {
    await camera.start();
    pressed(place.camera, true);
  } catch (error) {
    trouble(new Error(`The camera cannot be opened: ${error.message}`));
  }
});

place.example.addEventListener("click", async () => {
  const path = examples[nextExample++ % examples.length];
  try {
    show(new Blob([await bundle.read(path)], { type: "image/png" }), { example: true });
  } catch (error) {
    trouble(error);
  }
});

async function hear({ samples, resampled }) {
  const [spec] = model.contract.inputs;
  const found = await model.heard(samples);
  drawWave(samples, spec.length, summaryOf(found, model.labels));
  const rate = `${spec.rate_hz.toLocaleString("en")} Hz`;
  const seconds = (samples.length / spec.rate_hz).toFixed(2);
  place.rate.textContent = `${seconds} s at ${rate}${resampled ? ", resampled by this browser" : ""}`;
  showResults(found, model.labels);
  sayResult(found, model.labels);
}

place.soundfile.addEventListener("change", () => {
  const [file] = place.soundfile.files;
  if (file) {
    inTurn(async () => {
      trouble(null);
      tell("Listening …");
      await hear(await soundOf(new Uint8Array(await file.arrayBuffer()), model.contract.inputs[0]));
    });
  }
  place.soundfile.value = "";
});

place.microphone.addEventListener("click", () => {
  if (microphone.runs) {
    microphone.stop();
    return;
  }
  inTurn(async () => {
    trouble(null);
    pressed(place.microphone, true);
    try {
      const [spec] = model.contract.inputs;
      tell("Recording …");
      const recorded = await microphone.record(spec).catch((error) => {
        throw new Error(`The microphone cannot be used: ${error.message}`);
      });
      await hear(recorded);
    } finally {
      pressed(place.microphone, false);
    }
  });
});

place.classify.addEventListener("click", () =>
  inTurn(async () => {
    trouble(null);
    const found = await model.read(place.words.value);
    showResults(found, model.labels);
    sayResult(found, model.labels);
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
    pressed(place.camera, false);
    place.mismatches.replaceChildren();
    const result = await check(model, (done, all) => {
      place.checked.textContent = `Checking case ${done + 1} of ${all} …`;
    });
    const { outputs, answers, furthest, mismatches } = result;
    const kind = ["pictures", "texts", "sounds"].find((one) => result[one]) ?? "samples";
    place.checked.textContent =
      `${mismatches.length} mismatches: ${result[kind] ?? 0} ${kind} to the bit, ${outputs} outputs ` +
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
  model = await Model.open(bundle, { artifact, classes: classesOf(asked.get("device")) });
  const [{ kind }] = model.contract.inputs;
  place.picture.hidden = kind !== "picture";
  place.sound.hidden = kind !== "sound";
  place.text.hidden = kind !== "text";
  showFacts(model);
  place.artifact.value = model.held.label;
  enable(true);
  const passed = model.passed.map(({ label }) => label).join(", ");
  tell(passed ? `Ready, with ${model.held.label}: ${passed} could not be loaded.` : "Ready.");
}

function enable(on) {
  const parts = [
    "file", "camera", "example", "soundfile", "microphone", "words", "classify", "check", "verify",
  ];
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
  bundle = await Bundle.open(BASE, { key: self.KEY ?? undefined });
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
