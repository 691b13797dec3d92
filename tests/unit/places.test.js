// Where pictures differ most, and the sentence about them.
import assert from "node:assert/strict";
import { test } from "node:test";
import { summary } from "../../www/model/summary.js";
import { makeBench, network, settle } from "./fakes.js";

const SIZE = { width: 8, height: 8 };

/** A bench whose pictures differ at these corners. */
async function started(corners, hash = "") {
  const bench = makeBench(hash);
  bench.places.side = 2;
  bench.engines.images.instead.differingPlaces = () => Uint32Array.from(corners.flat());
  bench.addEventListener("change", () => bench.places.update());
  await bench.setNetwork(network("A"));
  await bench.addImage("one", "one");
  await settle();
  return bench;
}

const at = ({ places }) => [places.part(SIZE)?.x, places.part(SIZE)?.y];

test("the worst place is looked at first, then the next, until the user chooses one", async () => {
  const bench = await started([[4, 5], [0, 1]]);
  const { places } = bench;
  assert.deepEqual([at(bench), places.rank], [[4, 5], { index: 0, count: 2 }]);
  places.next();
  assert.deepEqual([at(bench), places.rank], [[0, 1], { index: 1, count: 2 }]);
  places.next();
  assert.deepEqual(at(bench), [4, 5], "after the last comes the first");
  places.choose({ x: 0.99, y: 0.5 });
  assert.deepEqual([at(bench), places.rank, places.hasNext], [[6, 3], undefined, true], "near an edge what is there");
  places.next();
  assert.deepEqual(at(bench), [4, 5]);
  places.close();
  assert.equal(places.part(SIZE), undefined);
  places.choose({ x: 0.5, y: 0.5 });
  assert.deepEqual(at(bench), [3, 3]);
});

test("places are found once for the same pictures, and anew for others", async () => {
  const bench = await started([[4, 5], [0, 1]]);
  const asked = () => bench.engines.images.count("differingPlaces");
  assert.equal(asked(), 1);
  bench.places.next();
  bench.changed();
  await settle();
  assert.deepEqual([asked(), at(bench)], [1, [0, 1]]);
  bench.settings.set({ weightBits: 2, activationBits: 2 });
  await settle();
  assert.deepEqual([asked(), at(bench)], [2, [4, 5]]);
  bench.places.choose({ x: 0.5, y: 0.5 });
  bench.settings.set({ weightBits: 3, activationBits: 3 });
  await settle();
  assert.deepEqual(at(bench), [3, 3], "what the user chose stays at other bits");
  await bench.addImage("two", "two");
  await settle();
  assert.deepEqual(at(bench), [4, 5], "and is not for another image");
});

test("pictures that are alike have no place", async () => {
  const bench = await started([]);
  assert.deepEqual([bench.places.part(SIZE), bench.places.rank, bench.places.hasNext], [undefined, undefined, false]);
});

const words = (bench) => summary(bench).map(({ text }) => text).join("");

/** Scores, and the noise of two layers of which the second has three channels. */
const scored = (psnrY) => ({ picture: { ...SIZE, rgba: new Uint8Array(256) }, score: { psnrY, ssimY: 0.9 }, layerDb: [Infinity, 5], channelDb: [[], [9, 3, 7]], costs: { totalBytes: 1 }, seconds: 1 });

async function withScores(scores, hash) {
  const bench = makeBench(hash);
  for (const [method, psnr] of Object.entries(scores)) bench.engines[method].instead[method === "fp32" ? "analyze" : "upscale"] = () => scored(psnr);
  await bench.setNetwork(network("A"));
  assert.deepEqual(summary(bench), []);
  await bench.addImage("one", "one");
  await settle();
  return bench;
}

test("a sentence says what is lost, from the worst on, and where", async () => {
  const bench = await withScores({ fp32: 36.22, "dfsq-opt": 36.04, dfsq: 36.3, "min-max": 26.13 }, "weights=3&activations=3");
  assert.equal(words(bench), "At 3 bits min-max loses 10.1 dB, DFSQ-opt 0.2 and DFSQ gains 0.1 on this picture. The noise of min-max is strongest in the input of second, above all in channel 1.");
  assert.deepEqual(summary(bench).filter(({ channel }) => channel !== undefined), [{ text: "channel 1", method: "min-max", layer: 1, channel: 1 }]);
  bench.settings.set({ activationBits: 8 });
  await settle();
  assert.match(words(bench), /^With 3-bit weights and 8-bit activations min-max loses/);
  bench.settings.set({ weightBits: 32 });
  await settle();
  assert.match(words(bench), /^With weights in full precision and 8-bit activations/);
});

test("where nothing is lost, that is said; without a reference, how far each is from full precision", async () => {
  const bench = await withScores({ fp32: 36.22, "dfsq-opt": 36.22, dfsq: 36.21, "min-max": 36.2 }, "weights=8&activations=8");
  assert.equal(words(bench), "At 8 bits no method is more than 0.05 dB from full precision on this picture.");
  bench.settings.set({ mode: "upscale" });
  await settle();
  assert.match(words(bench), /^At 8 bits DFSQ-opt is 40\.0 dB from full precision, DFSQ 40\.0 and min-max 40\.0 on this picture\. The noise of DFSQ-opt/);
});

test("a method that loses nothing to speak of is said to, and one that is not there is not waited for", async () => {
  const bench = await withScores({ fp32: 36.22, "dfsq-opt": 36.21, dfsq: 36.1, "min-max": 35 }, "weights=4&activations=4&point-source=nf4");
  assert.match(words(bench), /^At 4 bits min-max loses 1\.2 dB, DFSQ \(NF4\) 0\.1 and DFSQ-opt nothing on this picture\./);
  assert.deepEqual([bench.offers("dfsq"), bench.offers("dfsq", bench.settings.chosen.at(3)), bench.offers("min-max", bench.settings.chosen.at(3))], [true, false, true]);
  assert.ok(!bench.benchmark.settings.some(({ method, bits }) => method === "dfsq" && bits !== 4));
  bench.settings.set({ minMaxRange: "static", rangeEstimator: "mse" });
  assert.ok(!bench.offers("min-max"), "calibrated ranges are minima and maxima");
});
