// Pictures and scores computed so far. No DOM.

/**
 * @typedef {{psnrY: number, ssimY: number}} Score
 * @typedef {{picture: import("./client.js").Picture, seconds?: number, layerDb?: Float64Array, costs?: import("./client.js").Costs, score?: Score, complete: boolean}} Result
 */

/** Bytes of pictures kept for going back to a setting. */
const MOST_BYTES = 400e6;

export class Results {
  /** @type {Map<string, Result>} */
  #results = new Map();

  /** @param {string} key */
  get(key) {
    return this.#results.get(key);
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
