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

/** Three rectangles of a picture, the first in its middle, that share neither columns nor rows, as far as there is room. @param {Picture} picture @param {[number, number]} size height and width @returns {Region[]} */
function tiles({ width, height }, [tall, wide]) {
  const [w, h] = [Math.min(wide, width), Math.min(tall, height)];
  return [0.5, 0, 1].map((place) => ({ x: Math.round(place * (width - w)), y: Math.round(place * (height - h)), width: w, height: h }));
}

/**
 * Up to three patches each of pictures that are shrunk by a scale. @param {import("../engine/client.js").Engine} engine that decodes and shrinks
 * @param {Uint8Array[]} files @param {number} scale @param {[number, number]} size of a patch @param {number} each @returns {Promise<Picture[]>}
 */
export async function patches(engine, files, scale, size, each) {
  const all = [];
  for (const file of files) {
    const picture = await engine.call("decodeImage", [file]);
    const { low } = await engine.call("benchmarkPair", [picture, scale, undefined]);
    all.push(...tiles(low, size).slice(0, each).map((tile) => cut(low, tile)));
  }
  return all;
}
