// A latency plot that grows: for each model a line of medians and a band from least to most, drawn
// as SVG so that the style sheet colours it.

const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 640;
const HEIGHT = 240;
const POINTS = 160; // Neighbours are merged beyond that.
const COLOURS = 4;

const make = (name, attributes) => {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
};
const median = (values) => {
  const sorted = Float64Array.from(values).sort();
  return sorted[sorted.length >> 1];
};
export const inWords = (ms) =>
  ms >= 100 ? ms.toFixed(0) : ms >= 10 ? ms.toFixed(1) : ms >= 1 ? ms.toFixed(2) : ms.toFixed(3);

export class Plot {
  constructor(svg, legend) {
    this.svg = svg;
    this.legend = legend;
    this.series = new Map();
    this.labels = document.createElement("div");
    const box = document.createElement("div");
    box.className = "plot-box";
    svg.replaceWith(box);
    this.labels.className = "ticks";
    this.labels.setAttribute("aria-hidden", "true");
    box.append(svg, this.labels);
  }

  // A block of timed calls of a model, in milliseconds.
  add(name, samples) {
    if (!samples.length) return;
    if (!this.series.has(name)) this.series.set(name, []);
    const points = this.series.get(name);
    const least = samples.reduce((a, b) => Math.min(a, b));
    const most = samples.reduce((a, b) => Math.max(a, b));
    points.push({ least, middle: median(samples), most });
    if (points.length > 2 * POINTS) {
      const merged = [];
      for (let i = 0; i + 1 < points.length; i += 2) {
        const [one, two] = [points[i], points[i + 1]];
        merged.push({
          least: Math.min(one.least, two.least),
          middle: (one.middle + two.middle) / 2,
          most: Math.max(one.most, two.most),
        });
      }
      this.series.set(name, merged);
    }
  }

  median(name) {
    const points = this.series.get(name);
    return points?.length ? median(points.map(({ middle }) => middle)) : null;
  }

  best(name) {
    const points = this.series.get(name);
    return points?.length ? Math.min(...points.map(({ least }) => least)) : null;
  }

  draw() {
    const all = [...this.series.values()].flat();
    if (!all.length) return;
    // Some slow blocks must not flatten the rest: the axis ends above nearly all.
    const sorted = Float64Array.from(all, ({ middle }) => middle).sort();
    const top = sorted[Math.floor(0.95 * (sorted.length - 1))] * 1.6;
    const y = (ms) => HEIGHT - (Math.min(ms, top) / top) * HEIGHT;
    const parts = [];
    const ticks = [];
    for (let i = 0; i <= 4; i++) {
      const height = (HEIGHT * i) / 4;
      parts.push(make("line", { class: "grid", x1: 0, x2: WIDTH, y1: height, y2: height }));
      if (i < 4) ticks.push(this.tick(`${inWords((top * (4 - i)) / 4)} ms`, i * 25));
    }
    const names = [...this.series.keys()];
    names.forEach((name, index) => {
      const points = this.series.get(name);
      const colour = `var(--series-${index % COLOURS})`;
      const x = (i) => (points.length > 1 ? (WIDTH * i) / (points.length - 1) : WIDTH / 2);
      const line = (key) => points.map((p, i) => `${x(i).toFixed(1)},${y(p[key]).toFixed(1)}`);
      const band = `M${line("most").join("L")}L${line("least").reverse().join("L")}Z`;
      parts.push(make("path", { class: "band", d: band, fill: colour }));
      parts.push(make("polyline", { class: "middle", points: line("middle").join(" "), stroke: colour }));
    });
    this.svg.replaceChildren(...parts);
    this.labels.replaceChildren(...ticks);
    this.name(names);
  }

  tick(text, percent) {
    const label = document.createElement("span");
    label.textContent = text;
    label.style.setProperty("top", `${percent}%`);
    return label;
  }

  name(names) {
    this.legend.replaceChildren(
      ...names.map((name, index) => {
        const entry = document.createElement("li");
        const mark = document.createElement("span");
        mark.style.setProperty("background", `var(--series-${index % COLOURS})`);
        entry.append(mark, `${name}: ${inWords(this.median(name))} ms`);
        return entry;
      }),
    );
  }
}
