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

/** Pixels on each side that a local error is averaged over. */
const AROUND = 4;
/** PSNR in dB, of a place, at both ends of the colours: the worst is white, the best black. */
const ENDS = [20, 60];

/** Luma of every pixel, 16 to 235. @param {Picture} picture */
function luma({ rgba }) {
  return Float64Array.from({ length: rgba.length / 4 }, (_, i) => 16 + (65.481 * rgba[4 * i] + 128.553 * rgba[4 * i + 1] + 24.966 * rgba[4 * i + 2]) / 255);
}

/** Sums over windows along one axis. @param {Float64Array} values @param {number} width @param {number} height @param {boolean} across */
function windowSums(values, width, height, across) {
  const [length, step, lines, between] = across ? [width, 1, height, width] : [height, width, width, 1];
  const sums = new Float64Array(values.length);
  for (let line = 0; line < lines; line++) {
    let sum = 0;
    const at = (/** @type {number} */ i) => (i >= 0 && i < length ? values[line * between + i * step] : 0);
    for (let i = -AROUND; i < length; i++) {
      sum += at(i + AROUND) - at(i - AROUND - 1);
      if (i >= 0) sums[line * between + i * step] = sum;
    }
  }
  return sums;
}

/** PSNR on luma around every pixel, in dB. @param {Picture} first @param {Picture} second */
export function localPsnr(first, second) {
  const { width, height } = first;
  const [a, b] = [luma(first), luma(second)];
  const squares = a.map((value, i) => (value - b[i]) ** 2);
  const sums = windowSums(windowSums(squares, width, height, true), width, height, false);
  const inside = (/** @type {number} */ at, /** @type {number} */ length) => Math.min(at + AROUND, length - 1) - Math.max(at - AROUND, 0) + 1;
  const count = (/** @type {number} */ i) => inside(i % width, width) * inside(Math.floor(i / width), height);
  return sums.map((sum, i) => 10 * Math.log10(255 ** 2 / Math.max(sum / count(i), 1e-12)));
}

/** Where the second picture is far from the first: black, red, yellow, white. @param {Picture} first @param {Picture} second @returns {Picture} */
export function errorMap(first, second) {
  const { width, height } = first;
  const rgba = new Uint8ClampedArray(4 * width * height);
  for (const [i, db] of localPsnr(first, second).entries()) {
    const share = 1 - Math.max(0, Math.min((db - ENDS[0]) / (ENDS[1] - ENDS[0]), 1));
    rgba.set([765 * share, 765 * share - 255, 765 * share - 510, 255], 4 * i);
  }
  return { width, height, rgba: new Uint8Array(rgba.buffer) };
}
