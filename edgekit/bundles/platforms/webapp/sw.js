// Keeps the whole bundle for use without a network. A release is kept only when every file of it is
// what bundle.json says, signed by the app's key where it has one, and the one before stays until
// then. Nothing is asked for elsewhere.
"use strict";

// The release changes with any file, and so the browser finds this script new.
importScripts("release.js", "app/builds.js", "app/key.js", "app/signature.js");

const PREFIX = `edgekit:${self.registration.scope}:`;
const CACHE = PREFIX + self.RELEASE;
const POLICY =
  "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self' blob:; " +
  "connect-src 'self'; worker-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; " +
  "frame-ancestors 'self'";

// What a server isolates the page with, so that threads may compute.
const ISOLATING = ["Cross-Origin-Opener-Policy", "Cross-Origin-Embedder-Policy"];

self.addEventListener("install", (event) => event.waitUntil(keep()));

self.addEventListener("activate", (event) =>
  event.waitUntil(
    (async () => {
      for (const name of await caches.keys()) {
        if (name.startsWith(PREFIX) && name !== CACHE) await caches.delete(name);
      }
      await self.clients.claim();
    })(),
  ),
);

self.addEventListener("fetch", (event) => {
  const url = new URL(event.request.url);
  const scope = new URL(self.registration.scope);
  if (event.request.method !== "GET" || url.origin !== scope.origin) return;
  if (!url.pathname.startsWith(scope.pathname)) return;
  // Opening the cache would make it again, empty, where a newer release has just deleted it.
  event.respondWith(
    (async () => {
      const kept = await caches.match(event.request, { cacheName: CACHE, ignoreSearch: true });
      return kept ?? fetch(event.request);
    })(),
  );
});

async function keep() {
  const scope = self.registration.scope;
  const listing = await ask(new URL("bundle.json", scope));
  const { files } = JSON.parse(new TextDecoder().decode(listing.bytes));
  const signature = self.KEY && (await ask(new URL("bundle.sig", scope)));
  if (signature) {
    const whole = { ...files, "bundle.json": { sha256: await digestOf(listing.bytes) } };
    await self.checkSignature(self.KEY, new Uint8Array(signature.bytes), whole);
  }
  const cache = await caches.open(CACHE);
  try {
    for (const [path, { bytes, sha256 }] of Object.entries(files)) {
      if (self.isUnused(path)) continue;
      const got = await ask(new URL(path, scope));
      if (got.bytes.byteLength !== bytes || (await digestOf(got.bytes)) !== sha256) {
        throw new Error(`${path} is not what the bundle says`);
      }
      await cache.put(new URL(path, scope), got.answer());
      if (path === "index.html") await cache.put(scope, got.answer());
    }
    await cache.put(new URL("bundle.json", scope), listing.answer());
    if (signature) await cache.put(new URL("bundle.sig", scope), signature.answer());
  } catch (error) {
    await caches.delete(CACHE);
    throw error;
  }
}

async function ask(url) {
  const found = await fetch(url, { cache: "no-cache", redirect: "error" });
  if (!found.ok) throw new Error(`${url.pathname}: ${found.status}`);
  const bytes = await found.arrayBuffer();
  const headers = {
    ...Object.fromEntries(ISOLATING.map((name) => [name, found.headers.get(name)]).filter(([, told]) => told)),
    "Content-Type": found.headers.get("Content-Type") ?? "application/octet-stream",
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
  };
  return { bytes, answer: () => new Response(bytes, { headers }) };
}

async function digestOf(bytes) {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
