// Keeps the page for when there is no network, and its workers under its policy. Networks are kept by engine/downloads.js.

const CACHE = "dfsq-page";
/** What the page needs and its HTML does not name. */
const UNNAMED = ["engine/worker.js", "pkg/dfsq.js", "pkg/dfsq_bg.wasm", "onnx/models.json", "samples/parrot.png", "samples/lighthouse.png", "samples/bikes.png"];

/** All files of the page. */
async function files() {
  const html = await (await fetch("./")).text();
  const named = [...html.matchAll(/(?:href|src)="([^":#]+)"/g)].map(([, path]) => path);
  return ["./", ...named, ...UNNAMED];
}

self.addEventListener("install", (/** @type {any} */ event) => {
  const keep = async () => (await caches.open(CACHE)).addAll(await files());
  event.waitUntil(keep().then(() => /** @type {any} */ (self).skipWaiting()));
});

self.addEventListener("activate", (/** @type {any} */ event) => event.waitUntil(/** @type {any} */ (self).clients.claim()));

/** A worker obeys only the policy that it is served with: the one that the page states. @param {Response} script */
async function underPolicy(script) {
  const page = await (await caches.open(CACHE)).match("./");
  const [, policy] = (await page?.text())?.match(/Content-Security-Policy" content="([^"]+)"/) ?? [];
  const headers = new Headers(script.headers);
  if (policy) headers.set("Content-Security-Policy", policy);
  return new Response(script.body, { status: script.status, statusText: script.statusText, headers });
}

/** What the server has now, or else what it had. @param {any} event @returns {Promise<Response>} */
async function answer(event) {
  const { request } = event;
  const cache = await caches.open(CACHE);
  try {
    const response = await fetch(request);
    // Without room to keep it, it is still good.
    if (response.ok) event.waitUntil(cache.put(request, response.clone()).catch(() => {}));
    return response;
  } catch (error) {
    const kept = await cache.match(request, { ignoreSearch: true });
    if (kept) return kept;
    throw error;
  }
}

self.addEventListener("fetch", (/** @type {any} */ event) => {
  const { method, url, destination } = event.request;
  const own = new URL(url).origin === location.origin;
  if (method !== "GET" || !own || /\/onnx\/.*\.(onnx|calibration|optimized)$/.test(url)) return;
  event.respondWith(destination === "worker" ? answer(event).then(underPolicy) : answer(event));
});
