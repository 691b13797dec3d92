// Runs one Session. Verbs are those of the wasm package: functions of the module, or methods of the session.
import * as dfsq from "program";
import { download, fetched } from "./downloads.js";

/** @type {any} */
let session;

/** What the program said last before it broke down: where it panicked, and of what. */
let lastWords = "";
const { error: print } = console;
console.error = (/** @type {unknown[]} */ ...texts) => {
  const [text] = `${texts[0]}`.split("\n\nStack:");
  if (text?.startsWith("panicked")) lastWords = text.replace(/:\n/, ": ");
  print.apply(console, texts);
};

/** @type {Record<string, Function>} */
const verbs = {
  async compile(/** @type {string} */ url) {
    const response = await fetched(url);
    const streams = response.headers.get("Content-Type") === "application/wasm";
    return streams ? WebAssembly.compileStreaming(response) : WebAssembly.compile(await response.arrayBuffer());
  },
  /** Without a module, fetches the one that lies beside this script. */
  async start(/** @type {WebAssembly.Module | undefined} */ module) {
    await dfsq.default(module && { module_or_path: module });
  },
  download: (/** @type {string} */ url, /** @type {string} */ sha256, /** @type {(bytes: number) => void} */ progress) =>
    download(url, sha256, dfsq.sha256, progress),
  load(/** @type {import("./client.js").NetworkFile} */ { bytes, properties, stated, tract }) {
    // Two of them may be too much. The client has the file of the one before.
    session?.free();
    session = undefined;
    session = new dfsq.Session(bytes, properties, tract, stated);
  },
};

/** @param {any} value @returns {ArrayBuffer[]} */
function buffers(value) {
  if (ArrayBuffer.isView(value)) return [/** @type {ArrayBuffer} */ (value.buffer)];
  return value && typeof value === "object" ? Object.values(value).flatMap(buffers) : [];
}

self.onmessage = async ({ data: { id, method, args } }) => {
  lastWords = "";
  const progress = (/** @type {number} */ done) => self.postMessage({ id, progress: done });
  try {
    const verb = verbs[method] ?? /** @type {any} */ (dfsq)[method];
    if (!verb && !session) throw new Error("no network is loaded");
    const result = verb ? await verb(...args, progress) : session[method](...args, progress);
    self.postMessage({ id, result }, { transfer: buffers(result) });
  } catch (cause) {
    const error = /** @type {Error} */ (cause);
    self.postMessage({ id, error: { kind: error.name, message: error.message, lastWords } });
  }
};
