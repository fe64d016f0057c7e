// What a person sees: state, model, figures, plot and the facts of the device.
import { inWords, Plot } from "./plot.js";

const $ = (id) => document.getElementById(id);
const plot = new Plot($("plot"), $("legend"));
const counts = { timed: 0, samples: 0 };
let drawn = 0;
let current = "";

export function state(kind, words) {
  $("state").dataset.kind = kind;
  if ($("state").textContent !== words) $("state").textContent = words;
}

export function model({ title, runtime, backend, threads }) {
  current = title;
  $("model").textContent = title;
  $("how").textContent = `${runtime} on ${backend}, ${threads} thread${threads > 1 ? "s" : ""}`;
}

export function block(title, samplesNs) {
  for (const part of document.querySelectorAll(".of-time")) part.hidden = false;
  counts.timed += samplesNs.length;
  plot.add(
    title,
    samplesNs.map((ns) => ns / 1e6),
  );
  // Now and then, and never while calls are timed: the page answers after it has drawn.
  if (performance.now() - drawn < 250) return;
  drawn = performance.now();
  redraw();
}

// The figures on top are those of the model that is named there; the legend has everybody's.
export function redraw() {
  plot.draw();
  const [median, best] = [plot.median(current), plot.best(current)];
  if (median === null) return;
  $("median").textContent = inWords(median);
  $("best").textContent = inWords(best);
  $("timed").textContent = counts.timed.toLocaleString("en");
  $("plot-words").textContent =
    `${current}: median ${inWords(median)} ms. A line is the median of each block of calls, ` +
    "the band reaches from least to most.";
}

export function samples(count, { done, total, score }) {
  $("run").hidden = false;
  counts.samples += count;
  $("samples").textContent = counts.samples.toLocaleString("en");
  $("progress").hidden = false;
  $("progress").max = total;
  $("progress").value = Math.min(total, done + count);
  if (score) figure(score);
}

// Accuracy on the samples so far, as edgekit judges the outputs it was sent.
export function figure({ name, value }) {
  $("scored").hidden = false;
  $("score-name").textContent = name;
  $("score").textContent = value.toFixed(1);
}

function shortName(agent) {
  const known = /(Edg|SamsungBrowser|Firefox|FxiOS|CriOS|Chrome|Version)\/[\d.]+/.exec(agent);
  return known ? known[0].replace("/", " ").replace("Version", "Safari") : agent;
}

export function facts(about) {
  const words = {
    browser: about.browser ?? shortName(about.user_agent),
    model: about.model,
    platform: about.platform,
    processor: about.hardware_concurrency && `${about.hardware_concurrency} logical cores`,
    memory: about.memory_gib && `at least ${about.memory_gib} GiB`,
    GPU: about.gpu && [about.gpu.vendor, about.gpu.architecture].filter(Boolean).join(" "),
    clock: `steps of ${(about.resolution_ns / 1000).toLocaleString("en")} µs`,
    threads: about.isolated ? "wasm may share memory between threads" : "one: the page is not isolated",
    screen: about.screen,
    battery:
      about.battery &&
      `${Math.round(100 * about.battery.level)} %${about.battery.charging ? ", charging" : ""}`,
  };
  $("facts").replaceChildren(
    ...Object.entries(words)
      .filter(([, text]) => text)
      .flatMap(([label, text]) => {
        const [dt, dd] = [document.createElement("dt"), document.createElement("dd")];
        dt.textContent = label;
        dd.textContent = text;
        return [dt, dd];
      }),
  );
  $("caution").hidden = about.isolated;
  $("caution").textContent = about.isolated
    ? ""
    : "Over http from the network a browser gives one thread, a coarse clock and no WebGPU. https gives all of them.";
}
