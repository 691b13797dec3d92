// The panel for a folder of images: what to run, how far it is, and the table of means.
import { csv, latex, markdown } from "../model/benchmark-text.js";
import { listImages } from "../model/folder.js";
import { duration, METHOD_NAMES } from "../model/plan.js";
import { element, say } from "./dom.js";
import { decimal } from "./score-table.js";
import { setRows, tableRow } from "./table.js";

/** @typedef {import("../model/bench.js").Bench} Bench */

const TEXTS = /** @type {const} */ ([["csv", csv, "text/csv"], ["md", markdown, "text/markdown"], ["tex", latex, "application/x-tex"]]);

export class BenchmarkPanel {
  #bench;
  #errors;
  #widths = element("benchmark-widths");
  /** What the table shows now. */
  #shown = "";

  /** @param {Bench} bench @param {import("./errors.js").Errors} errors @param {(name: string, content: BlobPart, type: string) => void} save */
  constructor(bench, errors, save) {
    this.#bench = bench;
    this.#errors = errors;
    const { benchmark } = bench;
    element("folder").addEventListener("change", (/** @type {Event} */ event) => {
      const input = /** @type {HTMLInputElement} */ (event.target);
      this.open([...(input.files ?? [])].map((file) => ({ path: file.webkitRelativePath || file.name, file })));
      input.value = "";
    });
    for (const bits of bench.quality.widths) {
      const label = document.createElement("label");
      label.className = "link";
      const box = Object.assign(document.createElement("input"), { type: "checkbox", value: String(bits), checked: benchmark.widths.includes(bits) });
      label.append(box, String(bits));
      this.#widths.append(label);
    }
    this.#widths.addEventListener("change", () => {
      const chosen = [...this.#widths.querySelectorAll("input:checked")].map((box) => Number(/** @type {HTMLInputElement} */ (box).value));
      benchmark.choose(chosen.reverse());
    });
    element("benchmark-run").onclick = () => (benchmark.state === "running" ? benchmark.pause() : benchmark.run().catch((error) => errors.tell(error)));
    for (const [ending, make, type] of TEXTS) {
      element(`benchmark-${ending}`).onclick = () => save(`benchmark.${ending}`, make(benchmark, benchmark.made), type);
    }
  }

  /** Opens a folder's files, and runs them. @param {import("../model/folder.js").Found[]} files */
  async open(files) {
    const { benchmark, engines } = this.#bench;
    try {
      const { listed, passedOver } = await listImages(files, (paths) => engines.images.call("pairFiles", [paths, this.#bench.cost().scale]));
      benchmark.open(listed);
      if (passedOver.length) this.#errors.remark(`Passed over: ${passedOver.join("; ")}.`);
      element("benchmark").scrollIntoView({ block: "nearest" });
      benchmark.run().catch((error) => this.#errors.tell(error));
    } catch (error) {
      this.#errors.tell(error, "folder");
    }
  }

  draw() {
    const { benchmark, library } = this.#bench;
    const { images, rows, state } = benchmark;
    const run = element("benchmark-run");
    run.disabled = !benchmark.canRun || !library.network || (state !== "running" && !benchmark.isStale && !benchmark.isMissing);
    say(run, state === "running" ? "Pause" : state === "paused" ? "Resume" : "Run");
    for (const [ending] of TEXTS) element(`benchmark-${ending}`).disabled = !rows.length;
    element("benchmark-progress").value = images.length ? benchmark.done / images.length : 0;
    say(element("benchmark-status"), this.#status());
    const failed = images.filter(({ error }) => error);
    const now = JSON.stringify([rows, benchmark.isStale, failed.map(({ name, error }) => [name, error])]);
    if (now === this.#shown) return;
    this.#shown = now;
    element("benchmark-table").hidden = !rows.length;
    setRows(
      element("benchmark-table").tBodies[0],
      rows.map(({ method, bits, psnrY, ssimY, toFull }) => tableRow(METHOD_NAMES[method], [String(bits ?? "–"), decimal(psnrY, 3), decimal(ssimY, 4), decimal(toFull, 2)], method)),
    );
    this.#drawImages();
  }

  #drawImages() {
    const { benchmark } = this.#bench;
    const { images, settings } = benchmark;
    const table = element("benchmark-images");
    element("benchmark-each").hidden = !benchmark.rows.length && !images.some(({ error }) => error);
    const heads = ["Image", ...settings.map(({ method, bits }) => (bits ? `${METHOD_NAMES[method]} ${bits}` : METHOD_NAMES[method]))];
    const row = document.createElement("tr");
    row.append(...heads.map((text) => Object.assign(document.createElement("th"), { textContent: text, scope: "col" })));
    setRows(table.tHead, [row]);
    const cells = (/** @type {import("../model/benchmark.js").Image} */ image) => settings.map((setting) => decimal(benchmark.measured(image, setting)?.score.psnrY, 2));
    const run = images.filter(({ measured, error }) => measured.size || error);
    setRows(table.tBodies[0], run.map((image) => tableRow(image.name, image.error ? [image.error] : cells(image))));
  }

  #status() {
    const { benchmark } = this.#bench;
    const { images, done, secondsLeft, state } = benchmark;
    if (!images.length) return "References are shrunk and enlarged again; pairs are told by HR and LR in their names.";
    const failed = images.filter(({ error }) => error).length;
    const parts = [`${done} of ${images.length} images`];
    if (failed) parts.push(`${failed} failed`);
    if (state === "running" && secondsLeft !== undefined) parts.push(`${duration(secondsLeft)} left`);
    if (state === "paused") parts.push("paused");
    if (!benchmark.canRun) parts.push("from your last visit: drop the folder again to run more");
    if (benchmark.isStale) parts.push("of another network or method than is chosen now");
    return parts.join(", ");
  }
}
