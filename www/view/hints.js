// A first visit's hints, until they were read.
import { element } from "./dom.js";

/** Where it is kept that they were. */
const KEY = "dfsq-hints";

/** @param {import("../model/bench.js").Bench} bench */
export function makeHints(bench) {
  let read = wereRead();
  element("close-hints").onclick = () => {
    read = true;
    element("hints").hidden = true;
    try {
      localStorage.setItem(KEY, "read");
    } catch {
      // Forbidden here: they come again at the next visit.
    }
  };
  return { draw: () => (element("hints").hidden = read || !bench.samples.current) };
}

function wereRead() {
  try {
    return localStorage.getItem(KEY) !== null;
  } catch {
    return false;
  }
}
