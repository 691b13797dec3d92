// Parts of pictures. No DOM.

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

/**
 * Every so many-th of 27 patches of pictures that are shrunk by a scale. @param {import("./client.js").Engine} engine that decodes and shrinks
 * @param {Uint8Array[]} files @param {number} scale @param {number} side of a patch @param {number} step @returns {Promise<Picture[]>}
 */
export async function patches(engine, files, scale, side, step) {
  const all = [];
  for (const file of files) {
    const picture = await engine.call("decodeImage", [file]);
    const { low } = /** @type {{low: Picture}} */ (await engine.call("benchmarkPair", [picture, scale]));
    all.push(...tiles(low, side).map((tile) => cut(low, tile)));
  }
  return all.filter((_, i) => i % step === 0);
}
