// Parts of pictures. No DOM.

/**
 * @typedef {import("../pkg/dfsq.js").Picture} Picture
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

/** Rectangles that cover a picture evenly, three a row and column, overlapping. @param {Picture} picture @param {[number, number]} size height and width @returns {Region[]} */
export function tiles({ width, height }, [tall, wide]) {
  const [w, h] = [Math.min(wide, width), Math.min(tall, height)];
  const places = [0, 0.5, 1];
  return places.flatMap((y) => places.map((x) => ({ x: Math.round(x * (width - w)), y: Math.round(y * (height - h)), width: w, height: h })));
}

/**
 * Every so many-th of 27 patches of pictures that are shrunk by a scale. @param {import("../engine/client.js").Engine} engine that decodes and shrinks
 * @param {Uint8Array[]} files @param {number} scale @param {[number, number]} size of a patch @param {number} step @returns {Promise<Picture[]>}
 */
export async function patches(engine, files, scale, size, step) {
  const all = [];
  for (const file of files) {
    const picture = await engine.call("decodeImage", [file]);
    const { low } = await engine.call("benchmarkPair", [picture, scale]);
    all.push(...tiles(low, size).map((tile) => cut(low, tile)));
  }
  return all.filter((_, i) => i % step === 0);
}
