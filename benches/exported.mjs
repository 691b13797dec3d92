// What `Export ONNX` writes on the page, in onnxruntime-web, beside what the page itself makes of the same pictures.
// ./build.sh bench exported [NETWORK ...], of the bundled ones
import { blankPage, root } from "./blank.mjs";

const given = process.argv.slice(2);
const NETWORKS = given.length ? given : ["edsr_x2", "rdn_x2", "edsr_x4"];
const SIZE = { width: 61, height: 43 };
const CASES = [
  { method: "min-max", weightBits: 4, activationBits: 4 },
  { method: "min-max", weightBits: 8, activationBits: 8, minMaxRange: "static" },
  { method: "min-max", weightBits: 7, activationBits: 8, minMaxRange: "static", integer: true },
  { method: "dfsq", weightBits: 4, activationBits: 4 },
  { method: "dfsq", weightBits: 2, activationBits: 2 },
  { method: "dfsq-opt", weightBits: 2, activationBits: 2 },
];
const { page, version, close } = await blankPage({ ort: process.env.ORT ?? "", www: `${root}www` });
try {
  console.log(`Chromium ${version}, onnxruntime-web ${process.env.ORT_VERSION}; ${SIZE.width} x ${SIZE.height} pixels of a photograph`);
  for (const network of NETWORKS) {
    for (const options of CASES) {
      const { bytes, decibels, levels } = await page.evaluate(compare, { network, options, size: SIZE });
      const { method, weightBits, minMaxRange = "", integer } = options;
      console.log(`${network}, ${method} ${minMaxRange}${integer ? " in integers" : ""} at ${weightBits} bits: ${decibels.toFixed(1)} dB apart, at most ${levels} levels; ${bytes} bytes`);
    }
  }
} finally {
  await close();
}

/**
 * In the page.
 * @param {{network: string, options: {integer?: boolean}, size: {width: number, height: number}}} what
 * @returns {Promise<{bytes: number, decibels: number, levels: number}>}
 */
async function compare({ network, options, size: { width, height } }) {
  const dfsq = await import("/www/pkg/dfsq.js");
  await dfsq.default({ module_or_path: "/www/pkg/dfsq_bg.wasm" });
  const ort = await import("/ort/ort.wasm.bundle.min.mjs");
  Object.assign(ort.env.wasm, { numThreads: 1, wasmPaths: "/ort/" });
  const load = async (address) => new Uint8Array(await (await fetch(address)).arrayBuffer());
  const [file, calibration, optimized] = await Promise.all(["onnx", "calibration", "optimized"].map((ending) => load(`/www/onnx/${network}.${ending}`)));
  const session = new dfsq.Session(file, undefined);
  session.loadCalibration(calibration);
  session.loadOptimized(optimized);
  const image = await createImageBitmap(await (await fetch("/www/samples/parrot.png")).blob(), 40, 40, width, height);
  const canvas = new OffscreenCanvas(width, height);
  canvas.getContext("2d").drawImage(image, 0, 0);
  const rgba = new Uint8Array(canvas.getContext("2d").getImageData(0, 0, width, height).data);
  const { integer, ...chosen } = options;
  const all = { ...dfsq.defaults().options, ...chosen };
  const picture = { width, height, rgba };
  const ours = session.upscale(picture, undefined, all, () => true).picture.rgba;

  const exported = integer ? session.exportInteger(file, all, [picture], () => true) : session.exportOnnx(file, all);
  const { input, output } = session.info().convention;
  const pixels = width * height;
  const values = Float32Array.from({ length: 3 * pixels }, (_, i) => (rgba[(i % pixels) * 4 + Math.floor(i / pixels)] / 255) * (input.high - input.low) + input.low);
  const runtime = await ort.InferenceSession.create(exported, { executionProviders: ["wasm"] });
  const result = await runtime.run({ [runtime.inputNames[0]]: new ort.Tensor("float32", values, [1, 3, height, width]) });
  const theirs = result[runtime.outputNames[0]].data;
  let [sum, levels] = [0, 0];
  const outside = theirs.length / 3;
  for (let i = 0; i < theirs.length; i++) {
    const level = Math.min(255, Math.max(0, Math.round(((theirs[i] - output.low) / (output.high - output.low)) * 255)));
    const apart = Math.abs(level - ours[(i % outside) * 4 + Math.floor(i / outside)]);
    sum += apart ** 2;
    levels = Math.max(levels, apart);
  }
  return { bytes: exported.length, decibels: 10 * Math.log10(255 ** 2 / Math.max(sum / theirs.length, 1e-9)), levels };
}
