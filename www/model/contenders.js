// What is compared: each method as it is chosen, and methods as they once were and are kept, with the network that they were of. No DOM.
import { CHOICES, GROUPS } from "./choices.js";
import { METHOD_NAMES, NETWORK_METHODS } from "./plan.js";

/**
 * @typedef {import("./bench.js").Bench} Bench
 * @typedef {import("./chosen.js").Chosen} Chosen
 * @typedef {import("./library.js").Library} Library
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

  /** Whether another can be kept. */
  get canKeep() {
    return this.#kept.length < MOST;
  }

  /** Keeps a method as it is chosen, whatever is chosen later. Answers its id. @param {string} method @param {Chosen} [asked] @param {number} [first] the number that its id may have, beside others of the same bits */
  keep(method, asked = this.#bench.settings.chosen, first = 1) {
    const identity = (/** @type {Chosen} */ chosen) => this.#bench.libraryOf(chosen).info?.identity;
    const own = this.#placed(asked);
    // Bits of single layers are of one network.
    const placed = this.#fits(own) ? own : own.with({ layerBits: {} });
    const others = this.#kept.filter((one) => identity(one.chosen) === identity(placed));
    // One network is one library.
    const chosen = others.length ? placed.of(others[0].chosen.library) : placed;
    const known = others.find((one) => this.#whole(one) === this.#whole({ method, chosen }));
    if (known) return known.id;
    const name = `${method}-${method === "fp32" ? "kept" : bitsInShort(chosen.values).toLowerCase()}`;
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

  /**
   * After another network has come into use: what is kept stays with its own where both enlarge alike; where not, it is of the new one.
   * @param {Library} before the one that was in use
   */
  stay(before) {
    const placed = this.#kept.map((one) => ({ ...one, chosen: this.#placed(one.chosen.of(one.chosen.library ?? before)) }));
    /** @type {(Contender & {number: number})[]} */
    const kept = [];
    // Two that were of two networks may be the same now.
    for (const one of placed) if ((one.method === "fp32" || this.#fits(one.chosen)) && !kept.some((other) => this.#whole(other) === this.#whole(one))) kept.push(one);
    this.#kept = kept;
  }

  /** A contender by all that it is. @param {{method: string, chosen: Chosen}} contender */
  #whole({ method, chosen }) {
    return `${this.#bench.libraryOf(chosen).info?.identity} ${this.linkOf(method, chosen)}`;
  }

  /** The networks beside the one in use of which something is kept. */
  get libraries() {
    return [...new Set(this.#kept.flatMap(({ chosen }) => chosen.library ?? []))];
  }

  /** Whether pictures of a network are as large as those of the one in use. @param {Library} library */
  isAlike({ info }) {
    return info !== undefined && info.convention.scale === this.#bench.library.info?.convention.scale;
  }

  /** With its own network where that is beside the one in use and enlarges alike; else with the one in use. @param {Chosen} chosen */
  #placed(chosen) {
    const { library } = chosen;
    const isBeside = library && library.info?.identity !== this.#bench.library.info?.identity && this.isAlike(library);
    return isBeside ? chosen : chosen.of(undefined);
  }

  /** Whether its network has all layers that have bits of their own. @param {Chosen} chosen */
  #fits(chosen) {
    const { layers = [] } = this.#bench.libraryOf(chosen).info ?? {};
    return Object.keys(chosen.values.layerBits).every((name) => layers.some((layer) => layer.quantized && layer.name === name));
  }

  /** What it is called; what is kept, by its network where that is not in use, by what it rounds to and its bits. @param {string} id */
  title(id) {
    const { method, chosen } = this.get(id);
    if (!this.isKept(id)) return METHOD_NAMES[method];
    const network = this.networkName(chosen);
    const variant = chosen.variantInWords(method);
    const name = variant && method === "min-max" ? `Uniform, ${variant}` : (variant ?? METHOD_NAMES[method]);
    const own = method === "fp32" ? name : `${name} ${bitsInShort(chosen.values)}`;
    return network ? `${network}: ${own}` : method === "fp32" ? `${own}, kept` : own;
  }

  /** What a network that is not in use is called; nothing for the one in use. @param {Chosen} chosen */
  networkName({ library }) {
    return library && (this.#listing(library)?.name ?? library.info?.name ?? "another network");
  }

  /** @param {Library} library */
  #listing({ info }) {
    return this.#bench.listed.find(({ sha256 }) => sha256 === info?.sha256);
  }

  /** A method with all that counts with it, as a link has it. @param {string} method @param {Chosen} chosen */
  linkOf(method, chosen) {
    // What points are chosen by counts with whatever has some chosen: k-means has the same choices for both.
    const chooses = chosen.usesCalibration(method) || method === "dfsq-opt";
    const counting = CHOICES.filter(({ of, path }) => GROUPS[of].includes(method) || (chooses && path[0] === "points")).map(({ name }) => name);
    const names = method === "fp32" ? [] : ["weights", "activations", "layers", ...counting];
    const entries = Object.entries(this.#bench.settings.toLink(chosen)).filter(([name]) => names.includes(name));
    return String(new URLSearchParams([["method", method], ...entries]));
  }

  /** Those that are kept, for a link: of the network in use, and of those that are listed. */
  get link() {
    const parts = this.#kept.flatMap(({ method, chosen, number }) => {
      const parts = new URLSearchParams(this.linkOf(method, chosen));
      if (number > 1) parts.set("number", String(number));
      const { library } = chosen;
      if (library) {
        const id = this.#listing(library)?.id;
        if (!id) return [];
        for (const [name, value] of Object.entries({ network: id, ...library.reading })) parts.set(name, value);
      }
      return [String(parts)];
    });
    return parts.join(" ");
  }

  /** Keeps what a link has of the network in use. @param {string | null} text */
  follow(text) {
    this.#kept = [];
    for (const link of partsOf(text)) if (!link.has("network")) this.#follow(link);
    this.#bench.contendersChanged();
  }

  /** Keeps what a link has of other networks, which are asked for by their ids and how they are read. @param {string | null} text @param {(id: string, reading: import("./choices.js").Reading) => Promise<Library | undefined>} ask */
  async followBeside(text, ask) {
    for (const link of partsOf(text)) {
      const id = link.get("network");
      if (id === null || !this.canKeep) continue;
      const { scope, engine } = this.#bench.settings.fromLink(link).values;
      const library = await ask(id, { scope, engine });
      if (library && this.isAlike(library)) this.#follow(link, library);
    }
  }

  /** @param {URLSearchParams} link @param {Library} [library] */
  #follow(link, library) {
    const method = link.get("method") ?? "";
    const number = Math.trunc(Number(link.get("number")));
    if (!NETWORK_METHODS.includes(method) || !this.canKeep) return;
    this.keep(method, this.#bench.settings.fromLink(link).of(library), number > 1 && number < 100 ? number : 1);
  }
}

/** Whether a contender's distance from the full precision of the network in use says anything. @param {Contender} contender */
export const hasDistance = ({ method, chosen }) => method !== "reference" && method !== "fp32" && !chosen.library;

/** @param {string | null} text what a link says of all that is kept */
const partsOf = (text) => (text ?? "").split(" ").filter(Boolean).map((part) => new URLSearchParams(part));

/** As papers write it. @param {Pick<import("./choices.js").Values, "weightBits" | "activationBits" | "layerBits">} values */
export function bitsInShort({ weightBits, activationBits, layerBits }) {
  return Object.keys(layerBits).length ? "mixed" : `W${weightBits}A${activationBits}`;
}
