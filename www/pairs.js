// What goes into the network for a part of a picture, and what its output is scored against. No DOM.
import { cut } from "./picture.js";

/**
 * @typedef {import("./client.js").Picture} Picture
 * @typedef {{reference?: Picture, low: Picture}} Pair
 */

/** Pairs kept: as many as samples that are likely to be open. */
const MOST = 12;

export class Pairs {
  /** @type {Map<string, Promise<Pair>>} */
  #pairs = new Map();
  #engine;

  /** @param {import("./client.js").Engine} engine that shrinks */
  constructor(engine) {
    this.#engine = engine;
  }

  /** The pair of a sample: in benchmark mode the region and what it is when shrunk, else the region alone. @param {number} sample its index @param {Picture} picture @param {import("./plan.js").Region} region @param {{mode: string, scale: number}} settings @returns {Promise<Pair>} */
  get(sample, picture, region, { mode, scale }) {
    const { x, y, width, height } = region;
    const key = [sample, mode, x, y, width, height, scale].join(" ");
    let pair = this.#pairs.get(key);
    if (!pair) {
      const part = cut(picture, region);
      const make = mode === "benchmark" ? this.#engine.call("benchmarkPair", [part, scale]) : Promise.resolve({ low: part });
      pair = /** @type {Promise<Pair>} */ (make);
      this.#pairs.set(key, pair);
      if (this.#pairs.size > MOST) this.#pairs.delete(this.#pairs.keys().next().value ?? "");
      pair.catch(() => this.#pairs.delete(key));
    }
    return pair;
  }
}
