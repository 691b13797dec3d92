// Pictures and scores computed so far, by keys that say what they were computed from. No DOM.

/**
 * @typedef {import("../pkg/dfsq.js").Picture} Picture
 * @typedef {import("../pkg/dfsq.js").Score} Score
 * @typedef {{picture: Picture, seconds?: number, layerDb?: Float64Array, costs?: import("../pkg/dfsq.js").Costs, score?: Score, complete: boolean}} Result
 * `complete` once it has been scored, or need not be
 */

/** Bytes of pictures kept for going back to a setting. */
const MOST_BYTES = 400e6;

export class Results {
  /** @type {Map<string, Result>} */
  #results = new Map();

  /** @param {string | undefined} key */
  get(key) {
    return key === undefined ? undefined : this.#results.get(key);
  }

  /** Remembers a result, and forgets the oldest where they take too much memory. @param {string} key @param {Result} result */
  keep(key, result) {
    this.#results.delete(key);
    this.#results.set(key, result);
    let bytes = 0;
    for (const old of [...this.#results.keys()].reverse()) {
      bytes += this.#results.get(old)?.picture.rgba.byteLength ?? 0;
      if (bytes > MOST_BYTES && old !== key) this.#results.delete(old);
    }
  }
}
