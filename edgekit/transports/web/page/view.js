// What a person sees: state, model, figures, plot and the facts of the device.
import { inWords, Plot } from "./plot.js";

const $ = (id) => document.getElementById(id);
const plot = new Plot($("plot"), $("legend"));
const counts = { timed: 0, samples: 0 };
let drawn = 0;

export function state(kind, words) {
  $("state").dataset.kind = kind;
  if ($("state").textContent !== words) $("state").textContent = words;
}

export function model({ title, runtime, backend, threads }) {
  $("model").textContent = title;
  $("how").textContent = `${runtime} on ${backend}, ${threads} thread${threads > 1 ? "s" : ""}`;
}

export function block(title, samplesNs) {
  counts.timed += samplesNs.length;
  plot.add(
    title,
    samplesNs.map((ns) => ns / 1e6),
  );
  // Now and then, and never while calls are timed: the page answers after it has drawn.
  if (performance.now() - drawn < 250) return;
  drawn = performance.now();
  redraw(title);
}

export function redraw(title) {
  plot.draw();
  const [median, best] = [plot.median(title), plot.best(title)];
  if (median === null) return;
  $("median").textContent = inWords(median);
  $("best").textContent = inWords(best);
  $("timed").textContent = counts.timed.toLocaleString("en");
  $("plot-words").textContent =
    `Median ${inWords(median)} ms over ${counts.timed.toLocaleString("en")} timed calls; ` +
    "line: median of each block, band: from least to most.";
}

export function samples(count, { done, total, score }) {
  counts.samples += count;
  $("samples").textContent = counts.samples.toLocaleString("en");
  $("progress").hidden = false;
  $("progress").max = total;
  $("progress").value = Math.min(total, done + count);
  if (score) {
    $("scored").hidden = false;
    $("score-name").textContent = score.name;
    $("score").textContent = score.value.toFixed(1);
  }
}

export function facts(about) {
  const words = {
    browser: about.browser ?? about.user_agent,
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
