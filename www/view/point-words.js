// A value of the universal set as the sum that it is, and the way of a value to it. No DOM.
import { METHOD_NAMES } from "../model/plan.js";

/** @typedef {import("../pkg/dfsq.js").ChannelPicture} ChannelPicture */

/** A power of two, or what is left of it, as a fraction. @param {number} word */
const fraction = (word) => (word === 0 || Number.isInteger(word) ? String(word) : `1/${1 / word}`);

/** How many powers of two add up to a number that is a multiple of 1/512. @param {number} sum */
function powers(sum) {
  let count = 0;
  for (let left = Math.round(sum * 512); left; left >>= 1) count += left & 1;
  return count;
}

const NUMBERS = ["no", "one", "two", "three", "four", "five", "six"];
const count = (/** @type {number} */ n, /** @type {string} */ what) => `${NUMBERS[n] ?? n} ${what}${n === 1 ? "" : "s"}`;

/** Such as "(1 + 1 + 1 + 1/4) / 4: three shifts and two additions". @param {number} value @param {number[]} words whose mean is the value, but for the sign */
export function sumText(value, words) {
  const terms = powers(words.reduce((sum, word) => sum + word, 0));
  if (!terms) return "0: nothing to compute";
  const shifts = terms === 1 ? "one shift" : `${count(terms, "shift")} and ${count(terms - 1, "addition")}`;
  return `${value < 0 ? "−" : ""}(${words.map(fraction).join(" + ")}) / ${words.length}: ${shifts}`;
}

/** A number for people, with four digits. @param {number} value */
export const short = (value) => String(Number(value.toPrecision(4)));

/** One value through the formulas: the one in the middle of the picture. @param {ChannelPicture} channel @param {string} name of the layer and channel */
export function exampleText({ width, height, values, view }, name) {
  const own = view.methods.find(({ method }) => method === "dfsq") ?? view.methods.find(({ method }) => method === "dfsq-opt");
  if (!own?.points.length) return `${name} is left in full precision.`;
  const x = values[Math.floor(height / 2) * width + Math.floor(width / 2)];
  const y = (x - view.mean) / view.range;
  const point = own.points.reduce((best, one) => (Math.abs(one.value - y) < Math.abs(best.value - y) ? one : best));
  const words = point.words.length ? ` = ${sumText(point.value, point.words)}` : "";
  return [
    `${name}, the value in the middle of the picture, with ${METHOD_NAMES[own.method]} and ${own.points.length} points:`,
    `y = (${short(x)} − ${short(view.mean)}) / ${short(view.range)} = ${short(y)}`,
    `q = ${short(point.value)}${words}`,
    `x′ = ${short(point.value)} · ${short(view.range)} + ${short(view.mean)} = ${short(point.value * view.range + view.mean)}, off by ${short(point.value * view.range + view.mean - x)}`,
  ].join("\n");
}
