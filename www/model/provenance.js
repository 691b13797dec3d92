// What an exported file says of itself: program, network, settings and picture, by version and SHA-256. No DOM.

/** @typedef {import("./bench.js").Bench} Bench */

/** What all results of a sample have in common, as it is chosen. @param {Bench} bench @param {import("./chosen.js").Chosen} [chosen] */
export function provenance(bench, chosen = bench.settings.chosen) {
  const { making, settings, samples } = bench;
  const { info } = bench.libraryOf(chosen);
  const { current } = samples;
  return {
    program: settings.defaults.program,
    network: info && { name: info.name, sha256: info.sha256 },
    calibration: making.calibrationOf(chosen)?.sha256,
    optimized: making.optimized(chosen)?.variants.map(({ sha256 }) => sha256),
    image: current && { name: current.name, sha256: current.picture.sha256, region: current.region },
    settings: chosen.values,
  };
}

/** The same with a contender's picture. @param {Bench} bench @param {string} id */
export function pictureProvenance(bench, id) {
  const { contenders, scheduler } = bench;
  const { method, chosen } = contenders.get(id);
  return { ...provenance(bench, chosen), method, options: chosen.options(method), score: scheduler.score(id), toFull: scheduler.distance(id)?.score };
}
