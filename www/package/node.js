// The package `dfsq` in Node.
import { readFile } from "node:fs/promises";
import { Worker } from "node:worker_threads";
import { Network as AnyNetwork } from "../engine/network.js";
import { once } from "../engine/once.js";
export { EngineError } from "../engine/client.js";
export * from "../engine/network.js";

/** A thread as a worker of the web. @param {string} script @returns {import("../engine/client.js").WorkerLike} */
function makeWorker(script) {
  const thread = new Worker(new URL("./node-worker.js", import.meta.url), { workerData: script });
  /** @type {import("../engine/client.js").WorkerLike} */
  const worker = { onmessage() {}, onerror() {}, postMessage: (message) => thread.postMessage(message), terminate: () => thread.terminate() };
  thread.on("message", (data) => worker.onmessage({ data }));
  thread.on("error", ({ message }) => worker.onerror({ message, preventDefault() {} }));
  return worker;
}

/** A program, read and compiled once. @param {string} script @param {string} wasm @returns {() => import("../engine/client.js").Program} */
function program(script, wasm) {
  const start = once(async () => /** @type {[WebAssembly.Module]} */ ([await WebAssembly.compile(await readFile(new URL(wasm, import.meta.url)))]));
  return () => {
    const started = start();
    // A worker that ends before it comes to this does not wait for it.
    started.catch(() => {});
    return { make: () => makeWorker(script), start: started };
  };
}

/** Of the network, or of a file. @param {URL | string} address @param {AbortSignal} [signal] */
async function fetchAnything(address, signal) {
  const isFile = String(address).startsWith("file:");
  return isFile ? new Response(new Uint8Array(await readFile(new URL(address), { signal }))) : AnyNetwork.fetch(address, signal);
}

/** With the small program; the one that has tract is read when a network has operators that the native engine lacks. */
export class Network extends AnyNetwork {
  /** @type {typeof AnyNetwork.fetch} */
  static fetch = fetchAnything;

  static programs = [program("./worker.js", "./dfsq_bg.wasm"), program("./tract-worker.js", "./dfsq-tract_bg.wasm")];
}
