// Parts of pictures. Pure functions, no DOM.

/**
 * @typedef {import("./client.js").Picture} Picture
 * @typedef {import("./plan.js").Region} Region
 */

/** @param {Picture} picture @param {Region} region @returns {Picture} */
export function cut({ width: whole, rgba }, { x, y, width, height }) {
  const part = new Uint8Array(4 * width * height);
  for (let row = 0; row < height; row++) {
    const start = 4 * ((y + row) * whole + x);
    part.set(rgba.subarray(start, start + 4 * width), 4 * row * width);
  }
  return { width, height, rgba: part };
}

/** Squares that cover a picture evenly, three a row and column, overlapping. @param {Picture} picture @param {number} side @returns {Region[]} */
export function tiles({ width, height }, side) {
  const [w, h] = [Math.min(side, width), Math.min(side, height)];
  const places = [0, 0.5, 1];
  return places.flatMap((y) => places.map((x) => ({ x: Math.round(x * (width - w)), y: Math.round(y * (height - h)), width: w, height: h })));
}
