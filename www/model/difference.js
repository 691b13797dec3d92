// What two pictures of one size differ by, as a picture. Pure functions, no DOM.

/** @typedef {import("../pkg/dfsq.js").Picture} Picture */

/** How many times a difference can be enlarged. */
export const GAINS = [1, 2, 4, 8, 16, 32];

/** The second minus the first, channel by channel, enlarged, around a middle grey; what does not fit is cut off. @param {Picture} first @param {Picture} second @param {number} gain @returns {Picture} */
export function difference(first, second, gain) {
  const { width, height, rgba } = first;
  // Opaque, and grey where they are equal.
  const shown = new Uint8ClampedArray(rgba.length).fill(255);
  for (let at = 0; at < rgba.length; at++) {
    if (at % 4 !== 3) shown[at] = 128 + gain * (second.rgba[at] - rgba[at]);
  }
  return { width, height, rgba: new Uint8Array(shown.buffer) };
}
