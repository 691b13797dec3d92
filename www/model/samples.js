// The open images, and which part of each is looked at. No DOM.
import { isQuick, region, suggestedRegion } from "./plan.js";

/**
 * @typedef {import("../pkg/dfsq.js").Decoded} Decoded
 * @typedef {import("./plan.js").Region} Region
 * @typedef {import("./plan.js").Cost} Cost
 * @typedef {{name: string, picture: Decoded, region: Region, chosen?: boolean}} Sample `chosen` where the user chose the region
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

  /** Adds an image and looks at it. @param {string} name @param {Decoded} picture @param {Cost} cost */
  add(name, picture, cost) {
    this.list.push({ name, picture, region: suggestedRegion(picture, cost) });
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

  /** Looks at another part of the current image. @param {Region} part */
  chooseRegion(part) {
    const { current } = this;
    if (current) this.list[this.active] = { ...current, region: part, chosen: true };
  }

  /** Fits every region to what the network takes, and makes those smaller that would take too long where the user has not chosen them. @param {Cost} cost */
  fit(cost) {
    this.list = this.list.map((sample) => {
      if (cost.size) return { ...sample, region: exactRegion(sample, cost) };
      return sample.chosen || isQuick(sample.region, cost) ? sample : { ...sample, region: suggestedRegion(sample.picture, cost) };
    });
  }
}

/** For a network that takes one size only. @param {Sample} sample @param {Cost} cost */
function exactRegion({ picture, region: { x, y, width, height } }, cost) {
  return region(picture, suggestedRegion(picture, cost), { x: x + width / 2, y: y + height / 2 });
}
