// How far our own engine and tract are apart on the picture, and what each takes.
import { element, say } from "./dom.js";

/** @typedef {import("../model/bench.js").Bench} Bench */

/** In words. @param {import("../pkg/dfsq.js").EngineCheck} check */
function words({ db, levels, native, tract }) {
  const apart = db === undefined || db === null ? "Every value is the same" : `${db.toFixed(0)} dB apart, ${levels === 0 ? "every pixel alike" : `at most ${levels} of 255 in a pixel`}`;
  return `${apart}. Full precision took ${native.toFixed(2)} s by our own engine, ${tract.toFixed(2)} s by tract.`;
}

export class EngineCheck {
  #bench;

  /** @param {Bench} bench @param {import("./errors.js").Errors} errors */
  constructor(bench, errors) {
    this.#bench = bench;
    element("check-engines").onclick = () => bench.inquiries.checkEngines().catch((/** @type {unknown} */ error) => errors.tell(error));
  }

  draw() {
    const { inquiries, library, samples, settings, tasks } = this.#bench;
    const foreign = Boolean(library.info?.lacking) && settings.values.engine !== "tract";
    element("check-engines").disabled = !library.info || !samples.current || tasks.size > 0 || foreign;
    const check = inquiries.engineCheck;
    say(element("engine-check"), foreign ? `Our own engine lacks ${library.info?.lacking}.` : check ? words(check) : "");
  }
}
