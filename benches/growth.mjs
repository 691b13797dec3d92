// How a run's time grows with pixels, features and blocks, in Node, in full precision; draws it.
// ./build.sh bench growth [PICTURE.svg]
import { readFileSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { edsr } from "../tests/e2e/onnx.js";

const www = new URL("../www/", import.meta.url);
const dfsq = await import(new URL("pkg/dfsq.js", www).href);
await dfsq.default({ module_or_path: readFileSync(new URL("pkg/dfsq_bg.wasm", www)) });
const full = { ...dfsq.defaults().options, method: "fp32" };

/** Median seconds of a run. @param {Uint8Array} network @param {number} side @param {number} runs */
function seconds(network, side, runs) {
  const session = new dfsq.Session(network, undefined);
  const picture = { width: side, height: side, rgba: new Uint8Array(4 * side * side).map((_, i) => (i * 7919) % 256) };
  const times = [];
  for (let run = 0; run <= runs; run++) {
    const start = performance.now();
    session.upscale(picture, undefined, full, () => true);
    // The first one prepares weights.
    if (run > 0) times.push((performance.now() - start) / 1000);
  }
  session.free();
  return times.sort((a, b) => a - b)[runs >> 1] ?? NaN;
}

const sides = [64, 128, 192, 256, 384, 512, 768, 1024];
const panels = [
  { title: "pixels of the input, thousands", points: sides.map((side) => [(side * side) / 1000, seconds(edsr(16, 64), side, side > 400 ? 1 : 5)]) },
  { title: "features (squared, thousands)", points: [16, 32, 48, 64, 96, 128].map((features) => [(features * features) / 1000, seconds(edsr(16, features), 96, 5)]) },
  { title: "residual blocks", points: [2, 4, 8, 16, 24, 32].map((blocks) => [blocks, seconds(edsr(blocks, 64), 96, 5)]) },
];
for (const { title, points } of panels) {
  console.log(`${title}: ${points.map(([x, y]) => `${x} ${y.toFixed(3)} s`).join(", ")}`);
}

const [WIDTH, HEIGHT, LEFT, TOP] = [250, 150, 44, 16];
const rounded = (/** @type {number} */ value) => Number(value.toPrecision(2));
/** A panel, with the line from nothing to the largest. @param {{title: string, points: number[][]}} panel @param {number} index */
function draw({ title, points }, index) {
  const [right, top] = points.reduce(([a, b], [x, y]) => [Math.max(a, x), Math.max(b, y)], [0, 0]);
  const at = (/** @type {number} */ x, /** @type {number} */ y) => [(WIDTH * x) / right, HEIGHT - (HEIGHT * y) / top];
  const dots = points.map(([x, y]) => at(x, y)).map(([x, y]) => `<circle cx="${x.toFixed(1)}" cy="${y.toFixed(1)}" r="3.5" fill="#2a78b5"/>`);
  return `<g transform="translate(${LEFT + index * (WIDTH + 60)} ${TOP})"><path d="M0 0V${HEIGHT}H${WIDTH}" fill="none" stroke="#888"/><path d="M0 ${HEIGHT}L${WIDTH} 0" stroke="#888" stroke-dasharray="3 4"/>${dots.join("")}
<text x="-6" y="4" text-anchor="end">${rounded(top)} s</text><text x="-6" y="${HEIGHT}" text-anchor="end">0</text><text x="${WIDTH}" y="${HEIGHT + 16}" text-anchor="end">${rounded(right)}</text><text y="${HEIGHT + 32}">${title}</text></g>`;
}
const picture = process.argv[2];
if (picture) {
  const size = `width="${LEFT + 3 * (WIDTH + 60)}" height="${TOP + HEIGHT + 44}"`;
  writeFileSync(picture, `<svg xmlns="http://www.w3.org/2000/svg" ${size} font-family="sans-serif" font-size="12" fill="#888">\n${panels.map(draw).join("\n")}\n</svg>\n`);
}
console.log(`Node ${process.version}, ${cpus()[0]?.model}`);
