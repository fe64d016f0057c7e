// The page's side of an exchange: asks for the next step, has a worker carry it out, answers. An
// answer is sent until it has arrived; the number of its step keeps it from counting twice.
import * as view from "./view.js";

const SECRET = "X-Edgekit-Page";
const MEMORY_MS = 4000;

const load = Array.from(crypto.getRandomValues(new Uint32Array(4)), (n) => n.toString(16)).join("");
let secret = sessionStorage.getItem("edgekit") ?? "";
let about = null;
let hiddenTimes = 0;
let over = false;
const sessions = new Map(); // number → {worker, title, redone}

class Over extends Error {}

const pause = (ms) => new Promise((done) => setTimeout(done, ms));

// A request that is made until it succeeds; a refusal ends the page.
async function insist(path, options = {}) {
  for (let wait = 250; ; wait = Math.min(4000, wait * 2)) {
    if (over) throw new Over();
    let response = null;
    try {
      response = await fetch(path, { ...options, headers: { [SECRET]: secret }, cache: "no-store" });
    } catch {
      if (!over) view.state("away", "reconnecting");
      await pause(wait);
      continue;
    }
    if (response.ok) return response;
    const why = {
      403: "this link is not valid any more",
      404: null,
      409: "another browser has this link",
    };
    if (response.status === 404) return null;
    throw new Over(why[response.status] ?? `the server answers ${response.status}`);
  }
}

async function claim() {
  const response = await insist("claim", { method: "POST", body: JSON.stringify({ load }) });
  ({ secret } = await response.json());
  sessionStorage.setItem("edgekit", secret);
}

// Held open as long as the page lives: the other side sees at once when it does not.
async function stayConnected() {
  for (;;) {
    const response = await insist("alive");
    const reader = response.body.getReader();
    try {
      while (!(await reader.read()).done);
    } catch {
      // The network is gone; the next request waits for it.
    }
    await pause(500);
  }
}

function begin(worker) {
  const call = (step, body = new ArrayBuffer(0)) =>
    new Promise((resolve, reject) => {
      worker.onmessage = ({ data }) => (data.error ? reject(data.error) : resolve(data));
      worker.onerror = (event) => {
        event.preventDefault();
        reject({ kind: "runtime", message: `the worker failed: ${event.message ?? "no reason"}` });
      };
      worker.postMessage({ step, body }, [body]);
    });
  return { worker, call, title: "", timed: false, redone: 0 };
}

async function probe() {
  if (about) return about;
  const one = begin(new Worker("worker.js"));
  const { answer } = await one.call({ step: "probe" });
  one.worker.terminate();
  const data = await navigator.userAgentData
    ?.getHighEntropyValues?.(["fullVersionList", "model", "platformVersion"])
    .catch(() => null);
  const brand = data?.fullVersionList?.find(({ brand: name }) => /Chrom|Edge|Opera/.test(name));
  const battery = await navigator.getBattery?.().catch(() => null);
  about = {
    user_agent: navigator.userAgent.slice(0, 1000),
    browser: brand ? `${brand.brand} ${brand.version}` : null,
    model: data?.model || null,
    platform: data ? `${data.platform} ${data.platformVersion}`.trim() : null,
    hardware_concurrency: navigator.hardwareConcurrency ?? null,
    memory_gib: navigator.deviceMemory ?? null,
    isolated: globalThis.crossOriginIsolated === true,
    secure: globalThis.isSecureContext === true,
    visibility: document.visibilityState,
    screen: `${screen.width} × ${screen.height}, ${devicePixelRatio} px`,
    // Full and charging is also what is said where there is no battery.
    battery:
      battery && !(battery.charging && battery.level === 1)
        ? { level: battery.level, charging: battery.charging }
        : null,
    ...answer,
  };
  view.facts(about);
  return about;
}

async function carryOut(step, body) {
  if (step.step === "probe") return { answer: await probe() };
  if (step.step === "load") {
    const response = await insist(`file?name=${encodeURIComponent(step.file.name)}`);
    if (!response) throw { kind: "device", message: "the model is not there any more" };
    const one = begin(new Worker("worker.js"));
    sessions.set(step.session, Object.assign(one, { title: step.title, timed: step.timed }));
    view.model(step);
    stayAwake();
    return await one.call(step, await response.arrayBuffer());
  }
  const one = sessions.get(step.session);
  if (!one) throw { kind: "runtime", message: "the page does not hold this model any more" };
  if (step.step === "close") {
    one.worker.terminate();
    sessions.delete(step.session);
    view.redraw();
    return { answer: {} };
  }
  if (step.step === "show") {
    view.figure(step.score);
    return { answer: {} };
  }
  if (step.step === "block") return await inView(one, step);
  if (step.step === "facts") {
    const memory = one.timed ? await memoryBytes() : null;
    const { answer } = await one.call(step);
    return { answer: { ...answer, page_memory_bytes: memory, blocks_redone: one.redone } };
  }
  const found = await one.call(step, body);
  if (step.step === "run") view.samples(step.count, step.show);
  return found;
}

// A hidden tab is slowed down, and a locked phone stops: such a block is timed again.
async function inView(one, step) {
  for (;;) {
    while (document.visibilityState !== "visible") {
      view.state("away", "waiting to be seen");
      await new Promise((seen) =>
        document.addEventListener("visibilitychange", seen, { once: true }),
      );
    }
    const before = hiddenTimes;
    const found = await one.call(step);
    if (hiddenTimes === before) {
      view.block(one.title, found.answer.samples_ns);
      return found;
    }
    one.redone += 1;
  }
}

async function memoryBytes() {
  if (!performance.measureUserAgentSpecificMemory) return null;
  const measured = performance
    .measureUserAgentSpecificMemory()
    .then(({ bytes }) => bytes)
    .catch(() => null);
  return await Promise.race([measured, pause(MEMORY_MS).then(() => null)]);
}

let lock = null;
async function stayAwake() {
  if (lock && !lock.released) return;
  lock = await navigator.wakeLock?.request("screen").catch(() => null);
}

function pack({ answer, raw }) {
  const header = new TextEncoder().encode(JSON.stringify(answer));
  const length = new DataView(new ArrayBuffer(4));
  length.setUint32(0, header.length, true);
  return new Blob([length.buffer, header, raw ?? new ArrayBuffer(0)]);
}

async function serve() {
  view.state("waiting", "connected");
  for (let done = 0; ; ) {
    const response = await insist(`next?after=${done}`);
    if (response.status === 204) {
      view.state("waiting", "waiting for edgekit");
      continue;
    }
    const { number, step, bytes, over: why } = await response.json();
    if (why) throw new Over(why);
    view.state("working", "working");
    let found = null;
    try {
      const body = bytes ? await insist(`body?number=${number}`) : null;
      found = await carryOut(step, body ? await body.arrayBuffer() : undefined);
    } catch (error) {
      if (error instanceof Over) throw error;
      const { kind = "runtime", message = String(error), details = [], hint = null } = error;
      found = { answer: { error: { kind, message, details, hint } } };
    }
    await insist(`answer?number=${number}`, { method: "POST", body: pack(found) });
    done = number;
  }
}

document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "hidden") hiddenTimes += 1;
  else if (sessions.size) stayAwake();
});

try {
  await claim();
  stayConnected().catch(() => {});
  await serve();
} catch (error) {
  over = true;
  for (const { worker } of sessions.values()) worker.terminate();
  view.state(error instanceof Over ? "done" : "over", error.message);
}
