// What an exported file says of itself: program, network, settings and picture, by version and SHA-256. No DOM.

/** @typedef {import("./bench.js").Bench} Bench */

/** What all results of a sample have in common. @param {Bench} bench */
export function provenance({ library, making, settings, samples }) {
  const { current } = samples;
  return {
    program: settings.defaults.program,
    network: library.info && { name: library.info.name, sha256: library.info.sha256 },
    calibration: making.calibration?.sha256,
    optimized: making.optimized()?.variants.map(({ sha256 }) => sha256),
    image: current && { name: current.name, sha256: current.picture.sha256, region: current.region },
    settings: settings.values,
  };
}

/** The same with a contender's picture. @param {Bench} bench @param {string} id */
export function pictureProvenance(bench, id) {
  const { contenders, scheduler } = bench;
  const { method, chosen } = contenders.get(id);
  return { ...provenance(bench), settings: chosen.values, method, options: chosen.options(method), score: scheduler.score(id), toFull: scheduler.distance(id)?.score };
}
