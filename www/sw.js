// Keeps one version of the page whole, for when there is no network, and so that no two versions are ever mixed. The next one
// waits until the page says so. Networks are kept by engine/downloads.js.

const PAGES = "dfsq-page-";
const CACHE = PAGES + VERSION;

const worker = /** @type {any} */ (self);

worker.addEventListener("install", (/** @type {any} */ event) => {
  // Not from the browser's own cache, which may hold an earlier version under the same name.
  const keep = async () => (await caches.open(CACHE)).addAll(FILES.map((file) => new Request(file, { cache: "reload" })));
  event.waitUntil(keep());
});

worker.addEventListener("message", (/** @type {any} */ event) => event.data === "take over" && worker.skipWaiting());

worker.addEventListener("activate", (/** @type {any} */ event) => {
  const forget = async () => {
    const names = await caches.keys();
    const old = names.filter((name) => name === "dfsq-page" || (name.startsWith(PAGES) && name !== CACHE));
    await Promise.all(old.map((name) => caches.delete(name)));
    await worker.clients.claim();
  };
  event.waitUntil(forget());
});

/** What is kept, or else what the server has; of that, what belongs to this version by its name is kept too. @param {Request} request */
async function answer(request) {
  const cache = await caches.open(CACHE);
  const kept = await cache.match(request.mode === "navigate" ? "./" : request);
  if (kept) return kept;
  const response = await fetch(request);
  // Without room to keep it, it is still good.
  if (response.ok && new URL(request.url).pathname.includes("/assets/")) await cache.put(request, response.clone()).catch(() => {});
  return response;
}

worker.addEventListener("fetch", (/** @type {any} */ event) => {
  const { request } = event;
  const { scope } = worker.registration;
  const page = request.mode === "navigate" && [scope, `${scope}index.html`].includes(request.url.split(/[?#]/)[0]);
  const listed = request.mode !== "navigate" && request.url.startsWith(scope) && !/\/onnx\/.*\.(onnx|calibration|optimized)(\?|$)/.test(request.url);
  if (request.method === "GET" && (page || listed)) event.respondWith(answer(request));
});
