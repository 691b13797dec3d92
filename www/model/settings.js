// What the user has chosen, and how it travels in a link. No DOM.
import { CHOICES, uniform, valueOf } from "./choices.js";
import { Chosen, counted } from "./chosen.js";
import { same } from "./same.js";

/**
 * @typedef {import("./choices.js").Values} Values
 * @typedef {import("./choices.js").Reading} Reading
 * @typedef {import("./choices.js").Defaults} Defaults
 * @typedef {import("./choices.js").PointSettings} PointSettings
 */

/** With which a first visit begins: min-max is plainly broken there, and the others are not. */
const FIRST_BITS = 3;

/** Most changes that are undone. */
const MOST_UNDONE = 50;

/** The settings. Every change is announced by one event, "change". */
export class Settings extends EventTarget {
  /** @type {Chosen} */
  #chosen;
  /** What was chosen before, the last first. @type {Chosen[]} */
  #before = [];
  /** @type {Values} */
  #plain;

  /** @param {Defaults} defaults @param {URLSearchParams} [link] what it asks for is taken where it can be */
  constructor(defaults, link = new URLSearchParams()) {
    super();
    this.defaults = defaults;
    const { method: _, ...options } = defaults.options;
    this.#plain = /** @type {Values} */ ({ ...options, ...uniform(FIRST_BITS), mode: "benchmark", points: defaults.points, optSelection: defaults.optimalPoints.selection, recipe: defaults.recipe, scope: "paper", engine: "native" });
    this.#chosen = new Chosen(this.#read(link), defaults);
  }

  /** What is chosen now, with what follows from it. */
  get chosen() {
    return this.#chosen;
  }

  /** What is chosen now. */
  get values() {
    return this.#chosen.values;
  }

  /** @param {Partial<Values>} part */
  set(part) {
    const next = { ...this.values, ...part };
    if (same(next, this.values)) return;
    this.#before = [this.#chosen, ...this.#before].slice(0, MOST_UNDONE);
    this.#chosen = new Chosen(next, this.defaults);
    this.dispatchEvent(new Event("change"));
  }

  get canUndo() {
    return this.#before.length > 0;
  }

  /** Goes back to what was chosen before the last change. */
  undo() {
    const [last, ...others] = this.#before;
    if (!last) return;
    [this.#chosen, this.#before] = [last, others];
    this.dispatchEvent(new Event("change"));
  }

  /** Undoes no further than this: what was chosen before was for another network. */
  forget() {
    this.#before = [];
  }

  /** Takes over what a link asks for, where it can be; the rest as by default. @param {URLSearchParams} link */
  follow(link) {
    this.set(this.#read(link));
  }

  /** Sets a choice to the value that its select has. @param {string[]} path @param {string} text */
  choose(path, text) {
    this.set(with_(this.values, path, text));
  }

  /** Sets every choice of `CHOICES` as it is in the published code. */
  reset() {
    this.set(CHOICES.reduce((values, { path }) => with_(values, path, valueOf(this.#plain, path)), this.values));
  }

  /** The widths that are offered for all layers alike, without full precision, widest first. */
  get quantizedWidths() {
    return this.defaults.bitWidths.filter((width) => width !== 32);
  }

  /** Whether a choice is as in the published code. @param {string[]} path */
  isDefault(path) {
    return valueOf(this.values, path) === valueOf(this.#plain, path);
  }

  /** How a network is read. @returns {Reading} */
  get reading() {
    const { scope, engine } = this.values;
    return { scope, engine };
  }

  /** Whether points chosen with these settings are those that DFSQ is asked for. @param {PointSettings} points */
  arePoints(points) {
    return same(counted(points), counted(this.values.points));
  }

  /** What is not as it is by default, for a link. @param {Chosen} [chosen] @returns {Record<string, string>} */
  toLink({ values } = this.#chosen) {
    const { weightBits, activationBits, mode, layerBits } = values;
    const changed = CHOICES.filter(({ path }) => valueOf(values, path) !== valueOf(this.#plain, path));
    const layers = Object.entries(layerBits).map(([name, bits]) => [name.replace(/[%:,]/g, encodeURIComponent), ...bits].join(":"));
    return {
      weights: String(weightBits),
      activations: String(activationBits),
      mode,
      ...Object.fromEntries(changed.map(({ name, path }) => [name, valueOf(values, path)])),
      ...(layers.length ? { layers: layers.join() } : {}),
    };
  }

  /** What a link asks for, where it can be; the rest as by default. @param {URLSearchParams} link */
  fromLink(link) {
    return new Chosen(this.#read(link), this.defaults);
  }

  /** @param {URLSearchParams} link @returns {Values} */
  #read(link) {
    const bits = this.defaults.bitWidths.map(String);
    let values = this.#plain;
    const take = (/** @type {string} */ name, /** @type {string[]} */ allowed, /** @type {string[]} */ path) => {
      const value = link.get(name);
      if (value !== null && allowed.includes(value)) values = with_(values, path, value);
    };
    take("weights", bits, ["weightBits"]);
    take("activations", bits, ["activationBits"]);
    take("mode", ["benchmark", "upscale"], ["mode"]);
    for (const { name, values: allowed, path } of CHOICES) take(name, allowed.map(([value]) => value), path);
    const ofLayers = this.defaults.layerBitWidths.map(String);
    const layers = (link.get("layers")?.split(",") ?? []).flatMap((part) => {
      const [name, ...widths] = part.split(":");
      const understood = name && widths.length === 2 && widths.every((width) => ofLayers.includes(width));
      return understood ? [[name.replace(/%(25|3A|2C)/g, decodeURIComponent), widths.map(Number)]] : [];
    });
    return { ...values, layerBits: Object.fromEntries(layers) };
  }
}

/** A copy with another value at a path, a number where one was. @param {any} values @param {string[]} path @param {string} text @returns {any} */
function with_(values, [key, ...rest], text) {
  if (rest.length) return { ...values, [key]: with_(values[key], rest, text) };
  return { ...values, [key]: typeof values[key] === "number" ? Number(text) : text };
}
