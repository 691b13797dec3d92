// Pictures and scores computed so far, by keys that say what they were computed from. No DOM.

/**
 * @typedef {import("../pkg/dfsq.js").Picture} Picture
 * @typedef {import("../pkg/dfsq.js").Score} Score
 * @typedef {{picture: Picture, seconds?: number, layerDb?: Float64Array, weightDb?: Float64Array, channelDb?: Float64Array[], costs?: import("../pkg/dfsq.js").Costs, score?: Score}} Result
 * `score` is against the reference, where there is one
 * @typedef {{score: Score | undefined}} Distance from the full-precision output; without a score where pictures are too small for one
 */

/** Bytes of pictures kept for going back to a setting. */
const MOST_BYTES = 400e6;

export class Results {
  /** Without the pictures: they are small, and are kept. @type {Map<string, Omit<Result, "picture">>} */
  #facts = new Map();

  /** The oldest first. @type {Map<string, Result>} */
  #results = new Map();

  /** @type {Map<string, Distance>} */
  #distances = new Map();

  /** How far a result is from full precision, if that has been measured. @param {string | undefined} key @param {string | undefined} full */
  distance(key, full) {
    return this.#distances.get(`${key} ${full}`);
  }

  /** @param {string} key @param {string} full @param {Distance} distance */
  keepDistance(key, full, distance) {
    this.#distances.set(`${key} ${full}`, distance);
  }

  /** A result whose picture is still there. @param {string | undefined} key @returns {Result | undefined} */
  get(key) {
    return key === undefined ? undefined : this.#results.get(key);
  }

  /** What is known of a result, whether its picture is still there or not. @param {string | undefined} key */
  facts(key) {
    return key === undefined ? undefined : this.#facts.get(key);
  }

  /** Remembers a result, and forgets the oldest pictures that are not shown where they take too much memory. @param {string} key @param {Result} result @param {Set<string | undefined>} shown */
  keep(key, result, shown = new Set()) {
    const { picture: _, ...facts } = result;
    this.#facts.set(key, facts);
    this.#results.delete(key);
    this.#results.set(key, result);
    let bytes = 0;
    for (const old of [...this.#results.keys()].reverse()) {
      bytes += this.#results.get(old)?.picture.rgba.byteLength ?? 0;
      if (bytes > MOST_BYTES && old !== key && !shown.has(old)) this.#results.delete(old);
    }
  }
}
