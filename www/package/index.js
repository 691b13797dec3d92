// The package `dfsq` in a browser.
import { Network as AnyNetwork } from "../engine/network.js";
export { EngineError } from "../engine/client.js";
export * from "../engine/network.js";

/** @type {() => import("../engine/client.js").Program} */
const program = () => ({ make: () => new Worker(new URL("./worker.js", import.meta.url), { type: "module" }), start: Promise.resolve([undefined]) });

/** As `program`, fetched when it is needed. @type {() => import("../engine/client.js").Program} */
const tract = () => ({ make: async () => (await import("./tract.js")).program().make(), start: Promise.resolve([undefined]) });

/** With the program that has tract where a network has operators that the native engine lacks. */
export class Network extends AnyNetwork {
  static programs = [program, tract];
}
