// The link to what is looked at, which is also what is kept for the next visit.
import { SAMPLES } from "./opening.js";

/** @typedef {import("../model/bench.js").Bench} Bench */

/** Of what a link's parts mean. */
const VERSION = "1";
/** Where it is kept. */
const KEY = "dfsq";

/** What the address asks for, or else what was kept, on tract with `?engine=tract`. A link of another version says nothing. @returns {URLSearchParams} */
export function wanted() {
  const asked = new URLSearchParams(location.hash.slice(1));
  const all = [...asked].length ? asked : new URLSearchParams(kept());
  const link = (all.get("v") ?? VERSION) === VERSION ? all : new URLSearchParams({ v: all.get("v") ?? "" });
  if (new URLSearchParams(location.search).get("engine") === "tract") link.set("engine", "tract");
  return link;
}

function kept() {
  try {
    return localStorage.getItem(KEY) ?? "";
  } catch {
    // Forbidden here.
    return "";
  }
}

/** @param {import("../model/plan.js").Region} region */
const regionText = ({ x, y, width, height }) => [x, y, width, height].join();

/** Milliseconds: browsers refuse an address that changes too often. */
const OFTEN = 400;

export class Link {
  #bench;
  #comparison;
  #view;
  #networks;
  /** What is kept now. */
  #kept = "";
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #mirroring;
  /** Whether all that was asked for has been taken, so that it may be overwritten. */
  #taken = false;

  /** @param {Bench} bench @param {import("./comparison.js").Comparison} comparison @param {import("./compare-view.js").CompareView} view @param {import("./network-picker.js").NetworkPicker} networks */
  constructor(bench, comparison, view, networks) {
    this.#bench = bench;
    this.#comparison = comparison;
    this.#view = view;
    this.#networks = networks;
  }

  /** @returns {Record<string, string>} */
  get #parts() {
    const { contenders, focus, library, settings } = this.#bench;
    const { zoom, x, y } = this.#view.camera;
    return {
      network: this.#networks.id,
      ...settings.toLink(),
      ...this.#comparison.arrangement,
      ...(contenders.kept.length ? { kept: contenders.link } : {}),
      layer: library.info?.layers[focus.layer]?.name ?? "",
      channel: String(focus.channel),
      method: focus.method,
      zoom: [zoom, x, y].map((value) => Number(value.toFixed(3))).join(),
      v: VERSION,
    };
  }

  /** The whole, with the bundled sample that is looked at. */
  get text() {
    const { current } = this.#bench.samples;
    const sample = SAMPLES.find((name) => current?.name === `${name}.png`);
    const parts = { ...this.#parts, ...(sample && current ? { sample, region: regionText(current.chosen) } : {}) };
    return String(new URLSearchParams(parts));
  }

  /** Takes over what a network and a picture must be there for. Answers with what of it could not be had. @param {URLSearchParams} link @returns {string[]} */
  take(link) {
    const { focus, library } = this.#bench;
    const layer = library.info?.layers.findIndex(({ name, quantized }) => quantized && name === link.get("layer")) ?? -1;
    if (layer >= 0) focus.set({ layer });
    const channel = Number(link.get("channel"));
    if (Number.isInteger(channel)) focus.set({ channel });
    focus.set({ method: link.get("method") ?? focus.method });
    const [zoom, x, y] = link.get("zoom")?.split(",").map(Number) ?? [];
    if ([zoom, x, y].every(Number.isFinite)) this.#view.look({ zoom, x, y });
    this.#takeRegion(link.get("region"));
    this.#taken = true;
    // What was understood is now part of the link to this.
    const now = new URLSearchParams(this.text);
    // What is kept can be said in several ways, and the usual panes are not said.
    const { kept } = this.#bench.contenders;
    /** @type {Record<string, (value: string) => boolean>} */
    const others = { kept: (value) => value.split(" ").filter(Boolean).length === kept.length, panes: (value) => value === this.#comparison.panes };
    const isTaken = (/** @type {string} */ name, /** @type {string} */ value) => others[name]?.(value) ?? now.get(name) === value;
    return [...link].filter(([name, value]) => !isTaken(name, value)).map(([name]) => name);
  }

  /** Of the bundled sample that the link is of. @param {string | null} text */
  #takeRegion(text) {
    const [x, y, width, height] = text?.split(",").map(Number) ?? [];
    const sample = this.#bench.samples.current;
    const isPart = (/** @type {number} */ at, /** @type {number} */ length, /** @type {number} */ whole) => Number.isInteger(at) && Number.isInteger(length) && at >= 0 && length > 0 && at + length <= whole;
    if (!sample || !isPart(x, width, sample.picture.width) || !isPart(y, height, sample.picture.height)) return;
    if (text !== regionText(sample.chosen)) this.#bench.chooseRegion({ x, y, width, height });
  }

  /** Keeps what is chosen for the next visit; an address that was a link stays one, to what is chosen now. */
  draw() {
    if (!this.#taken || !this.#bench.library.info) return;
    if (location.hash.length > 1) this.#mirror();
    const { zoom: _, ...parts } = this.#parts;
    const text = String(new URLSearchParams(parts));
    if (text === this.#kept) return;
    this.#kept = text;
    try {
      localStorage.setItem(KEY, text);
    } catch {
      // Forbidden here: the next visit begins with what is chosen by default.
    }
  }
  /** Makes the address say what is chosen now. */
  #mirror() {
    this.#mirroring ??= setTimeout(() => {
      this.#mirroring = undefined;
      if (location.hash.length > 1 && location.hash !== `#${this.text}`) history.replaceState(null, "", `#${this.text}`);
    }, OFTEN);
  }
}
