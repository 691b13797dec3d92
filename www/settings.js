// What the user can choose, its defaults, and how it travels in a link. Pure functions, no DOM.

/**
 * @typedef {[number, number]} BitPair bits of weights and activations
 * @typedef {{wordSets: number, granularity: string, normalization: string, mean: string, selection: string, preset: string, restarts: number, seed: number}} PointSettings
 * @typedef {{weights: string, rounding: string}} Recipe
 * @typedef {{method: string, weightBits: number, activationBits: number, layerBits: Record<string, BitPair>, minMaxRange: string, weights: string, denormalizationBits: number}} Options
 * @typedef {object} Settings
 * @property {number} weightBits
 * @property {number} activationBits
 * @property {Record<string, BitPair>} layerBits of single layers, by name
 * @property {string} mode benchmark | upscale
 * @property {string} minMaxRange dynamic | static
 * @property {PointSettings} points of DFSQ, which DFSQ-opt shares but for the selection
 * @property {string} weights of DFSQ: uniform | subset
 * @property {number} denormalizationBits
 * @property {string} optSelection kmeans | exact
 * @property {Recipe} recipe of DFSQ-opt
 */

export const BIT_WIDTHS = [32, 8, 6, 4, 3, 2];

/** What can be chosen beside bits and mode: name in a link, values with what they are called, and where the value is kept.
 * @type {{name: string, label: string, of: string, values: [string, string][], path: string[]}[]} */
export const CHOICES = [
  { name: "range", of: "Min-max", label: "Range", values: [["dynamic", "of each image"], ["static", "calibrated"]], path: ["minMaxRange"] },
  { name: "selection", of: "DFSQ", label: "Points", values: [["kmeans", "k-means, snapped"], ["exact", "exact"], ["exhaustive", "exhaustive search"]], path: ["points", "selection"] },
  { name: "preset", of: "DFSQ", label: "k-means of", values: [["reference", "the authors’ code"], ["paper", "the paper’s text"]], path: ["points", "preset"] },
  { name: "restarts", of: "DFSQ", label: "k-means starts", values: [["0", "3 or 5, as published"], ["1", "1"], ["3", "3"], ["5", "5"], ["10", "10"], ["20", "20"]], path: ["points", "restarts"] },
  { name: "grid", of: "DFSQ", label: "Weights", values: [["uniform", "uniform"], ["subset", "subset, exact"]], path: ["weights"] },
  { name: "opt-selection", of: "DFSQ-opt", label: "Points", values: [["exact", "exact"], ["kmeans", "k-means, snapped"]], path: ["optSelection"] },
  { name: "opt-grid", of: "DFSQ-opt", label: "Weights", values: [["subset", "subset, exact"], ["uniform", "uniform"]], path: ["recipe", "weights"] },
  { name: "rounding", of: "DFSQ-opt", label: "Rounding", values: [["compensated", "compensated"], ["nearest", "nearest"]], path: ["recipe", "rounding"] },
  { name: "sets", of: "Both", label: "Universal set", values: [["4", "4 word sets, 377 values"], ["3", "3 word sets, 107 values"], ["2", "2 word sets, 29 values"], ["5", "5 word sets, 1163 values"]], path: ["points", "wordSets"] },
  { name: "granularity", of: "Both", label: "Points for", values: [["channel", "each channel"], ["layer", "the whole layer"]], path: ["points", "granularity"] },
  { name: "mean", of: "Both", label: "Mean", values: [["auto", "taken off unless after ReLU"], ["always", "always taken off"], ["never", "never taken off"]], path: ["points", "mean"] },
  { name: "normalization", of: "Both", label: "Normalization", values: [["sample", "of each sample"], ["none", "none (DFSQ only)"]], path: ["points", "normalization"] },
  { name: "denormalization", of: "Both", label: "Mean and range in", values: [["32", "full precision"], ["8", "8 bits"], ["6", "6 bits"], ["4", "4 bits"]], path: ["denormalizationBits"] },
];

/** @returns {Settings} */
export function defaults() {
  return {
    weightBits: 4,
    activationBits: 4,
    layerBits: {},
    mode: "benchmark",
    minMaxRange: "dynamic",
    points: { wordSets: 4, granularity: "channel", normalization: "sample", mean: "auto", selection: "kmeans", preset: "reference", restarts: 0, seed: 0 },
    weights: "uniform",
    denormalizationBits: 32,
    optSelection: "exact",
    recipe: { weights: "subset", rounding: "compensated" },
  };
}

/** The value of a choice, as its select has it. @param {Settings} settings @param {string[]} path */
export function get(settings, path) {
  return String(path.reduce((/** @type {any} */ at, key) => at[key], settings));
}

/** @param {Settings} settings @param {string[]} path @param {string} value */
export function set(settings, path, value) {
  const last = /** @type {string} */ (path.at(-1));
  const owner = path.slice(0, -1).reduce((/** @type {any} */ at, key) => at[key], settings);
  owner[last] = typeof owner[last] === "number" ? Number(value) : value;
}

/** Whether two plain objects hold the same values, in whatever order. @param {any} a @param {any} b @returns {boolean} */
export function same(a, b) {
  const text = (/** @type {any} */ value) => JSON.stringify(value && Object.fromEntries(Object.entries(value).sort()));
  return text(a) === text(b);
}

/** Whether points chosen with these settings are as good as with those: the seed is not chosen here, and what is of k-means counts only there. @param {PointSettings | null | undefined} a @param {PointSettings} b */
export function samePoints(a, b) {
  const plain = (/** @type {PointSettings} */ points) => ({ ...points, seed: 0, ...(points.selection === "kmeans" ? {} : { preset: "reference", restarts: 0 }) });
  return Boolean(a) && same(plain(/** @type {PointSettings} */ (a)), plain(b));
}

/** The settings that a link asks for, and its other parts. @param {URLSearchParams} link @returns {Settings} */
export function fromLink(link) {
  const settings = defaults();
  const bits = BIT_WIDTHS.map(String);
  const take = (/** @type {string} */ name, /** @type {string[]} */ allowed, /** @type {string[]} */ path) => {
    const value = link.get(name);
    if (value !== null && allowed.includes(value)) set(settings, path, value);
  };
  take("weights", bits, ["weightBits"]);
  take("activations", bits, ["activationBits"]);
  take("mode", ["benchmark", "upscale"], ["mode"]);
  for (const { name, values, path } of CHOICES) take(name, values.map(([value]) => value), path);
  for (const part of link.get("layers")?.split(",") ?? []) {
    const [name, weights, activations] = part.split(":");
    if (name && bits.includes(weights) && bits.includes(activations)) settings.layerBits[name] = [Number(weights), Number(activations)];
  }
  return settings;
}

/** What is not as it is by default, for a link. @param {Settings} settings @returns {Record<string, string>} */
export function toLink(settings) {
  const plain = defaults();
  const changed = CHOICES.filter(({ path }) => get(settings, path) !== get(plain, path));
  const layers = Object.entries(settings.layerBits).map(([name, bits]) => [name, ...bits].join(":"));
  return {
    weights: String(settings.weightBits),
    activations: String(settings.activationBits),
    mode: settings.mode,
    ...Object.fromEntries(changed.map(({ name, path }) => [name, get(settings, path)])),
    ...(layers.length ? { layers: layers.join() } : {}),
  };
}

/** What a run of a method depends on, and nothing else. @param {Settings} settings @param {string} method @returns {Partial<Options> & {method: string}} */
export function options(settings, method) {
  if (!["min-max", "dfsq", "dfsq-opt"].includes(method)) return { method };
  const { weightBits, activationBits, layerBits, minMaxRange, weights, denormalizationBits } = settings;
  const common = { method, weightBits, activationBits, layerBits: { ...layerBits } };
  if (method === "min-max") return { ...common, minMaxRange };
  return method === "dfsq" ? { ...common, weights, denormalizationBits } : { ...common, denormalizationBits };
}

/** How DFSQ-opt is made. @param {Settings} settings @returns {{points: PointSettings, recipe: Recipe}} */
export function optimization({ points, optSelection, recipe }) {
  // K-means is that of DFSQ; where it is not used it makes no difference.
  const kmeans = optSelection === "kmeans" ? {} : { preset: "reference", restarts: 0 };
  return { points: { ...points, ...kmeans, selection: optSelection, normalization: "sample" }, recipe: { ...recipe } };
}
