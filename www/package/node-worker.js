// A thread of Node in which a worker's script (engine/worker.js) finds itself in a worker of the web.
import { parentPort, workerData } from "node:worker_threads";

const port = /** @type {import("node:worker_threads").MessagePort} */ (parentPort);
const scope = /** @type {any} */ (globalThis);
scope.self = scope;
scope.postMessage = (/** @type {unknown} */ message, /** @type {{transfer: ArrayBuffer[]}} */ options) => port.postMessage(message, options?.transfer);
await import(workerData);
port.on("message", (data) => scope.onmessage({ data }));
