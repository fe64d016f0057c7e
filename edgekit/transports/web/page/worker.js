// One model's worker: it computes, so that the page stays responsive and shares nothing between
// sessions. A classic worker, because LiteRT.js loads its wasm with importScripts.
"use strict";

// Runtimes say on the console where ops ran: kept, to be read, and not shown.
const said = [];
for (const level of ["debug", "error", "info", "log", "warn"]) {
  console[level] = (...words) => {
    said.push(words.map(String).join(" "));
    if (said.length > 20000) said.shift();
  };
}
self.said = said;

const computing = import("./computing.js");
let turn = Promise.resolve();

self.onmessage = ({ data: { step, body } }) => {
  turn = turn.then(async () => {
    try {
      const { handle } = await computing;
      const { answer, raw } = await handle(step, body);
      self.postMessage({ answer, raw }, raw ? [raw] : []);
    } catch (error) {
      const message = String(error?.message ?? error).split("\n")[0];
      self.postMessage({
        error: {
          kind: error?.kind ?? "runtime",
          message: `${step.runtime ?? "the page"}: ${message}`,
          details: said.filter((line) => /error|fail|abort/i.test(line)).slice(-3),
          hint: error?.hint ?? null,
        },
      });
    }
  });
};
