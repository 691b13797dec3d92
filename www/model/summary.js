// What is to be seen at the present bits, in a sentence or two. No DOM.
import { METHOD_NAMES, QUANTIZED_METHODS } from "./plan.js";

/**
 * @typedef {import("./bench.js").Bench} Bench
 * @typedef {{text: string, method?: string, layer?: number, channel?: number}} Part words, and what they speak of
 */

/** Losses below this are not told apart from none, in dB. */
const NOTICED = 0.05;

/** @param {import("./choices.js").Values} values */
function bitsInWords({ weightBits, activationBits, layerBits }) {
  if (Object.keys(layerBits).length) return "With these bits";
  const of = (/** @type {number} */ bits, /** @type {string} */ what) => (bits === 32 ? `${what} in full precision` : `${bits}-bit ${what}`);
  return weightBits === activationBits ? `At ${weightBits} bits` : `With ${of(weightBits, "weights")} and ${of(activationBits, "activations")}`;
}

/** Index of the least number; -1 where there is none below infinity. @param {ArrayLike<number>} values */
const least = (values) => Array.from(values).reduce((best, value, i) => (value < (values[best] ?? Infinity) ? i : best), -1);

/** @param {Bench} bench @returns {Part[]} nothing until every method that can be shown is there */
export function summary(bench) {
  const { samples, scheduler, settings, library } = bench;
  if (!samples.current || scheduler.incomplete) return [];
  const upscales = settings.values.mode === "upscale";
  const full = scheduler.score("fp32")?.psnrY;
  const known = QUANTIZED_METHODS.flatMap((method) => {
    const psnr = scheduler.score(method)?.psnrY;
    return psnr === undefined ? [] : [{ method, psnr }];
  });
  const scored = known.sort((a, b) => a.psnr - b.psnr);
  if (!scored.length || (!upscales && full === undefined)) return [];
  const bits = bitsInWords(settings.values);
  const losses = scored.map(({ psnr }) => (full ?? 0) - psnr);
  if (!upscales && losses.every((loss) => Math.abs(loss) < NOTICED)) return [{ text: `${bits} no method is more than ${NOTICED} dB from full precision on this picture.` }];
  // Without a reference, scores are distances.
  const verbs = losses.map((loss) => (upscales ? "is " : loss <= -NOTICED ? "gains " : "loses "));
  const unit = upscales ? " dB from full precision" : " dB";
  const listed = scored.flatMap(({ method, psnr }, i) => [
    { text: i === 0 ? `${bits} ` : i < scored.length - 1 ? ", " : " and " },
    { text: inSentence(method, settings.chosen), method },
    { text: ` ${verbs[i] === verbs[i - 1] ? "" : verbs[i]}${amount(upscales ? psnr : losses[i], upscales, i ? "" : unit)}` },
  ]);
  return [...listed, { text: " on this picture." }, ...whereItComesFrom(scored[0].method, bench, library.info?.layers ?? [])];
}

/** @param {string} method @param {import("./chosen.js").Chosen} chosen */
function inSentence(method, chosen) {
  const variant = chosen.variantInWords(method);
  if (method === "min-max") return variant ? `uniform (${variant})` : "min-max";
  return variant ? `${METHOD_NAMES[method]} (${variant})` : METHOD_NAMES[method];
}

/** @param {number} db @param {boolean} isDistance @param {string} unit */
function amount(db, isDistance, unit) {
  if (!isDistance && Math.abs(db) < NOTICED) return "nothing";
  return `${db === Infinity ? "∞" : Math.abs(db).toFixed(1)}${unit}`;
}

/** The layer and channel whose values a method changes most. @param {string} method @param {Bench} bench @param {{name: string}[]} layers @returns {Part[]} */
function whereItComesFrom(method, { scheduler, settings }, layers) {
  const result = scheduler.result(method);
  const layer = least(result?.layerDb ?? []);
  if (!result || layer < 0 || !layers[layer]) return [];
  const channel = least(result.channelDb?.[layer] ?? []);
  const more = channel < 0 ? [] : [{ text: ", above all in " }, { text: `channel ${channel}`, method, layer, channel }];
  return [{ text: ` The noise of ${inSentence(method, settings.chosen)} is strongest in the input of ` }, { text: layers[layer].name, method, layer }, ...more, { text: "." }];
}
