// The package `dfsq/tract` in a browser: the program that has tract, four times as large, for every network.
import { Network as AnyNetwork } from "../engine/network.js";
export { EngineError } from "../engine/client.js";
export * from "../engine/network.js";

/** @type {() => import("../engine/client.js").Program} */
export const program = () => ({ make: () => new Worker(new URL("./tract-worker.js", import.meta.url), { type: "module" }), start: Promise.resolve([undefined]) });

/** Has the same program as `Network` of `dfsq` where a network has operators that the native engine lacks, and does not fetch another first. */
export class Network extends AnyNetwork {
  static programs = [program];
}
