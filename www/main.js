// The page: shows what the laboratory knows, and tells it what the user wants. Only DOM here.
import { Analyzer } from "./analyzer.js";
import { setUpBits } from "./bits.js";
import { EngineError, compile } from "./client.js";
import "./compare-view.js";
import { Comparison } from "./comparison.js";
import { drawCosts } from "./costs.js";
import { setUpDetails } from "./details.js";
import { fetchBytes } from "./downloads.js";
import { download, figuresFile, reportJson, scoresCsv } from "./exports.js";
import { listenForFiles } from "./files.js";
import { CALIBRATION, Laboratory, MEASUREMENT, STUDY } from "./laboratory.js";
import { LayerBits } from "./layer-bits.js";
import { describe, fetchNetwork, listNetworks } from "./networks.js";
import { METHOD_NAMES, NETWORK_METHODS } from "./plan.js";
import { RegionPanel } from "./region.js";
import { bitsText, drawTable } from "./score-table.js";
import { fromLink, toLink } from "./settings.js";
import { StudyTable } from "./study.js";

/** @param {string} id @returns {any} */
const element = (id) => document.getElementById(id);
const main = /** @type {HTMLElement} */ (document.querySelector("main"));
const view = /** @type {import("./compare-view.js").CompareView} */ (document.querySelector("compare-view"));

const SAMPLES = ["parrot", "lighthouse", "bikes"];
/** Files of the bundled samples, for what is calibrated on patches of them. @returns {Promise<Uint8Array[]>} */
const sampleFiles = () => Promise.all(SAMPLES.map((name) => fetchBytes(`samples/${name}.png`)));
const PANES = ["fp32", "dfsq-opt", "dfsq", "min-max"];
const LARGEST_FILE = 512 * 2 ** 20;

const wanted = new URLSearchParams(location.hash.slice(1));
/** @param {string} name @param {string[]} allowed @param {string} otherwise */
const choice = (name, allowed, otherwise) => (allowed.includes(wanted.get(name) ?? "") ? String(wanted.get(name)) : otherwise);
const laboratory = new Laboratory(compile(), sampleFiles, fromLink(wanted));
const analyzer = new Analyzer(laboratory);
const comparison = new Comparison(laboratory, view);
const study = new StudyTable(element("study-table"), laboratory, analyzer);
const region = new RegionPanel(element("region"), laboratory, compute);
const layerBits = new LayerBits(element("layer-bits"), laboratory, compute, fail);
const drawDetails = setUpDetails(element("details"), laboratory.settings, compute);
/** @type {import("./networks.js").Entry[]} */
let networks = [];
let failed = false;
/** Counts choices of a network: only the last one counts. */
let choices = 0;

/** @param {unknown} cause @param {string} [what] */
function fail(cause, what) {
  if (cause instanceof EngineError && cause.kind === "cancelled") return;
  const message = cause instanceof Error ? cause.message : String(cause);
  const box = element("error");
  const close = document.createElement("button");
  close.type = "button";
  close.textContent = "Dismiss";
  close.onclick = () => {
    clearError();
    refresh();
  };
  box.replaceChildren(what ? `${what}: ${message}` : message, close);
  box.hidden = false;
  failed = true;
  refresh();
}

function clearError() {
  element("error").hidden = true;
  failed = false;
}

/** Computes what is missing; every error ends up in the error line. */
async function compute() {
  if (!laboratory.info || !laboratory.sample) return;
  clearError();
  try {
    await laboratory.compute();
  } catch (error) {
    fail(error);
  }
  refresh();
}

function options() {
  const { left, right } = { left: element("left").value, right: element("right").value };
  return { view: document.querySelector("[name=view]:checked")?.getAttribute("value") ?? "panes", left, right };
}

function shownMethods() {
  const { view: arrangement, left, right } = options();
  return arrangement === "panes" ? PANES : left === right ? [left] : [left, right];
}

function drawStatus() {
  const { info, sample, running } = laboratory;
  const loading = !info || laboratory.loading > 0;
  const state = running.size ? "running" : failed ? "error" : loading ? "loading" : sample && !laboratory.incomplete ? "done" : "ready";
  main.dataset.state = state;
  element("run").disabled = loading || !sample || running.size > 0 || !laboratory.incomplete;
  element("cancel").disabled = running.size === 0;
  const done = (/** @type {string} */ name) => laboratory.progress.get(name) ?? (laboratory.result(name) ? 1 : 0);
  element("progress").value = running.size ? NETWORK_METHODS.reduce((sum, name) => sum + done(name), 0) / NETWORK_METHODS.length : 0;
  comparison.drawProgress();
  const text = statusText(state);
  // Set only when it changes, or a screen reader says it again and again.
  if (element("status").textContent !== text) element("status").textContent = text;
}

function statusText(/** @type {string} */ state) {
  const { sample, running } = laboratory;
  if (state === "loading") return "Loading the network…";
  if (!sample && !running.size) return "Ready. Drop an image.";
  if (running.get("fp32")?.startsWith(CALIBRATION)) return "Choosing quantization points…";
  if (running.get("dfsq") === MEASUREMENT) return "Measuring what each layer costs at each width…";
  if (running.get("fp32") === STUDY) return "Comparing ways to choose points…";
  if (state === "running" && !laboratory.incomplete) return "Analyzing the other images…";
  if (state === "running" && laboratory.optimizing) return `Optimizing the network for ${bitsText(laboratory, "dfsq-opt")} bits, and running ${sample?.name}`;
  if (state === "running") return `Running ${[...running.keys()].map((name) => METHOD_NAMES[name]).join(", ")} on ${sample?.name}`;
  if (sample && !laboratory.incomplete) return `Done: ${sample.name}, ${sample.region.width} × ${sample.region.height}`;
  return state === "error" ? "Stopped by an error." : "Ready to run.";
}

function drawNetwork() {
  const { info, calibrations } = laboratory;
  if (!info) return;
  const rules = { "residual-blocks": "convolutions of the residual blocks", "dense-blocks": "dense blocks and feature fusion", general: "all but the first convolution, up to the upsampler" };
  const quantized = info.layers.filter((layer) => layer.quantized).length;
  const parts = [
    `Enlarges ${info.convention.scale}×; ${(info.parameters / 1e6).toFixed(2)} million parameters. Quantized: ${quantized} of ${info.layers.length} convolutions (${rules[/** @type {keyof typeof rules} */ (info.rule)]}).`,
  ];
  if (info.convention.assumed.length) parts.push(`Not stated by the file, so assumed: ${info.convention.assumed.join("; ")}.`);
  const calibrated = {
    shipped: "",
    image: "No calibration came with this network: its points were chosen on the dropped image itself.",
    images: "Its points were chosen on your images.",
    patches: "Its points were chosen on patches of the bundled samples.",
    file: "Its points are those of your file.",
  };
  if (info.calibration) parts.push(calibrated[calibrations.source]);
  element("network-note").textContent = parts.join(" ");
}

let frame = 0;
/** Draws everything once before the next frame. */
function refresh() {
  frame ||= requestAnimationFrame(() => {
    frame = 0;
    drawStatus();
    drawNetwork();
    element("invitation").hidden = Boolean(laboratory.sample);
    comparison.draw();
    drawTable(laboratory, element("scores"));
    drawCosts(laboratory, element("costs"));
    region.draw();
    layerBits.draw();
    study.draw();
    drawExports();
    analyzer.refresh();
  });
}

function arrange() {
  const { view: arrangement } = options();
  for (const side of ["left", "right"]) element(side).disabled = arrangement === "panes";
  view.arrange(arrangement, shownMethods());
  refresh();
}

/** @param {string} id */
async function useBundled(id) {
  const entry = networks.find((network) => network.id === id) ?? networks[0];
  const choice = ++choices;
  clearError();
  try {
    const network = await fetchNetwork(laboratory.engines.images, entry, (done, total) => {
      element("status").textContent = `Loading ${entry.name}: ${(done / 1e6).toFixed(1)} of ${(total / 1e6).toFixed(1)} MB`;
    });
    if (choice !== choices) return showNetwork();
    await laboratory.setNetwork(network);
    element("network").querySelector("[data-foreign]")?.remove();
    afterNetwork();
    await compute();
  } catch (error) {
    fail(error, entry.name);
  }
  showNetwork();
}

/** Makes the list show the network in use, also after another could not be loaded. */
function showNetwork() {
  const known = networks.find((network) => network.sha256 === laboratory.info?.sha256);
  if (laboratory.info) element("network").value = known?.id ?? "foreign";
}

/** @param {File} file */
async function read(file) {
  if (file.size > LARGEST_FILE) throw new Error(`the file has ${(file.size / 2 ** 20).toFixed(0)} MB, more than 512`);
  element("status").textContent = `Opening ${file.name}…`;
  return new Uint8Array(await file.arrayBuffer());
}

/** @param {File} file */
async function useForeign(file) {
  const bytes = await read(file);
  // One that cannot be used fails here, and what is being fetched comes nevertheless.
  await laboratory.setNetwork({ bytes });
  choices++;
  const known = networks.find((network) => network.sha256 === laboratory.info?.sha256);
  if (known) {
    await laboratory.setNetwork(await fetchNetwork(laboratory.engines.images, known));
  } else {
    element("network").querySelector("[data-foreign]")?.remove();
    const option = new Option(laboratory.info?.name ?? file.name, "foreign", true, true);
    option.dataset.foreign = "";
    element("network").append(option);
  }
  showNetwork();
  afterNetwork();
}

/** @param {File} file */
async function useCalibration(file) {
  await laboratory.loadCalibration(await read(file));
  drawDetails();
}

/** @param {File} file */
async function useOptimized(file) {
  await laboratory.loadOptimized(await read(file));
  drawDetails();
}

function afterNetwork() {
  analyzer.networkChanged();
  refresh();
}

/** What a file is, by its name, in the order in which they are taken: an image is meant for the network beside it. */
const KINDS = [
  { ending: /\.onnx$/i, take: useForeign },
  { ending: /\.calibration$/i, take: useCalibration },
  { ending: /\.optimized$/i, take: useOptimized },
  { ending: /(?:)/, take: async (/** @type {File} */ file) => laboratory.addImage(file.name, await read(file)) },
];

/** @param {Iterable<File>} files */
async function open(files) {
  clearError();
  const wasRunning = laboratory.running.size > 0;
  const rank = (/** @type {File} */ file) => KINDS.findIndex(({ ending }) => ending.test(file.name));
  const list = [...files].sort((a, b) => rank(a) - rank(b));
  /** @type {[string, unknown][]} */
  const errors = [];
  for (const file of list) {
    try {
      await KINDS[rank(file)].take(file);
    } catch (error) {
      errors.push([file.name, error]);
    }
  }
  await showSample();
  // What was wrong with some files must not keep the others from being shown, nor end what was running.
  const computed = wasRunning || errors.length < list.length ? compute() : undefined;
  if (errors.length) fail(errors.map(([name, error]) => `${name}: ${error instanceof Error ? error.message : error}`).join("\n"));
  refresh();
  await computed;
}

async function showSample() {
  if (!laboratory.sample) return;
  analyzer.samplesChanged();
  await region.setSample();
  refresh();
}

/** @param {string} name */
async function openBundledSample(name) {
  try {
    const bytes = await fetchBytes(`samples/${name}.png`);
    await open([new File([bytes], `${name}.png`)]);
  } catch (error) {
    fail(error, name);
  }
}

function drawExports() {
  const { sample } = laboratory;
  const some = Boolean(sample && NETWORK_METHODS.some((method) => laboratory.result(method)));
  for (const id of ["export-png", "export-csv", "export-json"]) element(id).disabled = !some;
  element("export-svg").disabled = !analyzer.figures().length;
  element("calibrate").disabled = !sample || !laboratory.info || laboratory.running.size > 0;
  element("calibrate-patches").disabled = !laboratory.info || laboratory.running.size > 0;
  element("use-shipped").hidden = !laboratory.canUseShipped;
  element("use-shipped").disabled = laboratory.running.size > 0;
  for (const [kind, file] of Object.entries(madeFiles())) element(`save-${kind}`).disabled = !file;
  element("study").disabled = !laboratory.activeIsAnalyzed || laboratory.running.size > 0;
}

/** What was chosen for the network in use, by kind of file. */
const madeFiles = () => ({ calibration: laboratory.engines.fp32.network?.calibration, optimized: laboratory.optimizedFile });

const baseName = () => (laboratory.sample?.name ?? "dfsq").replace(/\.[^.]*$/, "");

async function exportPng() {
  const { view: arrangement, right } = options();
  const method = arrangement === "panes" ? "dfsq" : right;
  const result = laboratory.result(method);
  if (!result) return fail(new Error(`there is no ${METHOD_NAMES[method]} picture yet`));
  const png = await laboratory.engines.images.call("encodePng", [result.picture]);
  download(`${baseName()}-${method}.png`, png, "image/png");
}

async function shareLink() {
  const { view: arrangement, left, right } = options();
  const parts = { network: element("network").value, ...toLink(laboratory.settings), view: arrangement, left, right };
  const sample = SAMPLES.find((name) => laboratory.sample?.name === `${name}.png`);
  history.replaceState(null, "", `#${new URLSearchParams(sample ? { ...parts, sample } : parts)}`);
  const button = element("share-link");
  try {
    await navigator.clipboard.writeText(location.href);
    button.textContent = "Copied";
  } catch {
    button.textContent = "The address bar has the link";
  }
  setTimeout(() => (button.textContent = "Copy link to these settings"), 2000);
}

function setUpControls() {
  for (const side of ["left", "right"]) {
    element(side).append(...Object.entries(METHOD_NAMES).map(([method, name]) => new Option(name, method)));
    element(side).value = choice(side, Object.keys(METHOD_NAMES), side === "left" ? "min-max" : "dfsq");
    element(side).addEventListener("change", arrange);
  }
  const radio = (/** @type {string} */ name, /** @type {string} */ value) =>
    /** @type {HTMLInputElement} */ (document.querySelector(`[name=${name}][value="${value}"]`));
  radio("view", choice("view", ["panes", "slider", "pair"], "panes")).checked = true;
  radio("mode", laboratory.settings.mode).checked = true;
  element("view").addEventListener("change", arrange);
  element("mode").addEventListener("change", (/** @type {Event} */ event) => {
    laboratory.setMode(/** @type {HTMLInputElement} */ (event.target).value);
    compute();
  });
  element("zoom-in").onclick = () => view.zoom(1.4);
  element("zoom-out").onclick = () => view.zoom(1 / 1.4);
  element("zoom-fit").onclick = () => view.fit();
  view.addEventListener("camera", (event) => {
    const { scale, fitted } = /** @type {CustomEvent} */ (event).detail;
    element("zoom-level").value = fitted ? "fit" : `${Math.round(scale * devicePixelRatio * 100)}%`;
  });
  element("run").onclick = compute;
  element("cancel").onclick = () => laboratory.stop();
  element("network").addEventListener("change", () => useBundled(element("network").value));
  element("network-file").addEventListener("change", onFiles);
  element("image-file").addEventListener("change", onFiles);
  element("sample").addEventListener("change", async () => {
    laboratory.active = Number(element("sample").value);
    await showSample();
    compute();
  });
  element("export-png").onclick = () => exportPng().catch(fail);
  element("export-csv").onclick = () => download(`${baseName()}-scores.csv`, scoresCsv(laboratory), "text/csv");
  element("export-json").onclick = () => reportJson(laboratory, analyzer.layer()).then((text) => download(`${baseName()}-report.json`, text, "application/json"), fail);
  element("export-svg").onclick = () => download(`${baseName()}-figures.svg`, figuresFile(analyzer.figures()), "image/svg+xml");
  element("share-link").onclick = shareLink;
  element("calibrate").onclick = () => laboratory.calibrateOn("images").then(compute, fail);
  element("calibrate-patches").onclick = () => laboratory.calibrateOn("patches").then(compute, fail);
  element("use-shipped").onclick = () => laboratory.calibrateOn("shipped").then(compute, fail);
  element("study").onclick = () => study.make().catch(fail);
  for (const kind of /** @type {const} */ (["calibration", "optimized"])) {
    element(`save-${kind}`).onclick = () => {
      const file = madeFiles()[kind];
      const name = element("network").selectedOptions[0]?.value ?? "network";
      if (file) download(`${name}.${kind}`, /** @type {BlobPart} */ (file), "application/octet-stream");
    };
  }
}

function onFiles(/** @type {Event} */ event) {
  const input = /** @type {HTMLInputElement} */ (event.target);
  const files = [...(input.files ?? [])];
  // So that choosing the same file again is noticed.
  input.value = "";
  open(files).catch(fail);
}

function setUpSamples() {
  for (const name of SAMPLES) {
    const button = document.createElement("button");
    button.type = "button";
    button.dataset.testid = `sample-${name}`;
    button.innerHTML = `<img src="samples/${name}.png" alt="" width="96" height="96"><span>${name}</span>`;
    button.onclick = () => openBundledSample(name);
    element("samples").append(button);
  }
}

async function start() {
  setUpBits(laboratory.settings, compute);
  setUpControls();
  listenForFiles(element("drop-hint"), (files) => open(files).catch(fail), (why) => fail(new Error(why)));
  setUpSamples();
  laboratory.addEventListener("change", refresh);
  laboratory.addEventListener("progress", drawStatus);
  arrange();
  try {
    networks = await listNetworks();
    element("network").append(...networks.map((entry) => new Option(describe(entry), entry.id)));
    await useBundled(wanted.get("network") ?? "");
    const sample = wanted.get("sample");
    if (sample && SAMPLES.includes(sample)) await openBundledSample(sample);
  } catch (error) {
    fail(error, "The page could not start");
  }
}

start();
