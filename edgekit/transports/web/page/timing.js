// The clock, and calls between two readings of it.

const RESOLUTIONS = 20; // A timed stretch lasts at least so many steps of the clock.
const MOST_IN_GROUP = 10000;
const MOST_BYTES = 64 * 2 ** 20;
const MOST_SAMPLES = 100000;

const now = () => performance.now();
const nanoseconds = (milliseconds, calls) => Math.max(0, Math.round((milliseconds * 1e6) / calls));

// The smallest step the clock was seen to make.
export function resolutionNs() {
  let least = Infinity;
  for (let tries = 0; tries < 40; tries++) {
    const start = now();
    let next = start;
    while (next === start) next = now();
    least = Math.min(least, next - start);
  }
  return Math.max(1, Math.round(least * 1e6));
}

// Calls until `seconds` are over and `atLeast` samples are taken. A sample is the mean of `group`
// calls: inputs are set for all of them, then all are computed, then all outputs are read, so that
// the parts can be timed apart however coarse the clock is. A runtime that returns before its work
// is done (`readInside`) is timed up to the outputs, call by call.
export async function timeCalls(model, arrays, { seconds, atLeast, group }) {
  const samples = [];
  const calls = [];
  const end = now() + seconds * 1000;
  do {
    const fed = new Array(group);
    const got = new Array(group);
    const t0 = now();
    for (let i = 0; i < group; i++) fed[i] = model.set(arrays);
    const t1 = now();
    for (let i = 0; i < group; i++) {
      got[i] = await model.invoke(fed[i]);
      if (model.readInside) await model.read(got[i]);
    }
    const t2 = now();
    if (!model.readInside) for (let i = 0; i < group; i++) await model.read(got[i]);
    const t3 = now();
    samples.push(nanoseconds(t2 - t1, group));
    calls.push(nanoseconds(t3 - t0, group));
    for (let i = 0; i < group; i++) model.drop(fed[i], got[i]);
  } while ((now() < end || samples.length < atLeast) && samples.length < MOST_SAMPLES);
  return { samples, calls };
}

// How many calls have to be timed together, so that a sample is many steps of the clock long.
export async function callsPerSample(model, arrays) {
  const enough = resolutionNs() * RESOLUTIONS;
  const bytes = arrays.reduce((sum, array) => sum + array.array.byteLength, 1);
  const most = Math.max(1, Math.min(MOST_IN_GROUP, Math.floor(MOST_BYTES / bytes)));
  for (let group = 1; ; ) {
    const { samples } = await timeCalls(model, arrays, { seconds: 0, atLeast: 10, group });
    const took = group * Math.min(...samples);
    if (took >= enough || group === most) return group;
    group = Math.min(most, Math.max(2 * group, Math.ceil((1.5 * group * enough) / Math.max(1, took))));
  }
}

export async function untilOver(model, arrays, seconds) {
  const end = now() + seconds * 1000;
  while (now() < end) await timeCalls(model, arrays, { seconds: 0, atLeast: 1, group: 1 });
}
