// A channel as a picture. No DOM.

/** @typedef {import("../pkg/dfsq.js").Picture} Picture */

/** Grey levels of values between two ends. @param {Float32Array} values @param {[number, number]} ends @param {number} width @param {number} height @returns {Picture} */
export function greyMap(values, [low, high], width, height) {
  // Quantized values may lie beyond the ends.
  const rgba = new Uint8ClampedArray(4 * values.length);
  const scale = high > low ? 255 / (high - low) : 0;
  for (let i = 0; i < values.length; i++) {
    const grey = (values[i] - low) * scale;
    rgba.set([grey, grey, grey, 255], 4 * i);
  }
  return { width, height, rgba: new Uint8Array(rgba.buffer) };
}

/** Where `b` is above `a` red, where below blue; white where they agree, and full colour at `most`. @param {Float32Array} a @param {Float32Array} b @param {number} most @param {number} width @param {number} height @returns {Picture} */
export function differenceMap(a, b, most, width, height) {
  const rgba = new Uint8Array(4 * a.length);
  for (let i = 0; i < a.length; i++) {
    const share = most > 0 ? Math.max(-1, Math.min((b[i] - a[i]) / most, 1)) : 0;
    const rest = 255 * (1 - Math.abs(share));
    rgba.set(share > 0 ? [255, rest, rest, 255] : [rest, rest, 255, 255], 4 * i);
  }
  return { width, height, rgba };
}

/** The largest difference. @param {Float32Array} a @param {Float32Array} b */
export function largestDifference(a, b) {
  let most = 0;
  for (let i = 0; i < a.length; i++) most = Math.max(most, Math.abs(b[i] - a[i]));
  return most;
}
