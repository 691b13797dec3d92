// The page: makes the bench and what shows it, and draws again after every change.
import { Engine } from "./engine/client.js";
import { program } from "./engine/programs.js";
import { lacking } from "./engine/support.js";
import { Bench, makeEngines } from "./model/bench.js";
import { listNetworks } from "./model/networks.js";
import { Settings } from "./model/settings.js";
import { Analyzer } from "./view/analyzer.js";
import { BenchmarkPanel } from "./view/benchmark.js";
import { Bits } from "./view/bits.js";
import { CalibrationButtons } from "./view/calibration-buttons.js";
import "./view/compare-view.js";
import { Comparison } from "./view/comparison.js";
import { drawCosts } from "./view/costs.js";
import { Crops } from "./view/crops.js";
import { Details } from "./view/details.js";
import { element } from "./view/dom.js";
import { listenForDrawer } from "./view/drawer.js";
import { EngineCheck } from "./view/engine-check.js";
import { letEnlarge } from "./view/enlarge.js";
import { Errors } from "./view/errors.js";
import { Exports, download, saveTable } from "./view/exports.js";
import { listenForFiles } from "./view/files.js";
import { makeHints } from "./view/hints.js";
import { listenForHow } from "./view/how.js";
import { Kept } from "./view/kept.js";
import { listenForKeys } from "./view/keys.js";
import { LayerBits } from "./view/layer-bits.js";
import { Link, wanted } from "./view/link.js";
import { NetworkPicker } from "./view/network-picker.js";
import { NoisePanel } from "./view/noise.js";
import { Opening, SAMPLES, sampleFiles } from "./view/opening.js";
import { QualityFigure } from "./view/quality.js";
import { RegionPanel } from "./view/region.js";
import { SampleList } from "./view/sample-list.js";
import { drawScores } from "./view/score-table.js";
import { Status } from "./view/status.js";
import { makeSummary } from "./view/summary.js";
import { StudyTable } from "./view/study.js";
import { Tray } from "./view/tray.js";
import { listenForUpdate } from "./view/update.js";

/** @param {Bench} bench @param {URLSearchParams} link */
function show(bench, link) {
  const errors = new Errors(element("error"), bench);
  const status = new Status(bench, errors);
  const networks = new NetworkPicker(bench, errors, status);
  const opening = new Opening(bench, errors, status, networks);
  const view = /** @type {import("./view/compare-view.js").CompareView} */ (document.querySelector("compare-view"));
  const failed = (/** @type {unknown} */ error) => errors.tell(error);
  const save = saveTable.bind(undefined, bench);
  const analyzer = new Analyzer(bench, view, save, failed);
  const noise = new NoisePanel(bench, save, failed);
  const comparison = new Comparison(bench, view, link, networks);
  const benchmark = new BenchmarkPanel(bench, errors, download);
  listenForFiles(element("drop-hint"), (files) => opening.open(files), (files) => benchmark.open(files), (why) => errors.tell(new Error(why)));
  const share = new Link(bench, comparison, view, networks);
  const kept = new Kept(bench);
  const parts = [
    errors,
    kept,
    status,
    networks,
    share,
    comparison,
    analyzer,
    noise,
    benchmark,
    new Bits(bench),
    makeHints(bench),
    makeSummary(bench),
    new Crops(bench, view, download, failed),
    new Details(element("details"), bench.settings),
    new EngineCheck(bench, errors),
    new CalibrationButtons(bench),
    new Exports(bench, { noise, analyzer }, comparison, networks, share, errors),
    new LayerBits(element("layer-bits"), bench, errors),
    new QualityFigure(bench, save, errors),
    new RegionPanel(element("region"), bench),
    new SampleList(bench),
    new Tray(element("tray"), bench),
    new StudyTable(element("study-table"), bench, errors),
    { draw: () => drawScores(bench, element("scores")) },
    { draw: () => drawCosts(bench, element("costs")) },
  ];
  listenForDrawer();
  listenForKeys(() => bench.settings.undo());
  letEnlarge(document.querySelectorAll(".view:has(> figure)"));
  listenForHow(() => analyzer.seen);
  // What nobody waits for is told too.
  addEventListener("unhandledrejection", ({ reason }) => failed(reason));
  let frame = 0;
  bench.addEventListener("change", () => {
    // Everything once before the next frame.
    frame ||= requestAnimationFrame(() => {
      frame = 0;
      for (const part of parts) part.draw();
    });
  });
  bench.addEventListener("failed", (event) => failed(/** @type {CustomEvent} */ (event).detail));
  bench.addEventListener("progress", () => {
    status.drawProgress();
    comparison.drawProgress();
  });
  bench.changed();
  return { comparison, contenders: bench.contenders, errors, kept, networks, opening, share };
}

/** Links that were followed. */
let followed = 0;

/**
 * Has the page show what a link asks for, of the parts that `show` made, unless another comes meanwhile. @param {URLSearchParams} link
 * @param {ReturnType<typeof show>} page @param {(id: string | null) => Promise<void>} useNetwork
 */
async function follow(link, { comparison, contenders, errors, networks, opening, share }, useNetwork) {
  const own = ++followed;
  await useNetwork(link.get("network"));
  if (own !== followed) return;
  // Of the network that is in use now.
  contenders.follow(link.get("kept"));
  comparison.follow(link);
  const sample = link.get("sample");
  if (sample && SAMPLES.includes(sample)) await opening.showSample(sample);
  if (own !== followed) return;
  await contenders.followBeside(link.get("kept"), async (id, reading) => {
    const library = await networks.readBeside(id, reading);
    return own === followed ? library : undefined;
  });
  if (own !== followed) return;
  comparison.follow(link);
  const missed = share.take(link);
  if (location.hash && missed.length) errors.remark(`Not all of this link could be followed; as by default or as before: ${missed.join(", ")}.`);
}

async function start() {
  const link = wanted();
  // The program that has tract is the last: no other is fetched first where it is to run the network.
  const tract = link.get("engine") === "tract";
  const programs = Object.keys(PROGRAM_FILES).slice(tract ? -1 : 0).map(program);
  const engines = makeEngines(() => new Engine(programs));
  try {
    const lack = lacking();
    if (lack) throw new Error(lack);
    // Side by side: the list, the worker that fetches, and the one that will read what it fetched.
    const [listed, defaults] = await Promise.all([listNetworks(), engines.images.call("defaults"), engines.fp32.call("defaults")]);
    const settings = new Settings(defaults, link);
    const bench = new Bench(engines, settings, sampleFiles);
    bench.listed = listed;
    const page = show(bench, link);
    await follow(link, page, async (id) => {
      await page.networks.start(id);
      await page.kept.take();
    });
    // One that is pasted into the address, or an earlier one to which the user goes back.
    addEventListener("hashchange", () => {
      const link = wanted();
      settings.follow(link);
      follow(link, page, (id) => page.networks.useListed(id));
    });
    // Last, so that it does not slow this visit.
    listenForUpdate();
  } catch (error) {
    element("error").textContent = `The page could not start: ${error instanceof Error ? error.message : error}`;
    element("error").hidden = false;
    /** @type {HTMLElement} */ (document.querySelector("main")).dataset.state = "error";
  }
}

start();
