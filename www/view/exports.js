// Files made of results.
import { bitsInShort } from "../model/contenders.js";
import { csvLine } from "../model/csv.js";
import { METHOD_NAMES, NETWORK_METHODS, QUANTIZED_METHODS } from "../model/plan.js";
import { pictureProvenance, provenance } from "../model/provenance.js";
import { element, say } from "./dom.js";
import { reportHtml } from "./report.js";

/** @typedef {import("../model/bench.js").Bench} Bench */

/** Of the forms that a network is exported in, the one that runtimes compute in integers. */
const INTEGERS = "integers";

/** Hands a file to the user. @param {string} name @param {BlobPart} content @param {string} type */
export function download(name, content, type) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([content], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

/** @param {Bench} bench */
function rows(bench) {
  const { contenders, samples, scheduler, settings, timing } = bench;
  const { mode } = settings.values;
  return samples.list.flatMap((sample) =>
    contenders.ids.flatMap((id) => {
      const { method, chosen } = contenders.get(id);
      const result = scheduler.result(id, sample);
      if (!result || method === "reference") return [];
      const { weightBits, activationBits, layerBits } = chosen.values;
      const bits = (/** @type {number} */ own) => (Object.keys(layerBits).length ? "mixed" : own);
      const quantized = NETWORK_METHODS.includes(method) && method !== "fp32";
      return [
        {
          image: sample.name,
          region: sample.region,
          mode,
          against: mode === "benchmark" ? "reference" : "fp32",
          method,
          weightBits: quantized ? bits(weightBits) : 32,
          activationBits: quantized ? bits(activationBits) : 32,
          psnrY: scheduler.score(id, sample)?.psnrY ?? null,
          ssimY: scheduler.score(id, sample)?.ssimY ?? null,
          psnrToFull: scheduler.distance(id, sample)?.score?.psnrY ?? null,
          seconds: timing.of(id, sample) ?? null,
          modelBytes: result.costs?.totalBytes ?? (method === "bicubic" ? 0 : null),
          bitOpsPerPixel: result.costs?.bitOpsPerPixel ?? null,
          networkSha256: bench.libraryOf(chosen).info?.sha256 ?? null,
          program: settings.defaults.program,
          costs: result.costs,
          options: chosen.options(method),
          layerDb: result.layerDb && quantized ? [...result.layerDb] : undefined,
        },
      ];
    }),
  );
}

/** One line for each sample and method at the present settings. @param {Bench} bench */
function scoresCsv(bench) {
  const columns = /** @type {const} */ (["image", "mode", "against", "method", "weightBits", "activationBits", "psnrY", "ssimY", "psnrToFull", "seconds", "modelBytes", "bitOpsPerPixel", "networkSha256", "program"]);
  return [csvLine([...columns]), ...rows(bench).map((row) => csvLine(columns.map((column) => row[column]))), ""].join("\r\n");
}

/** Settings, network, scores, and the distributions of the layer that is looked at. @param {Bench} bench @param {import("./analyzer.js").Analyzer} analyzer */
async function reportJson(bench, analyzer) {
  const { inquiries, library, making } = bench;
  const { info } = library;
  const report = {
    ...provenance(bench),
    network: info,
    methods: METHOD_NAMES,
    results: rows(bench),
    layerBits: info && Object.fromEntries(bench.layerBits().flatMap((bits, i) => (info.layers[i].quantized ? [[info.layers[i].name, bits]] : []))),
    layerErrors: inquiries.layerErrors && { widths: inquiries.widths, layers: inquiries.layerErrors },
    calibration: making.calibration && { sha256: making.calibration.sha256, settings: making.calibration.settings, source: making.calibration.source },
    layer: info?.layers[bench.focus.layer]?.name,
    channels: await analyzer.distributions(),
  };
  return JSON.stringify(report, null, 1);
}

/** Saves the numbers behind a figure. @param {Bench} bench @param {string} name @param {import("./data-table.js").Data} data */
export function saveTable(bench, name, { head, rows }) {
  const { network, program } = provenance(bench);
  const lines = [csvLine([...head, "networkSha256", "program"]), ...rows.map((row) => csvLine([...row, network?.sha256, program])), ""];
  download(`${name}.csv`, lines.join("\r\n"), "text/csv");
}

/** All figures below each other in one file. @param {string[]} figures @param {unknown} made what it says of itself */
function figuresFile(figures, made) {
  let top = 0;
  let widest = 0;
  const parts = figures.map((text) => {
    const [width, height] = ["width", "height"].map((name) => Number(new RegExp(`<svg[^>]*? ${name}="(\\d+)"`).exec(text)?.[1]));
    const part = text.replace("<svg ", `<svg y="${top}" `);
    top += height;
    widest = Math.max(widest, width);
    return part;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${widest}" height="${top}" viewBox="0 0 ${widest} ${top}">\n${parts.join("\n")}\n${described(made)}\n</svg>\n`;
}

/** @param {unknown} made */
function described(made) {
  const about = document.createElementNS("http://www.w3.org/2000/svg", "desc");
  about.textContent = JSON.stringify(made);
  return new XMLSerializer().serializeToString(about);
}

/** The buttons that make files, and the link. */
export class Exports {
  #bench;
  #figures;
  #comparison;
  #link;
  #errors;

  /** @param {Bench} bench @param {{noise: import("./noise.js").NoisePanel, analyzer: import("./analyzer.js").Analyzer}} figures @param {import("./comparison.js").Comparison} comparison @param {import("./network-picker.js").NetworkPicker} networks @param {import("./link.js").Link} link @param {import("./errors.js").Errors} errors */
  constructor(bench, figures, comparison, networks, link, errors) {
    this.#bench = bench;
    this.#figures = figures;
    this.#comparison = comparison;
    this.#link = link;
    this.#errors = errors;
    const tell = (/** @type {unknown} */ error) => errors.tell(error);
    element("export-png").onclick = () => this.#png().catch(tell);
    element("export-csv").onclick = () => download(`${this.#name()}-scores.csv`, scoresCsv(bench), "text/csv");
    element("export-json").onclick = () => reportJson(bench, figures.analyzer).then((text) => download(`${this.#name()}-report.json`, text, "application/json"), tell);
    element("export-svg").onclick = () => download(`${this.#name()}-figures.svg`, figuresFile(this.#texts, provenance(bench)), "image/svg+xml");
    element("export-report").onclick = () => {
      const [name, tables] = [this.#name(), [element("scores"), element("costs"), element("study-table")]];
      reportHtml(bench, this.#texts, tables).then((text) => download(`${name}-report.html`, text, "text/html"), tell);
    };
    element("share-link").onclick = () => this.#share();
    element("measure-times").onclick = () => bench.timing.measure().catch(tell);
    const save = (/** @type {string} */ kind, /** @type {{file: Uint8Array} | undefined} */ made) =>
      made && download(`${networks.id}.${kind}`, /** @type {BlobPart} */ (made.file), "application/octet-stream");
    element("save-calibration").onclick = () => bench.inquiries.wholeCalibration().then((made) => save("calibration", made), tell);
    element("export-method").append(...QUANTIZED_METHODS.map((method) => new Option(METHOD_NAMES[method], method)), new Option("Min-max in integers", INTEGERS));
    element("export-onnx").onclick = () => {
      const form = element("export-method").value;
      const { values } = bench.settings;
      const [bits, made] =
        form === INTEGERS
          ? [bitsInShort({ ...values, activationBits: 8 }), bench.inquiries.exportInteger()]
          : [bitsInShort(values), bench.inquiries.exportOnnx(form)];
      const name = `${networks.id}-${form}-${bits.toLowerCase()}.onnx`;
      made.then((file) => download(name, file, "application/octet-stream"), tell);
    };
    element("save-optimized").onclick = () => save("optimized", bench.making.optimized());
  }

  /** The figures' SVG texts. */
  get #texts() {
    return [...this.#figures.noise.figures, ...this.#figures.analyzer.figures];
  }

  #name() {
    return (this.#bench.samples.current?.name ?? "dfsq").replace(/\.[^.]*$/, "");
  }

  async #png() {
    const { contenders, engines, scheduler } = this.#bench;
    const id = this.#comparison.looked;
    const result = scheduler.result(id);
    if (!result) return this.#errors.tell(new Error(`there is no ${contenders.title(id)} picture yet`));
    download(`${this.#name()}-${id}.png`, await engines.images.call("encodePng", [result.picture, JSON.stringify(pictureProvenance(this.#bench, id))]), "image/png");
  }

  async #share() {
    history.replaceState(null, "", `#${this.#link.text}`);
    const button = element("share-link");
    try {
      await navigator.clipboard.writeText(location.href);
      button.textContent = "Copied";
    } catch {
      button.textContent = "The address bar has the link";
    }
    setTimeout(() => (button.textContent = "Copy link to these settings"), 2000);
  }

  draw() {
    const { contenders, library, making, samples, scheduler, settings, tasks, timing } = this.#bench;
    const some = Boolean(samples.current && NETWORK_METHODS.some((method) => scheduler.result(method)));
    say(element("export-png"), `PNG of ${contenders.title(this.#comparison.looked)}`);
    element("measure-times").disabled = !timing.canMeasure;
    for (const id of ["export-png", "export-csv", "export-json", "export-report"]) element(id).disabled = !some;
    element("export-svg").disabled = !this.#texts.length;
    // Widths that have not been in use take its worker.
    element("save-calibration").disabled = !making.calibration || (tasks.size > 0 && !making.calibrationOf(settings.chosen, making.savedWidths));
    element("save-optimized").disabled = !making.optimized();
    // Exporting takes the method's worker.
    element("export-onnx").disabled = !library.network || tasks.size > 0;
  }
}
