// Files of a bundle that this browser never asks for. LiteRT.js comes in two builds, of which a
// browser takes one: as the library itself asks. A script for the page and its service worker.
self.isUnused = (path) => {
  const found = /litert_wasm_(compat_)?internal\.(js|wasm)$/.exec(path);
  return found !== null && Boolean(found[1]) === relaxedSimd();
};

// (func (result v128) i32.const 1, i8x16.splat, i32.const 2, i8x16.splat, i8x16.relaxed_swizzle)
function relaxedSimd() {
  return WebAssembly.validate(
    new Uint8Array([
      0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 15, 1, 13, 0, 65, 1, 253,
      15, 65, 2, 253, 15, 253, 128, 2, 11,
    ]),
  );
}
