// The place of the pictures that is looked at closely: where they differ most, until the user chooses another. No DOM.
import { isCancelled } from "../engine/client.js";
import { hasDistance } from "./contenders.js";
import { QUANTIZED_METHODS } from "./plan.js";

/**
 * @typedef {import("./bench.js").Bench} Bench
 * @typedef {import("../pkg/dfsq.js").Picture} Picture
 * @typedef {import("./plan.js").Size} Size
 * @typedef {{x: number, y: number}} Share a point of the pictures, in 0..1
 */

/** Most places that are found. */
const MOST = 24;

export class Places {
  #bench;
  #side = 48;
  /** What places were asked for, and their corners in pixels of the pictures, the worst first. @type {{of: unknown[], corners: number[][]}} */
  #found = { of: [], corners: [] };
  /** Which of them. */
  #index = 0;
  /** The middle of what the user chose instead. @type {Share | undefined} */
  #chosen;
  #closed = false;
  /** Image and region that these are of. */
  #input = "";

  /** @param {Bench} bench */
  constructor(bench) {
    this.#bench = bench;
  }

  /** Pixels of the pictures that a place is wide and high. */
  get side() {
    return this.#side;
  }

  set side(side) {
    this.#side = side;
    this.#bench.changed();
  }

  /** Finds places of the pictures that are there now, once all have come. */
  update() {
    const { contenders, samples, scheduler, engines } = this.#bench;
    const sample = samples.current;
    const input = sample ? this.#bench.inputKey(sample) : "";
    if (input !== this.#input) {
      this.#chosen = undefined;
      this.#found = { of: [], corners: [] };
    }
    this.#input = input;
    if (!sample || scheduler.incomplete || this.#closed) return;
    const full = scheduler.result("fp32")?.picture;
    const compared = [...QUANTIZED_METHODS, ...contenders.kept.filter(hasDistance).map(({ id }) => id)];
    const others = compared.flatMap((id) => scheduler.result(id)?.picture ?? []);
    const of = [full, ...others, this.#side];
    if (!full || (of.length === this.#found.of.length && of.every((part, i) => part === this.#found.of[i]))) return;
    // Those before stay until others come.
    const found = (this.#found = { of, corners: this.#found.corners });
    engines.images.call("differingPlaces", [others, full, this.#side, MOST]).then(
      (corners) => {
        if (this.#found !== found) return;
        found.corners = Array.from({ length: corners.length / 2 }, (_, i) => [corners[2 * i], corners[2 * i + 1]]);
        this.#index = 0;
        this.#bench.changed();
      },
      (error) => {
        if (this.#found !== found) return;
        // Where the worker was stopped, it is asked again with the next change; what fails is not.
        this.#found = { of: isCancelled(error) ? [] : of, corners: [] };
        if (!isCancelled(error)) throw error;
      },
    );
  }

  /** Which of the places that were found is looked at; nothing where the user chose one, or there is none. @returns {{index: number, count: number} | undefined} */
  get rank() {
    const count = this.#found.corners.length;
    return this.#chosen || !count ? undefined : { index: this.#index, count };
  }

  /** Whether there is a place to go on to. */
  get hasNext() {
    return this.#found.corners.length > (this.#chosen ? 0 : 1);
  }

  /** The part of pictures of this size that is looked at; near an edge what is there. Nothing where none is. @param {Size} size @returns {import("./plan.js").Region | undefined} */
  part({ width, height }) {
    const side = Math.min(this.#side, width, height);
    const start = (/** @type {number} */ middle, /** @type {number} */ length) => Math.max(0, Math.min(Math.round(middle * length - side / 2), length - side));
    const [left, top] = this.#chosen ? [start(this.#chosen.x, width), start(this.#chosen.y, height)] : (this.#found.corners[this.#index] ?? []);
    if (this.#closed || left === undefined || top === undefined) return undefined;
    // Those that were found for another side may not have room.
    return { x: Math.min(left, width - side), y: Math.min(top, height - side), width: side, height: side };
  }

  /** Looks at the next place where they differ, after the last at the first again. */
  next() {
    this.#index = this.#chosen ? 0 : (this.#index + 1) % this.#found.corners.length;
    this.#chosen = undefined;
    this.#bench.changed();
  }

  /** Looks around a point. @param {Share} middle */
  choose(middle) {
    this.#chosen = middle;
    this.#closed = false;
    this.#bench.changed();
  }

  /** Looks at none, until one is chosen. */
  close() {
    this.#closed = true;
    this.#bench.changed();
  }
}
