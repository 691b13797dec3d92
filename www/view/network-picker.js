// The list of networks, the one in use, and what is said of it.
import { describe, fetchNetwork, keptNetworks } from "../model/networks.js";
import { element, say } from "./dom.js";

/** @typedef {import("../model/bench.js").Bench} Bench */

/** Numbers as properties of a network have them; it keeps them in 32 bits. @param {number[]} numbers */
const listed = (numbers) => numbers.map((number) => +number.toFixed(6)).join(",");

/** A range as the properties of a network say it. @param {import("../pkg/dfsq.js").ValueRange} range */
const properties = ({ low, high, mean, deviation }) => ({ range: listed([low]) + ".." + listed([high]), mean: listed(mean), deviation: listed(deviation) });

/** A range in words. @param {import("../pkg/dfsq.js").ValueRange} range */
function named({ low, high, mean, deviation }) {
  const ends = `${listed([low]).replace("-", "−")} to ${listed([high]).replace("-", "−")}`;
  return mean.some((value) => value !== 0) || deviation.some((value) => value !== 1) ? `${ends}, less ${listed(mean)}, over ${listed(deviation)}` : ends;
}

/** What is said of where points come from. */
const SOURCES = {
  shipped: "",
  image: "No calibration came with this network: its points are chosen on the dropped image itself.",
  images: "Its points are chosen on your images.",
  patches: "Its points are chosen on patches of the bundled samples.",
  file: "Its points are those of your file.",
};

export class NetworkPicker {
  /** Counts choices. */
  #choices = 0;
  /** The latest choice that is in use: those before it come too late. */
  #used = 0;
  #select = element("network");
  /** The network whose ranges are shown. @type {import("../pkg/dfsq.js").NetworkInfo | undefined} */
  #ranged;
  #bench;
  #errors;
  #status;

  /** @param {Bench} bench @param {import("./errors.js").Errors} errors @param {import("./status.js").Status} status */
  constructor(bench, errors, status) {
    this.#bench = bench;
    this.#errors = errors;
    this.#status = status;
    this.#select.addEventListener("change", () => this.use(this.#select.value));
    for (const id of ["input-range", "output-range"]) element(id).addEventListener("change", () => this.#stateRanges());
  }

  /** Fills the list and takes one of it. @param {string | null} wanted its id */
  async start(wanted) {
    this.#select.append(...this.#networks.map((network) => new Option(describe(network), network.id)));
    await this.use(this.#networks.find(({ id }) => id === wanted)?.id ?? this.#networks[0].id);
  }

  get #networks() {
    return this.#bench.listed;
  }

  /** Uses one of the list, unless it is in use. @param {string | null} id another than a listed one says nothing */
  async useListed(id) {
    if (id !== this.id && this.#networks.some((network) => network.id === id)) await this.use(String(id));
  }

  /** The id of the network in use. */
  get id() {
    const known = this.#networks.find(({ sha256 }) => sha256 === this.#bench.library.info?.sha256);
    return known?.id ?? "foreign";
  }

  /** Downloads and uses a bundled network. @param {string} id */
  async use(id) {
    const entry = this.#networks.find((network) => network.id === id) ?? this.#networks[0];
    const choice = ++this.#choices;
    const current = () => choice === this.#choices;
    this.#errors.clear();
    // At once: what is shown is soon of another network.
    this.#progress(entry.name, 0, entry.bytes);
    try {
      const files = await fetchNetwork(this.#bench.engines.images, entry, (done, total) => current() && this.#progress(entry.name, done, total));
      await this.#take(choice, files);
    } catch (error) {
      if (current()) this.#errors.tell(error, entry.name, await this.#waysOut(entry));
    }
    if (current()) this.#progress("", 0, 0);
    this.#show();
  }

  /** Downloads and reads one of the list beside the network in use, or says why not. @param {string} id @param {import("../model/choices.js").Reading} [reading] */
  async readBeside(id, reading) {
    const entry = this.#networks.find((network) => network.id === id);
    if (!entry) return undefined;
    try {
      const files = await fetchNetwork(this.#bench.engines.images, entry, (done, total) => this.#progress(entry.name, done, total));
      return await this.#bench.readBeside(files, reading);
    } catch (error) {
      this.#errors.tell(error, entry.name);
      return undefined;
    } finally {
      this.#progress("", 0, 0);
    }
  }

  /** Uses a network, unless one that was chosen later is in use by then. @param {number} choice @param {import("../model/bench.js").NetworkFiles} files */
  async #take(choice, files) {
    await this.#bench.setNetwork(files, () => {
      const isLatest = choice > this.#used;
      if (isLatest) this.#used = choice;
      return isLatest;
    });
  }

  /** What can be done when a network could not be fetched: again, or one that is kept here. @param {import("../model/networks.js").Entry} failed @returns {Promise<import("./errors.js").Way[]>} */
  async #waysOut(failed) {
    const kept = await keptNetworks(this.#networks.filter((entry) => entry !== failed));
    const use = (/** @type {string} */ name, /** @type {string} */ id) => ({ name, take: () => void this.use(id) });
    return [use("Try again", failed.id), ...kept.map(({ id, name }) => use(`Use ${name}, which is kept here`, id))];
  }

  /** The bytes are shown, but a screen reader is told the name only. @param {string} name @param {number} done @param {number} total */
  #progress(name, done, total) {
    const share = element("download");
    share.textContent = name ? `${(done / 1e6).toFixed(1)} of ${(total / 1e6).toFixed(1)} MB` : "";
    this.#status.note(name ? `Loading ${name}…` : "");
  }

  /** Uses a network that the user brought. One that is among the bundled ones gets what came with that. @param {Uint8Array} bytes @param {string} name of its file */
  async bring(bytes, name) {
    // One that cannot be used fails here, and what is being fetched comes nevertheless.
    const choice = ++this.#choices;
    await this.#take(choice, { network: { bytes } });
    if (choice !== this.#used) return this.#show();
    this.#progress("", 0, 0);
    this.#select.querySelector("[data-foreign]")?.remove();
    const known = this.#networks.find(({ id }) => id === this.id);
    if (known) {
      const files = await fetchNetwork(this.#bench.engines.images, known);
      if (choice === this.#used) await this.#bench.setNetwork(files, () => choice === this.#used);
    } else {
      const option = new Option(this.#bench.library.info?.name ?? name, "foreign", true, true);
      option.dataset.foreign = "";
      this.#select.append(option);
    }
    this.#show();
  }

  /** Makes the list show the network in use, also after another could not be loaded. */
  #show() {
    // Nothing where there is none, so that choosing any is a change.
    this.#select.value = this.#bench.library.info ? this.id : "";
    if (this.id !== "foreign") this.#select.querySelector("[data-foreign]")?.remove();
  }

  draw() {
    const { library, making, settings } = this.#bench;
    if (!library.info) return;
    const { convention, parameters, quantizedLayers, lacking, stored } = library.info;
    const parts = [
      `Enlarges ${convention.scale}×; ${(parameters / 1e6).toFixed(2)} million parameters. Quantized: ${quantizedLayers}.`,
    ];
    if (convention.size) parts.push(`It takes pictures of ${convention.size[1]} × ${convention.size[0]} pixels only.`);
    for (const words of [...convention.padding, ...(stored ? [stored] : [])]) parts.push(`${words[0].toUpperCase()}${words.slice(1)}.`);
    if (convention.assumed.length) parts.push(`Not stated by the file, so assumed: ${convention.assumed.join("; ")}.`);
    if (convention.doubt) parts.push(`No picture can be made yet: ${convention.doubt}, below.`);
    if (lacking) parts.push(settings.values.engine === "tract" ? "Run by tract, as chosen under Ablations." : `Run by tract, slower: the native engine lacks ${lacking}.`);
    if (making.calibration) parts.push(SOURCES[making.calibration.source]);
    say(element("network-note"), parts.filter(Boolean).join(" "));
    this.#drawRanges();
  }

  /** The ranges in use are chosen; one that is not usual stands among them. */
  #drawRanges() {
    const { info } = this.#bench.library;
    if (!info || info === this.#ranged) return;
    this.#ranged = info;
    const { input, output, usual, doubt } = info.convention;
    for (const [id, range] of /** @type {const} */ ([["input-range", input], ["output-range", output]])) {
      const chosen = JSON.stringify(properties(range));
      const names = new Map([...usual, range].map((range) => [JSON.stringify(properties(range)), named(range)]));
      element(id).replaceChildren(...[...names].map(([value, name]) => new Option(name, value, false, value === chosen)));
    }
    if (doubt) /** @type {HTMLDetailsElement} */ (document.getElementById("network-properties")).open = true;
  }

  async #stateRanges() {
    const [input, output] = ["input-range", "output-range"].map((id) => JSON.parse(element(id).value));
    const stated = { input_range: input.range, mean: input.mean, deviation: input.deviation, output_range: output.range, output_mean: output.mean, output_deviation: output.deviation };
    try {
      await this.#bench.state(stated);
    } catch (error) {
      this.#errors.tell(error, "value ranges");
    }
  }
}
