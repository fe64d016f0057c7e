// Hands on what the microphone gives, in the thread of sound.
registerProcessor(
  "recorder",
  class extends AudioWorkletProcessor {
    process([[first]]) {
      if (first) this.port.postMessage(first.slice());
      return true;
    }
  },
);
