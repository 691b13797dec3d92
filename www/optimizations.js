// Files of optimized layers of the present network, by how they were made. No DOM, no workers.
import { defaults, optimization } from "./settings.js";

/**
 * @typedef {import("./settings.js").Settings} Settings
 * @typedef {import("./client.js").NetworkInfo} NetworkInfo
 * @typedef {{file?: Uint8Array, bits: Set<string>, id: number}} Optimization `bits` are those it has layers for; `id` counts files that the user brought
 */

export class Optimizations {
  /** @type {Map<string, Optimization>} */
  #made = new Map();

  /** Forgets everything for another network. @param {NetworkInfo} info @param {Uint8Array | undefined} file that came with it */
  reset(info, file) {
    this.#made.clear();
    this.#made.set(key(defaults()), { file, bits: bitsOf(info), id: 0 });
  }

  /** @param {Settings} settings @returns {Optimization} */
  find(settings) {
    return this.#made.get(key(settings)) ?? { bits: new Set(), id: 0 };
  }

  /** One that the user brought is now in use. @param {Settings} settings @param {NetworkInfo} info @param {Uint8Array} file */
  bring(settings, info, file) {
    this.#made.set(key(settings), { file, bits: bitsOf(info), id: this.find(settings).id + 1 });
  }

  /** A file that has these bits too takes the place of the one before. @param {Settings} settings @param {string} bits @param {Uint8Array} file */
  extend(settings, bits, file) {
    const known = this.find(settings);
    this.#made.set(key(settings), { ...known, file, bits: new Set([...known.bits, bits]) });
  }

  /** What a result depends on. @param {Settings} settings */
  id(settings) {
    return [key(settings), this.find(settings).id].join();
  }
}

/** @param {NetworkInfo} info */
function bitsOf({ optimizedBits }) {
  return new Set(optimizedBits.map((layers) => layers.join()));
}

/** @param {Settings} settings */
function key(settings) {
  return JSON.stringify(optimization(settings));
}
