// The open images, and which part of each is looked at. No DOM.
import { firstRegion, fixedSize, region } from "./plan.js";

/**
 * @typedef {import("../pkg/dfsq.js").Decoded} Decoded
 * @typedef {import("./plan.js").Region} Region
 * @typedef {import("./plan.js").Cost} Cost
 * @typedef {{name: string, file: Uint8Array, picture: Decoded, chosen: Region, region: Region}} Sample `region` is what is looked at: the chosen one, or what the network takes of it
 */

export class Samples {
  /** @type {Sample[]} */
  list = [];
  /** Index of the one that is looked at. */
  active = 0;

  /** @returns {Sample | undefined} */
  get current() {
    return this.list[this.active];
  }

  /** Adds an image and looks at it. @param {string} name @param {Uint8Array} file @param {Decoded} picture @param {Cost} cost */
  add(name, file, picture, cost) {
    const chosen = firstRegion(picture);
    this.list.push(fitted({ name, file, picture, chosen, region: chosen }, cost));
    this.active = this.list.length - 1;
  }

  /** Closes an image, and looks at the one after it, or else before it. @param {number} index */
  remove(index) {
    this.list.splice(index, 1);
    if (this.active > index || this.active === this.list.length) this.active = Math.max(this.active - 1, 0);
  }

  /** Puts an image elsewhere among the others; the same one is looked at as before. @param {number} from @param {number} to */
  move(from, to) {
    const { current } = this;
    const [moved] = this.list.splice(from, 1);
    if (moved) this.list.splice(to, 0, moved);
    if (current) this.active = this.list.indexOf(current);
  }

  /** Looks at another part of the current image. @param {Region} chosen @param {Cost} cost */
  chooseRegion(chosen, cost) {
    const { current } = this;
    if (current) this.list[this.active] = fitted({ ...current, chosen }, cost);
  }

  /** Fits every region to what the network takes. @param {Cost} cost */
  fit(cost) {
    this.list = this.list.map((sample) => fitted(sample, cost));
  }
}

/** @param {Sample} sample @param {Cost} cost @returns {Sample} */
function fitted(sample, cost) {
  const size = fixedSize(cost);
  if (!size) return { ...sample, region: sample.chosen };
  const { x, y, width, height } = sample.chosen;
  return { ...sample, region: region(sample.picture, size, { x: x + width / 2, y: y + height / 2 }) };
}
