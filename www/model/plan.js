// What to compute and how long it may take. Pure functions, no DOM.

import { METHOD_TITLES } from "../pkg/facts.js";

export { QUANTIZED_METHODS } from "../pkg/facts.js";

/** Whatever gives a picture. @type {Record<string, string>} */
export const METHOD_NAMES = { reference: "Reference", ...METHOD_TITLES };

/** Methods that run the network, each in its own worker. */
export const NETWORK_METHODS = Object.keys(METHOD_TITLES).filter((method) => method !== "bicubic");

/** The worker that runs methods of networks that are kept beside the one in use. */
export const BESIDE = "beside";

/** Sides in pixels of the region that an image is opened with: the same on every machine, for every network. */
const FIRST = { width: 256, height: 256 };

/** Regions offered, as sides in pixels of the dropped image. */
const SIDES = [128, 192, 256, 384, 512, 768, 1024];

/** Multiply-accumulates a second of one worker, until this browser has been measured. */
export const TYPICAL_SPEED = 20e9;

/** What a worker takes beside activations: the network's weights several times over, the program, pictures. */
const MEMORY_BASE = 0.3e9;

/**
 * @typedef {{width: number, height: number}} Size
 * @typedef {Size & {x: number, y: number}} Region in pixels of the dropped image
 * @typedef {object} Cost what estimates are made of
 * @property {string} mode
 * @property {number} scale
 * @property {number} macsPerPixel of the network's input
 * @property {number} bytesPerPixel of activations, likewise
 * @property {number} speed in multiply-accumulates a second
 * @property {number} memory bytes that one worker may take
 * @property {[number, number] | null | undefined} [size] height and width of the input where the network takes no other
 */

/** Network input pixels of a region. @param {Size} region @param {Cost} cost */
function inputPixels({ width, height }, { mode, scale }) {
  return (width * height) / (mode === "benchmark" ? scale * scale : 1);
}

/** Seconds that a region is likely to take. @param {Size} region @param {Cost} cost */
export function seconds(region, cost) {
  return (inputPixels(region, cost) * cost.macsPerPixel) / cost.speed;
}

/** Whether a region's run is likely to fit in memory. @param {Size} region @param {Cost} cost */
export function fits(region, cost) {
  return inputPixels(region, cost) * cost.bytesPerPixel + MEMORY_BASE < cost.memory;
}

/** The only size of a region where the network takes one only. @param {Cost} cost @returns {Size | undefined} */
export function fixedSize({ size, mode, scale }) {
  const factor = mode === "benchmark" ? scale : 1;
  return size ? { width: size[1] * factor, height: size[0] * factor } : undefined;
}

/** The sizes of regions to offer beside the whole image. @param {Size} image @param {Cost} cost @returns {Size[]} */
export function sizes(image, cost) {
  const size = fixedSize(cost);
  return size ? [size] : SIDES.filter((side) => side < Math.max(image.width, image.height)).map((side) => ({ width: side, height: side }));
}

/** The region of this size in the middle of the image, or around a point. @param {Size} image @param {Size} size @param {{x: number, y: number}} [centre] @returns {Region} */
export function region({ width, height }, size, centre = { x: width / 2, y: height / 2 }) {
  const [w, h] = [Math.min(size.width, width), Math.min(size.height, height)];
  const place = (/** @type {number} */ at, /** @type {number} */ part, /** @type {number} */ all) =>
    Math.round(Math.min(Math.max(at - part / 2, 0), all - part));
  return { x: place(centre.x, w, width), y: place(centre.y, h, height), width: w, height: h };
}

/** @param {Size} image @returns {Region} */
export const wholeOf = ({ width, height }) => ({ x: 0, y: 0, width, height });

/** The region that an image is opened with, by its size alone: its middle, or all of it where it is small. @param {Size} image @returns {Region} */
export const firstRegion = (image) => region(image, FIRST);

/** A duration for people. @param {number} s */
export function duration(s) {
  if (s < 1) return "under 1 s";
  if (s < 90) return `about ${Math.round(s)} s`;
  return `about ${Math.round(s / 60)} min`;
}
