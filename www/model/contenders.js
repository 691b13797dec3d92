// What is compared: each method as it is chosen, and methods as they once were and are kept. No DOM.
import { CHOICES, GROUPS } from "./choices.js";
import { METHOD_NAMES, QUANTIZED_METHODS } from "./plan.js";

/**
 * @typedef {import("./bench.js").Bench} Bench
 * @typedef {import("./chosen.js").Chosen} Chosen
 * @typedef {{id: string, method: string, chosen: Chosen, number?: number}} Contender `id` is the method's own for one that follows what is chosen
 */

/** Most that are kept. */
const MOST = 4;

export class Contenders {
  #bench;
  /** @type {(Contender & {number: number})[]} */
  #kept = [];

  /** @param {Bench} bench */
  constructor(bench) {
    this.#bench = bench;
  }

  /** @returns {readonly Contender[]} */
  get kept() {
    return this.#kept;
  }

  /** Ids of all that there are: those that follow what is chosen, and those that are kept. */
  get ids() {
    return [...Object.keys(METHOD_NAMES), ...this.#kept.map(({ id }) => id)];
  }

  /** @param {string} id @returns {Contender} */
  get(id) {
    return this.#kept.find((one) => one.id === id) ?? { id, method: id, chosen: this.#bench.settings.chosen };
  }

  /** @param {string} id */
  isKept(id) {
    return this.#kept.some((one) => one.id === id);
  }

  /** Whether another can be kept of this. @param {string} id */
  canKeep(id) {
    return QUANTIZED_METHODS.includes(id) && this.#kept.length < MOST;
  }

  /** Keeps a method as it is chosen, whatever is chosen later. Answers its id. @param {string} method @param {Chosen} [chosen] @param {number} [first] the number that its id may have, beside others of the same bits */
  keep(method, chosen = this.#bench.settings.chosen, first = 1) {
    const link = this.linkOf(method, chosen);
    const known = this.#kept.find((one) => this.linkOf(one.method, one.chosen) === link);
    if (known) return known.id;
    const name = `${method}-${bitsInShort(chosen.values).toLowerCase()}`;
    let number = first;
    const idOf = () => (number > 1 ? `${name}-${number}` : name);
    while (this.isKept(idOf())) number++;
    const id = idOf();
    this.#kept = [...this.#kept, { id, method, chosen, number }];
    this.#bench.contendersChanged();
    return id;
  }

  /** Keeps it no longer. @param {string} id */
  release(id) {
    this.#kept = this.#kept.filter((one) => one.id !== id);
    this.#bench.contendersChanged();
  }

  /** Keeps none whose layers are not among these. @param {string[]} layers */
  fit(layers) {
    this.#kept = this.#kept.filter(({ chosen }) => Object.keys(chosen.values.layerBits).every((name) => layers.includes(name)));
  }

  /** What it is called; what is kept, by what it rounds to and its bits. @param {string} id */
  title(id) {
    const { method, chosen } = this.get(id);
    if (!this.isKept(id)) return METHOD_NAMES[method];
    const variant = chosen.variantInWords(method);
    const name = variant && method === "min-max" ? `Uniform, ${variant}` : (variant ?? METHOD_NAMES[method]);
    return `${name} ${bitsInShort(chosen.values)}`;
  }

  /** A method with all that counts with it, as a link has it. @param {string} method @param {Chosen} chosen */
  linkOf(method, chosen) {
    // What points are chosen by counts with whatever has some chosen: k-means has the same choices for both.
    const chooses = chosen.usesCalibration(method) || method === "dfsq-opt";
    const counting = CHOICES.filter(({ of, path }) => GROUPS[of].includes(method) || (chooses && path[0] === "points")).map(({ name }) => name);
    const names = ["weights", "activations", "layers", ...counting];
    const entries = Object.entries(this.#bench.settings.toLink(chosen)).filter(([name]) => names.includes(name));
    return String(new URLSearchParams([["method", method], ...entries]));
  }

  /** Those that are kept, for a link. */
  get link() {
    return this.#kept.map(({ method, chosen, number }) => `${this.linkOf(method, chosen)}${number > 1 ? `&number=${number}` : ""}`).join(" ");
  }

  /** Keeps what a link has. @param {string | null} text */
  follow(text) {
    this.#kept = [];
    for (const part of (text ?? "").split(" ").filter(Boolean).slice(0, MOST)) {
      const link = new URLSearchParams(part);
      const method = link.get("method") ?? "";
      const number = Math.trunc(Number(link.get("number")));
      if (QUANTIZED_METHODS.includes(method)) this.keep(method, this.#bench.settings.fromLink(link), number > 1 && number < 100 ? number : 1);
    }
    this.#bench.contendersChanged();
  }
}

/** As papers write it. @param {Pick<import("./choices.js").Values, "weightBits" | "activationBits" | "layerBits">} values */
export function bitsInShort({ weightBits, activationBits, layerBits }) {
  return Object.keys(layerBits).length ? "mixed" : `W${weightBits}A${activationBits}`;
}
