// What goes into the network for a part of a picture, and what its output is scored against. No DOM.
import { cut } from "./picture.js";

/**
 * @typedef {import("../pkg/dfsq.js").Picture} Picture
 * @typedef {{reference?: Picture, low: Picture}} Pair
 */

/** Pairs kept: as many as samples that are likely to be open. */
const MOST = 12;

export class Pairs {
  /** @type {Map<string, Promise<Pair>>} */
  #pairs = new Map();
  #engine;

  /** @param {import("../engine/client.js").Engine} engine that shrinks */
  constructor(engine) {
    this.#engine = engine;
  }

  /** The pair of a sample: in benchmark mode the region and what it is when shrunk, else the region alone. @param {string} key @param {import("./samples.js").Sample} sample @param {{mode: string, scale: number}} settings @returns {Promise<Pair>} */
  get(key, { picture, region }, { mode, scale }) {
    let pair = this.#pairs.get(key);
    if (!pair) {
      const part = cut(picture, region);
      pair = mode === "benchmark" ? /** @type {Promise<Pair>} */ (this.#engine.call("benchmarkPair", [part, scale, undefined])) : Promise.resolve({ low: part });
      this.#pairs.set(key, pair);
      if (this.#pairs.size > MOST) this.#pairs.delete(this.#pairs.keys().next().value ?? "");
      pair.catch(() => this.#pairs.delete(key));
    }
    return pair;
  }
}
