// The bench with engines that fail, stall and answer late.
import assert from "node:assert/strict";
import { test } from "node:test";
import { EngineError } from "../../www/engine/client.js";
import { bitsOf, makeBench, network, optimized, settle, shipped, variant } from "./fakes.js";

const never = () => new Promise(() => {});

async function started(hash = "", files = network("A")) {
  const bench = makeBench(hash);
  await bench.setNetwork(files);
  await bench.addImage("one", "one");
  await settle();
  return bench;
}

const of = (bench, method) => bench.scheduler.result(method)?.picture.of;

test("every method is computed once, and is there again when its setting comes back", async () => {
  const bench = await started();
  assert.equal(bench.tasks.size, 0);
  assert.ok(!bench.scheduler.incomplete);
  assert.deepEqual(of(bench, "dfsq"), ["points of A", undefined]);
  assert.deepEqual(of(bench, "dfsq-opt"), [undefined, ["variant A"]]);
  const runs = () => bench.engines.dfsq.count("upscale");
  bench.settings.set({ weightBits: 3, activationBits: 3 });
  await settle();
  assert.equal(runs(), 2);
  bench.settings.set({ weightBits: 4, activationBits: 4 });
  await settle();
  assert.equal(runs(), 2, "nothing is computed again");
  assert.equal(bench.engines.fp32.count("analyze"), 1);
});

test("optimized layers of another file are never taken for those before", async () => {
  const bench = await started();
  const mine = optimized([variant(4, "mine")]);
  await bench.loadOptimized(mine);
  await settle();
  assert.deepEqual(of(bench, "dfsq-opt"), [undefined, ["variant mine"]]);
  // Away and back, then another file with the same settings, recipe and bits.
  await bench.setNetwork(network("B"));
  await settle();
  await bench.setNetwork(network("A"));
  await bench.loadOptimized(optimized([variant(4, "another")]));
  await settle();
  assert.deepEqual(of(bench, "dfsq-opt"), [undefined, ["variant another"]]);
  await bench.loadOptimized(mine);
  const runs = bench.engines["dfsq-opt"].count("upscale");
  await settle();
  assert.deepEqual(of(bench, "dfsq-opt"), [undefined, ["variant mine"]]);
  assert.equal(bench.engines["dfsq-opt"].count("upscale"), runs, "the very same weights need no second run");
});

test("the recipe of a file is taken over whole, and what is optimized next is added to it", async () => {
  const bench = await started();
  const recipe = { weights: "subset", rounding: "compensated", damping: 0.5, refits: 7, channelBits: "equal" };
  await bench.loadOptimized(optimized([variant(4, "mine")], recipe));
  await settle();
  assert.deepEqual(bench.settings.values.recipe, recipe);
  bench.settings.set({ weightBits: 3, activationBits: 3 });
  await settle();
  const { args, assets } = bench.engines["dfsq-opt"].last("optimize");
  assert.deepEqual(args[3], recipe);
  assert.deepEqual(assets.optimized.file.variants, [variant(4, "mine")], "the worker has the file before it adds to it");
  assert.deepEqual(bench.making.optimized().variants.map(({ bits }) => bits), [bitsOf(4, 4), bitsOf(3, 3)]);
  // A new image at the old bits.
  bench.settings.set({ weightBits: 4, activationBits: 4 });
  await bench.addImage("two", "two");
  await settle();
  assert.equal(bench.scheduler.failure("dfsq-opt"), undefined);
  assert.deepEqual(of(bench, "dfsq-opt")[1].slice(0, 1), ["variant mine"]);
  assert.equal(bench.engines["dfsq-opt"].count("optimize"), 1);
});

test("a method that fails keeps no other from being computed, scored and analyzed", async () => {
  const bench = makeBench("mode=upscale");
  bench.engines["dfsq-opt"].instead.upscale = () => Promise.reject(new EngineError("network", "it broke"));
  await bench.setNetwork(network("A"));
  await bench.addImage("one", "one");
  await bench.addImage("two", "two");
  await settle();
  assert.equal(bench.scheduler.failure("dfsq-opt").message, "it broke");
  for (const method of ["fp32", "dfsq", "min-max", "bicubic"]) {
    assert.equal(bench.scheduler.failure(method), undefined);
    assert.ok(bench.scheduler.result(method), method);
  }
  assert.equal(bench.scheduler.score("dfsq").psnrY, 40, "scored against full precision");
  assert.ok(bench.samples.list.every((sample) => bench.scheduler.isAnalyzed(sample)));
  assert.ok(!bench.scheduler.incomplete && bench.tasks.size === 0, "it is not tried again and again");
  bench.engines["dfsq-opt"].instead = {};
  bench.run();
  await settle();
  assert.equal(bench.scheduler.failure("dfsq-opt"), undefined);
  assert.equal(bench.scheduler.distance("dfsq-opt").score.psnrY, 40);
});

test("a calibration that fails is told of the methods that need it, and serves as before afterwards", async () => {
  const bench = await started("range=static");
  bench.engines.dfsq.instead.calibrate = () => Promise.reject(new EngineError("option", "too many subsets"));
  bench.engines["min-max"].instead.calibrate = bench.engines.dfsq.instead.calibrate;
  bench.settings.choose(["points", "selection"], "exhaustive");
  await settle();
  assert.equal(bench.scheduler.failure("dfsq").message, "too many subsets");
  assert.equal(bench.scheduler.failure("min-max").message, "too many subsets");
  assert.equal(bench.scheduler.failure("fp32"), undefined);
  bench.settings.reset();
  await settle();
  assert.equal(bench.scheduler.failure("dfsq"), undefined);
  assert.deepEqual(of(bench, "dfsq"), ["points of A", undefined]);
});

test("two methods wait for one calibration", async () => {
  const bench = await started("range=static");
  bench.settings.choose(["points", "selection"], "exact");
  await settle();
  const made = bench.engines.dfsq.count("calibrate") + bench.engines["min-max"].count("calibrate");
  assert.equal(made, 1);
  assert.equal(of(bench, "dfsq")[0], of(bench, "min-max")[0]);
  assert.match(of(bench, "dfsq")[0], /exact/);
});

test("points are chosen for the widths in use, and for all that are offered when they are saved", async () => {
  const bench = await started();
  bench.calibrateOn("image");
  await settle();
  const { calls } = bench.engines.dfsq;
  const chosen = () => calls.filter(({ method }) => method === "calibrate").map(({ args }) => args[2].join());
  const runs = () => bench.engines.dfsq.count("upscale");
  assert.deepEqual([chosen(), runs()], [["4"], 2]);
  bench.settings.set({ activationBits: 3 });
  await settle();
  bench.settings.set({ activationBits: 4 });
  await settle();
  assert.deepEqual([chosen(), runs()], [["4", "3"], 3], "what was chosen first is there again");
  const whole = await bench.inquiries.wholeCalibration();
  assert.deepEqual([chosen(), whole.file.widths], [["4", "3", "2,3,4,6,8"], [2, 3, 4, 6, 8]]);
  assert.equal(await bench.inquiries.wholeCalibration(), whole);
  // Layers' own bits count, and full precision has no points.
  bench.settings.set({ layerBits: { second: [4, 6] } });
  await settle();
  bench.settings.set({ layerBits: { second: [4, 32] } });
  await settle();
  assert.deepEqual(chosen().slice(3), ["6", ""]);
});

test("what is stopped does not go on by itself, whatever it waited for", async () => {
  const bench = makeBench("weights=3&activations=2");
  let decode;
  bench.engines.images.instead.decodeImage = ([name]) =>
    name === "sample file" ? new Promise((resolve) => (decode = resolve)) : { width: 32, height: 32, rgba: new Uint8Array(4096), sha256: "p" };
  await bench.setNetwork(network("A"));
  await bench.addImage("one", "one");
  await settle();
  assert.ok(bench.tasks.isAt("optimizing"));
  bench.stop();
  decode({ width: 32, height: 32, rgba: new Uint8Array(4096) });
  await settle();
  assert.equal(bench.engines["dfsq-opt"].count("optimize"), 0);
  assert.equal(bench.tasks.size, 0);
  assert.ok(bench.scheduler.incomplete);
  bench.engines.images.instead = {};
  bench.run();
  await settle();
  assert.ok(bench.scheduler.result("dfsq-opt"));
});

test("an answer that comes after the setting has changed is kept for what it was computed from", async () => {
  const bench = await started();
  let late;
  bench.engines.dfsq.instead.upscale = () => new Promise((resolve) => (late = resolve));
  bench.settings.set({ weightBits: 2, activationBits: 2 });
  await settle();
  bench.engines.dfsq.instead = {};
  bench.settings.set({ weightBits: 8, activationBits: 8 });
  late({ picture: { rgba: new Uint8Array(4), of: "two bits" } });
  await settle();
  assert.deepEqual(of(bench, "dfsq"), ["points of A", undefined]);
  bench.settings.set({ weightBits: 2, activationBits: 2 });
  await settle();
  assert.notEqual(of(bench, "dfsq"), "two bits");
});

test("a network that is refused leaves everything as it was", async () => {
  const bench = await started();
  const before = bench.scheduler.result("dfsq");
  bench.engines.reader.instead.info = () => Promise.reject(new EngineError("network", "not a network"));
  await assert.rejects(bench.setNetwork(network("bad")), { message: "not a network" });
  await settle();
  assert.equal(bench.library.info.sha256, "A");
  assert.equal(bench.scheduler.result("dfsq"), before);
  assert.equal(bench.engines.fp32.last("analyze").assets.network.sha256, "A");
});

test("a worker that stalls can be stopped, and the others go on", async () => {
  const bench = makeBench();
  bench.engines.dfsq.instead.upscale = never;
  await bench.setNetwork(network("A"));
  await bench.addImage("one", "one");
  await settle();
  assert.deepEqual(bench.tasks.names, ["dfsq"]);
  assert.ok(bench.scheduler.result("min-max") && bench.scheduler.result("dfsq-opt"));
  bench.stop();
  assert.equal(bench.tasks.size, 0);
});

test("images are closed one by one", async () => {
  const bench = await started();
  await bench.addImage("two", "two");
  await bench.addImage("three", "three");
  await settle();
  bench.chooseSample(1);
  bench.removeImage(0);
  assert.deepEqual([bench.samples.list.map(({ name }) => name), bench.samples.current.name], [["two", "three"], "two"]);
  bench.removeImage(0);
  assert.equal(bench.samples.current.name, "three");
  bench.removeImage(0);
  await settle();
  assert.equal(bench.samples.current, undefined);
  assert.equal(bench.tasks.size, 0);
});

test("an image that is too small to calibrate on is named", async () => {
  const bench = await started();
  await bench.addImage("tiny.png", "tiny");
  await settle();
  bench.engines.images.instead.benchmarkPair = () => Promise.reject(new EngineError("image-too-small", "the image is too small"));
  bench.chooseRegion({ x: 0, y: 0, width: 4, height: 4 });
  bench.calibrateOn("images");
  await settle();
  assert.match(bench.scheduler.failure("dfsq").message, /^tiny\.png: the image is too small/);
});

test("the same picture is the same wherever it stands in the list", async () => {
  const bench = await started();
  const before = bench.scheduler.result("dfsq");
  await bench.addImage("two", "two");
  bench.removeImage(0);
  await bench.addImage("one again", "one");
  assert.equal(bench.scheduler.result("dfsq"), before);
});

test("a brought calibration brings its settings", async () => {
  const bench = await started();
  await bench.loadCalibration({ ...shipped("brought"), settings: { ...shipped("").settings, selection: "exact", seed: 5 } });
  await settle();
  assert.equal(bench.settings.values.points.selection, "exact");
  assert.deepEqual(of(bench, "dfsq"), ["brought", undefined]);
  assert.ok(!bench.canUseShipped);
  bench.settings.reset();
  await settle();
  assert.deepEqual(of(bench, "dfsq"), ["points of A", undefined]);
});

test("distributions that nobody looks at any more are forgotten", async () => {
  const bench = await started();
  for (const x of [1, 2, 3]) {
    bench.chooseRegion({ x, y: 0, width: 16, height: 16 });
    await settle();
  }
  assert.equal(bench.engines.fp32.last("keepSamples").args[0].length, 0);
  assert.ok(bench.scheduler.isAnalyzed(bench.samples.current));
});

test("quality over bits is filled in for every width and method, and an optimized file grows by what it lacked", async () => {
  const bench = await started();
  const { quality } = bench;
  const known = () => quality.decibels.map((line) => line.map((value) => !Number.isNaN(value)));
  const only = [false, false, true, false, false];
  assert.deepEqual([quality.widths, quality.selected, known()], [[2, 3, 4, 6, 8], 2, [only, only, only]]);
  assert.ok(quality.canFill);
  const filled = quality.fill();
  assert.ok(quality.filling && !quality.canFill);
  await filled;
  await settle();
  assert.ok(known().flat().every(Boolean) && bench.tasks.size === 0 && !quality.canFill);
  assert.deepEqual([bench.engines["dfsq-opt"].count("optimize"), bench.engines.dfsq.count("upscale")], [4, 5]);
  // What was filled in is there when it is chosen.
  bench.settings.set({ weightBits: 2, activationBits: 2 });
  await settle();
  assert.deepEqual([quality.selected, bench.engines.dfsq.count("upscale")], [0, 5]);
});

test("a change of bits comes before what is being filled in", async () => {
  const bench = await started();
  bench.engines["min-max"].instead.upscale = never;
  bench.quality.fill();
  await settle();
  bench.engines["min-max"].instead = {};
  bench.settings.set({ weightBits: 3, activationBits: 3 });
  await settle();
  assert.ok(bench.scheduler.result("min-max") && !bench.scheduler.incomplete && bench.tasks.size === 0);
});

test("what is looked at runs first, and the others after it", async () => {
  const bench = makeBench();
  bench.shown = ["min-max", "dfsq"];
  await bench.setNetwork(network("A"));
  let release;
  bench.engines.dfsq.instead.upscale = () => new Promise((resolve) => (release = resolve));
  await bench.addImage("one", "one");
  await settle();
  assert.deepEqual([bench.engines["min-max"].count("upscale"), bench.engines["dfsq-opt"].count("upscale"), bench.engines.fp32.count("analyze")], [1, 0, 0]);
  release({ picture: { width: 8, height: 8, rgba: new Uint8Array(256) }, seconds: 1 });
  await settle();
  assert.deepEqual([bench.engines["dfsq-opt"].count("upscale"), bench.engines.fp32.count("analyze")], [1, 1]);
});

test("other layers and another engine have the network read anew, and what came with it is there when they go back", async () => {
  const bench = makeBench();
  await bench.setNetwork(network("A", [variant(4, "x")], shipped("points")));
  await bench.addImage("one", "one");
  await settle();
  const read = () => bench.engines.dfsq.last("upscale").assets;
  const came = read().calibration;
  assert.ok(came && !read().network.tract);
  bench.settings.choose(["scope"], "all");
  await settle();
  assert.deepEqual(read().network.stated, { quantization_scope: "all" });
  assert.notEqual(read().calibration?.file.sha256, came.file.sha256);
  assert.equal(bench.library.sourceFor(bench.settings.values.points), "patches");
  // A choice that changes while the network is read: the last one counts.
  bench.settings.choose(["engine"], "tract");
  bench.settings.choose(["scope"], "paper");
  await settle();
  assert.deepEqual([read().network.stated, read().network.tract, read().calibration.file], [{}, true, came.file]);
  // What fails is taken back, and told.
  const told = new Promise((resolve) => bench.addEventListener("failed", ({ detail }) => resolve(detail)));
  bench.engines.reader.instead.info = () => Promise.reject(new EngineError("network", "no tract here"));
  bench.settings.choose(["engine"], "native");
  assert.equal((await told).message, "no tract here");
  assert.equal(bench.settings.values.engine, "tract");
  assert.ok(!bench.tasks.size && !bench.scheduler.incomplete);
});

test("what is kept stays with its network, which runs in a worker of its own, and is of the one in use where that is the same", async () => {
  const bench = await started();
  const { contenders, engines } = bench;
  const id = contenders.keep("dfsq");
  await bench.setNetwork(network("B"));
  await settle();
  assert.equal(contenders.title(id), "Network A: DFSQ W4A4");
  assert.deepEqual(of(bench, id), ["points of A", undefined]);
  assert.deepEqual(of(bench, "dfsq"), ["points of B", undefined]);
  assert.equal(engines.beside.calls.length, 0, "it is known");
  assert.equal(bench.scheduler.distance(id), undefined);
  await bench.addImage("two", "two");
  await settle();
  assert.deepEqual(engines.beside.calls.map(({ method, assets }) => [method, assets.network.sha256, assets.calibration.file.sha256]), [["upscale", "A", "points of A"]]);
  assert.ok(engines.dfsq.calls.slice(-1).every(({ assets }) => assets.network.sha256 === "B"));
  assert.ok(!bench.scheduler.incomplete);

  const full = contenders.keep("fp32");
  assert.equal(contenders.title(full), "Full precision, kept");
  await bench.setNetwork(network("A"));
  await settle();
  assert.equal(contenders.title(id), "DFSQ W4A4");
  assert.equal(contenders.title(full), "Network B: Full precision");
  assert.equal(contenders.keep("dfsq"), id, "it is that");
  assert.equal(contenders.keep("dfsq", contenders.get("dfsq").chosen.of(bench.library)), id);
  assert.match(contenders.link, /method=dfsq&weights=4&activations=4 method=fp32.*&network=B/);
});

test("what is kept of another network keeps what was learned of it, and bits of layers stay with their network", async () => {
  const bench = await started();
  const { contenders, engines } = bench;
  bench.calibrateOn("image");
  await settle();
  const id = contenders.keep("dfsq");
  const points = of(bench, id);
  await bench.setNetwork(network("B"));
  await bench.setNetwork(network("A"));
  await settle();
  assert.deepEqual(of(bench, "dfsq"), points, "its points are those of the image");
  assert.equal(engines.dfsq.count("calibrate"), 1);

  const other = await bench.readBeside({ network: { sha256: "C" } });
  other.info.layers[1].name = "another";
  bench.settings.set({ layerBits: { second: [3, 6] } });
  const kept = contenders.keep("dfsq", bench.settings.chosen.of(other));
  assert.deepEqual(contenders.get(kept).chosen.values.layerBits, {});
  contenders.release(kept);
  const twice = [contenders.keep("fp32"), (bench.settings.set({ weightBits: 2, activationBits: 2 }), contenders.keep("fp32"))];
  assert.equal(twice[0], twice[1], "full precision has no bits");
});
