// Our engine beside onnxruntime-web, in turn, in one headless Chromium and on one thread each. ./build.sh bench web
import { readFile } from "node:fs/promises";
import http from "node:http";
import { createRequire } from "node:module";
import { extname } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../", import.meta.url));
const { chromium } = createRequire(`${root}tests/e2e/`)("playwright-core");

/** Network, rows and columns of its input. */
const CASES = [["edsr_x2", 64, 64], ["edsr_x2", 61, 83], ["edsr_x2", 128, 128], ["rdn_x2", 64, 64], ["edsr_x4", 64, 64], ["rdn_x4", 64, 64]];
const RUNS = 5;
const TYPES = { ".js": "text/javascript", ".mjs": "text/javascript", ".wasm": "application/wasm" };

const server = http.createServer(async ({ url }, answer) => {
  const path = new URL(url, "http://localhost").pathname;
  try {
    const body = path === "/" ? "<!doctype html>" : await readFile(path.startsWith("/ort/") ? `${process.env.ORT}/${path.slice(5)}` : `${root}www${path}`);
    answer.writeHead(200, { "content-type": path === "/" ? "text/html" : (TYPES[extname(path)] ?? "application/octet-stream") }).end(body);
  } catch {
    answer.writeHead(404).end();
  }
});
await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
const browser = await chromium.launch({ executablePath: process.env.BROWSER, args: ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"] });
const page = await browser.newPage();
await page.goto(`http://127.0.0.1:${server.address().port}/`);
console.log(`Chromium ${browser.version()}; medians of ${RUNS} runs in ms, one thread each`);
console.log("network, input: onnxruntime-web | full precision, dfsq, dfsq-opt, min-max | full precision / onnxruntime-web, dfsq / full precision");
try {
  for (const [network, height, width] of CASES) console.log(await page.evaluate(measure, { network, height, width, runs: RUNS }));
} finally {
  await browser.close();
  server.close();
}

/** In the page: runs everything in turn, and says the medians. */
async function measure({ network, height, width, runs }) {
  const [ort, dfsq] = await Promise.all([import("/ort/ort.wasm.bundle.min.mjs"), import("/pkg/dfsq.js")]);
  ort.env.wasm.numThreads = 1;
  ort.env.wasm.wasmPaths = "/ort/";
  await dfsq.default({ module_or_path: "/pkg/dfsq_bg.wasm" });
  const load = async (ending) => new Uint8Array(await (await fetch(`/onnx/${network}.${ending}`)).arrayBuffer());
  const [bytes, calibration, optimized] = await Promise.all(["onnx", "calibration", "optimized"].map(load));
  const peer = await ort.InferenceSession.create(bytes, { executionProviders: ["wasm"] });
  const level = (_, i) => (i * 7919) % 256;
  const picture = { width, height, rgba: new Uint8Array(4 * width * height).map(level) };
  const input = new ort.Tensor("float32", new Float32Array(3 * width * height).map(level), [1, 3, height, width]);
  const work = { ort: () => peer.run({ [peer.inputNames[0]]: input }) };
  for (const method of ["fp32", "dfsq", "dfsq-opt", "min-max"]) {
    const session = new dfsq.Session(bytes, undefined);
    session.loadCalibration(calibration);
    session.loadOptimized(optimized);
    work[method] = () => session.upscale(picture, undefined, { ...dfsq.defaults().options, method }, () => true);
  }
  const times = Object.fromEntries(Object.keys(work).map((name) => [name, []]));
  for (let run = 0; run <= runs; run++) {
    for (const [name, once] of Object.entries(work)) {
      const start = performance.now();
      await once();
      // The first run prepares weights and plans.
      if (run > 0) times[name].push(performance.now() - start);
    }
  }
  const [other, fp32, ...rest] = Object.values(times).map((list) => list.sort((a, b) => a - b)[list.length >> 1]);
  const ratio = (a, b) => (a / b).toFixed(2);
  return `${network}, ${height} x ${width}: ${other.toFixed(0)} | ${[fp32, ...rest].map((ms) => ms.toFixed(0)).join(", ")} | ${ratio(fp32, other)}, ${ratio(rest[0], fp32)}`;
}
