// Runs one Session. Verbs are those of the wasm package: functions of the module, or methods of the session.
import init, * as dfsq from "../pkg/dfsq.js";
import { download } from "./downloads.js";

/** @type {any} */
let session;

/** @type {Record<string, Function>} */
const verbs = {
  async compile(/** @type {string} */ url) {
    const response = await fetch(url);
    if (!response.ok) throw new Error("the program (pkg/dfsq_bg.wasm) could not be loaded; was it built?");
    return WebAssembly.compileStreaming(response);
  },
  start: (/** @type {WebAssembly.Module} */ module) => init({ module_or_path: module }).then(() => undefined),
  download: (/** @type {string} */ url, /** @type {string} */ sha256, /** @type {(bytes: number) => void} */ progress) =>
    download(url, sha256, dfsq.sha256, progress),
  load(/** @type {import("./client.js").NetworkFile} */ { bytes, properties }) {
    // Two of them may be too much. The client has the file of the one before.
    session?.free();
    session = undefined;
    session = new dfsq.Session(bytes, properties);
    // To compare: ?engine=tract
    if (new URLSearchParams(self.location.search).get("engine") === "tract") session.useTract();
  },
};

/** @param {any} value @returns {ArrayBuffer[]} */
function buffers(value) {
  if (ArrayBuffer.isView(value)) return [/** @type {ArrayBuffer} */ (value.buffer)];
  return value && typeof value === "object" ? Object.values(value).flatMap(buffers) : [];
}

self.onmessage = async ({ data: { id, method, args } }) => {
  const progress = (/** @type {number} */ done) => self.postMessage({ id, progress: done });
  try {
    const verb = verbs[method] ?? /** @type {any} */ (dfsq)[method];
    const result = verb ? await verb(...args, progress) : session[method](...args, progress);
    self.postMessage({ id, result }, { transfer: buffers(result) });
  } catch (cause) {
    const error = /** @type {Error} */ (cause);
    self.postMessage({ id, error: { kind: error.name, message: error.message } });
  }
};
