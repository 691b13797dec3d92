// What to compute and how long it may take. Pure functions, no DOM.

/** Methods that run the network, each in its own worker. */
export const NETWORK_METHODS = ["fp32", "min-max", "dfsq", "dfsq-opt"];

/** @type {Record<string, string>} */
export const METHOD_NAMES = {
  reference: "Reference",
  bicubic: "Bicubic",
  fp32: "Full precision",
  "min-max": "Min-max",
  dfsq: "DFSQ",
  "dfsq-opt": "DFSQ-opt",
};

/** A region is chosen so that its run is likely to end within this many seconds. */
const PATIENCE = 8;

/** Regions offered, as sides in pixels of the dropped image. */
const SIDES = [128, 192, 256, 384, 512, 768, 1024];

/** Multiply-accumulates a second of one worker, until this browser has been measured. */
export const TYPICAL_SPEED = 6e9;

/** Bytes that a worker takes for one input pixel: EDSR x2 on 384 x 256 pixels took 1.35 GiB in three workers. */
const BYTES_PER_PIXEL = 5000;
/** Of the 4 GiB that wasm can address. */
const MEMORY_LIMIT = 3.2e9;

/**
 * @typedef {{x: number, y: number, width: number, height: number}} Region in pixels of the dropped image
 * @typedef {{mode: string, scale: number, macsPerPixel: number, speed: number}} Cost
 */

/** Network input pixels of a region. @param {{width: number, height: number}} region @param {Cost} cost */
function inputPixels({ width, height }, { mode, scale }) {
  return (width * height) / (mode === "benchmark" ? scale * scale : 1);
}

/** Seconds that a region is likely to take. @param {{width: number, height: number}} region @param {Cost} cost */
export function seconds(region, cost) {
  return (inputPixels(region, cost) * cost.macsPerPixel) / cost.speed;
}

/** Whether a region's run is likely to fit in memory. @param {{width: number, height: number}} region @param {Cost} cost */
export function fits(region, cost) {
  return inputPixels(region, cost) * BYTES_PER_PIXEL < MEMORY_LIMIT;
}

/** Whether a region's run ends in good time. @param {Region} region @param {Cost} cost */
export function isQuick(region, cost) {
  return seconds(region, cost) <= PATIENCE && fits(region, cost);
}

/** The sides to offer for an image, and whether the whole image is one of them. @param {{width: number, height: number}} image */
export function sides({ width, height }) {
  return SIDES.filter((side) => side < Math.max(width, height));
}

/** The region of this side in the middle of the image, or around a point. @param {{width: number, height: number}} image @param {number} side @param {{x: number, y: number}} [centre] */
export function region({ width, height }, side, centre = { x: width / 2, y: height / 2 }) {
  const [w, h] = [Math.min(side, width), Math.min(side, height)];
  const place = (/** @type {number} */ at, /** @type {number} */ size, /** @type {number} */ whole) =>
    Math.round(Math.min(Math.max(at - size / 2, 0), whole - size));
  return { x: place(centre.x, w, width), y: place(centre.y, h, height), width: w, height: h };
}

/** The largest region that ends in good time: the whole image where that does. @param {{width: number, height: number}} image @param {Cost} cost @returns {Region} */
export function suggestedRegion(image, cost) {
  const whole = { x: 0, y: 0, width: image.width, height: image.height };
  if (isQuick(whole, cost)) return whole;
  const candidates = sides(image).map((side) => region(image, side));
  return candidates.filter((r) => isQuick(r, cost)).at(-1) ?? candidates[0] ?? whole;
}

/** A duration for people. @param {number} s */
export function duration(s) {
  if (s < 1) return "under 1 s";
  if (s < 90) return `about ${Math.round(s)} s`;
  return `about ${Math.round(s / 60)} min`;
}
