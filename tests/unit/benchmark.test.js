// A folder as a benchmark, with engines that answer as a test tells them.
import assert from "node:assert/strict";
import { test } from "node:test";
import { EngineError } from "../../www/engine/client.js";
import { csv, latex, markdown } from "../../www/model/benchmark-text.js";
import { listImages } from "../../www/model/folder.js";
import { makeBench, network, settle } from "./fakes.js";

/** A file that stands for its name. */
const file = (name) => ({ name, arrayBuffer: async () => new TextEncoder().encode(name).buffer });
const found = (...paths) => paths.map((path) => ({ path, file: file(path) }));
const names = (listed) => listed.map(({ name, high, low }) => [name, high.name, low?.name]);

/** As Rust would say of references alone. */
const alone = async (paths) => ({ pairs: paths.map((_, at) => [at, null]), unpaired: [], unreadable: [] });
const listed = async (...paths) => (await listImages(found(...paths), alone)).listed;

test("files are listed as they are paired, and what is passed over is named", async () => {
  const asked = [];
  const pair = async (paths) => {
    asked.push(...paths);
    return { pairs: [[0, 1], [2, null]], unpaired: [3], unreadable: [4] };
  };
  const { listed, passedOver } = await listImages(found("s/d.bmp", "s/b.png", "s/ax2.png", "s/c.png", "s/a.png"), pair);
  assert.deepEqual(asked, ["s/a.png", "s/ax2.png", "s/b.png", "s/c.png", "s/d.bmp"], "in the order of names");
  assert.deepEqual(names(listed), [["a.png", "s/a.png", "s/ax2.png"], ["b.png", "s/b.png", undefined]]);
  assert.match(passedOver.join("|"), /s\/c\.png: .*pair.*\|s\/d\.bmp: only PNG/);
  const none = async () => ({ pairs: [], unpaired: [], unreadable: [0] });
  await assert.rejects(listImages(found("notes.bmp"), none), /no PNG, JPEG or WebP.*notes\.bmp/);
});

async function opened(...paths) {
  const bench = makeBench();
  await bench.setNetwork(network("A"));
  bench.benchmark.open(await listed(...paths));
  return bench;
}

/** Waits for files to be read too. */
const later = async (condition) => {
  for (let i = 0; i < 200 && !condition(); i++) {
    await new Promise((resolve) => setTimeout(resolve, 1));
    await settle();
  }
  assert.ok(condition());
};

test("every method runs at every width on every image, and the means are those of the images", async () => {
  const bench = await opened("a.png", "b.png");
  const { benchmark } = bench;
  let scores = 0;
  bench.engines.dfsq.instead.upscale = ([low]) => ({ picture: low, score: { psnrY: 30 + 10 * (scores++ > 2), ssimY: 0.9 }, seconds: 1 });
  await benchmark.run();
  assert.equal(benchmark.state, "done");
  assert.deepEqual(benchmark.rows.map(({ method, bits }) => `${method} ${bits}`), ["bicubic undefined", "fp32 undefined", ...["dfsq-opt", "dfsq", "min-max"].flatMap((method) => [4, 3, 2].map((bits) => `${method} ${bits}`))]);
  const dfsq = benchmark.rows.find(({ method, bits }) => method === "dfsq" && bits === 3);
  assert.deepEqual([dfsq.psnrY, dfsq.toFull], [35, 40]);
  assert.equal(bench.engines.fp32.count("upscale"), 2);
  assert.deepEqual([...new Set(bench.engines["min-max"].calls.filter(({ method }) => method === "upscale").map(({ args }) => args[2].weightBits))], [4, 3, 2]);
  const made = { network: { sha256: "A" }, program: "dfsq 0.0.0" };
  assert.equal(csv(benchmark, made).split("\r\n").length, 1 + 2 * 11 + 1);
  assert.match(csv(benchmark, made), /a\.png,dfsq,4,30\.0000,0\.90000,40\.0000,A,dfsq 0\.0\.0/);
  assert.match(markdown(benchmark, made), /\| DFSQ \| 3 \| 35\.00 \| 0\.9000 \| 40\.00 \|/);
  assert.match(latex(benchmark, made), /DFSQ & 35\.00 \/ 0\.9000 & 35\.00 \/ 0\.9000 & 35\.00 \/ 0\.9000 \\\\/);
  bench.settings.choose(["weights"], "subset");
  assert.ok(benchmark.isStale);
});

test("an image that cannot be used is named, and the others are run", async () => {
  const bench = await opened("bad.png", "good.png");
  const decode = ([bytes]) => {
    if (typeof bytes !== "string" && new TextDecoder().decode(bytes) === "bad.png") throw new Error("no image");
    return { width: 32, height: 32, rgba: new Uint8Array(4096), sha256: "good" };
  };
  bench.engines.images.instead.decodeImage = decode;
  await bench.benchmark.run();
  assert.deepEqual(bench.benchmark.images.map(({ error }) => error), ["no image", undefined]);
  assert.deepEqual([bench.benchmark.state, bench.benchmark.done, bench.benchmark.rows.length], ["done", 2, 11]);
});

test("a pair whose sizes do not match is refused", async () => {
  const bench = makeBench();
  await bench.setNetwork(network("A"));
  bench.benchmark.open([{ name: "a.png", high: file("hr/a.png"), low: file("lr/a.png") }]);
  // Rust cuts off less than the scale, and refuses the rest.
  bench.engines.images.instead.benchmarkPair = async ([reference, scale, low]) => {
    assert.deepEqual([reference.width, scale, low.width], [32, 2, 32]);
    throw new EngineError("size-mismatch", "sizes differ");
  };
  await bench.benchmark.run();
  assert.equal(bench.benchmark.images[0].error, "sizes differ");
});

test("it pauses and goes on, and what the user looks at goes first", async () => {
  const bench = await opened("a.png", "b.png");
  const { benchmark } = bench;
  let release;
  bench.engines.dfsq.instead.upscale = () => new Promise((resolve) => (release = resolve));
  const run = benchmark.run();
  await later(() => release);
  assert.ok(bench.tasks.isAt("benchmarking"));
  benchmark.pause();
  assert.equal(benchmark.state, "paused");
  release({ picture: { width: 8, height: 8 }, score: { psnrY: 30, ssimY: 0.9 } });
  await run;
  assert.deepEqual([benchmark.state, benchmark.done, bench.tasks.size], ["paused", 0, 0]);
  delete bench.engines.dfsq.instead.upscale;
  // An image is opened while it runs: its run takes the worker, and the benchmark goes on behind it.
  bench.engines["min-max"].instead.upscale = () => new Promise((resolve) => (release = resolve));
  release = undefined;
  const again = benchmark.run();
  await later(() => release);
  delete bench.engines["min-max"].instead.upscale;
  await bench.addImage("one", "one");
  release();
  await later(() => bench.scheduler.result("min-max"));
  await again;
  assert.deepEqual([benchmark.state, benchmark.done], ["done", 2]);
  assert.ok(bench.scheduler.result("min-max"));
});

test("cancelling pauses it", async () => {
  const bench = await opened("a.png");
  bench.engines.fp32.instead.upscale = () => new Promise(() => {});
  bench.benchmark.run();
  await later(() => bench.tasks.get("fp32"));
  bench.stop();
  assert.equal(bench.benchmark.state, "paused");
});

test("another folder ends the run of the one before, and other settings pause it", async () => {
  const bench = await opened("a.png", "b.png");
  const { benchmark } = bench;
  let release;
  bench.engines.dfsq.instead.upscale = () => new Promise((resolve) => (release = resolve));
  const first = benchmark.run();
  await later(() => release);
  benchmark.open(await listed("c.png"));
  delete bench.engines.dfsq.instead.upscale;
  const second = benchmark.run();
  release();
  await Promise.all([first, second]);
  assert.deepEqual([benchmark.state, benchmark.done, benchmark.images.map(({ name }) => name)], ["done", 1, ["c.png"]]);
  // Between two images the method is changed.
  benchmark.open(await listed("a.png", "b.png"));
  let runs = 0;
  bench.engines["min-max"].instead.upscale = ([low]) => {
    if (++runs === 4) bench.settings.choose(["weights"], "subset");
    return { picture: low, score: { psnrY: 30, ssimY: 0.9 }, seconds: 1 };
  };
  await benchmark.run();
  assert.deepEqual([benchmark.state, benchmark.measuredImages, benchmark.isStale], ["paused", 1, true]);
  await benchmark.run();
  assert.deepEqual([benchmark.state, benchmark.measuredImages, benchmark.isStale], ["done", 2, false]);
});

test("what is run with other settings for a while is not taken for the benchmark's", async () => {
  const bench = makeBench();
  await bench.setNetwork(network("A"));
  bench.settings.choose(["points", "selection"], "exact");
  let release;
  bench.engines.dfsq.instead.calibrate = ([, settings, widths]) => {
    const file = { sha256: `late ${widths}`, settings, widths, images: 1 };
    return new Promise((resolve) => (release = () => resolve({ file, info: { calibration: file } })));
  };
  bench.benchmark.open(await listed("a.png"));
  bench.benchmark.run();
  await settle();
  // While points are chosen: the next call would take the new setting.
  bench.engines.dfsq.instead = {};
  bench.settings.set({ denormalizationBits: 4 });
  release();
  await settle();
  bench.settings.set({ denormalizationBits: 32 });
  bench.benchmark.run();
  await settle();
  const used = bench.engines.dfsq.calls.filter(({ method }) => method === "upscale").map(({ args }) => args[2].denormalizationBits);
  assert.ok(used.length >= 3 && used.every((bits) => bits === 32), used.join());
  assert.equal(bench.benchmark.state, "done");
});

test("an earlier visit's folder goes on where its files are, and else is there to be read", async () => {
  const bench = await opened("a.png", "b.png");
  await bench.benchmark.run();
  const { results, files } = structuredClone({ results: bench.benchmark.results, files: [] });
  const rows = bench.benchmark.rows;
  const later = makeBench();
  await later.setNetwork(network("A"));
  later.benchmark.restore(results, files);
  assert.deepEqual([later.benchmark.state, later.benchmark.canRun], ["done", false]);
  assert.deepEqual(later.benchmark.rows, rows);
  later.benchmark.restore(results, bench.benchmark.files);
  assert.deepEqual([later.benchmark.state, later.benchmark.canRun, later.benchmark.rows], ["done", true, rows]);
  later.benchmark.restore(undefined, bench.benchmark.files);
  assert.deepEqual([later.benchmark.state, later.benchmark.done], ["paused", 0], "closed before anything was done");
  later.benchmark.restore(results, bench.benchmark.files.slice(1));
  assert.deepEqual([later.benchmark.canRun, later.benchmark.rows], [false, rows], "files of another folder are not taken for these");
});

test("what is kept is run on every image too, and known by what it is, not by its name", async () => {
  const bench = await opened("a.png", "b.png");
  const { benchmark, contenders, engines, settings } = bench;
  benchmark.choose([4]);
  settings.set({ weightBits: 2, activationBits: 8 });
  const id = contenders.keep("dfsq");
  settings.set({ weightBits: 4, activationBits: 4 });
  await benchmark.run();
  const asked = () => engines.dfsq.calls.filter(({ method }) => method === "upscale").map(({ args }) => [args[2].weightBits, args[2].activationBits]);
  assert.deepEqual(asked(), [[4, 4], [2, 8], [4, 4], [2, 8]]);
  assert.deepEqual(benchmark.rows.map(({ method, bits }) => `${method} ${bits}`), ["bicubic undefined", "fp32 undefined", "dfsq-opt 4", "dfsq 4", "dfsq W2A8", "min-max 4"]);
  const made = { network: { sha256: "A" }, program: "dfsq 0.0.0" };
  assert.match(csv(benchmark, made), /a\.png,dfsq,W2A8,30\.0000/);
  assert.match(markdown(benchmark, made), /\| DFSQ \| W2A8 \| 30\.00/);
  assert.match(latex(benchmark, made), /DFSQ W2A8 & \\multicolumn\{1\}\{c\}\{30\.00 \/ 0\.9000\}/);
  assert.ok(!benchmark.isMissing && !benchmark.isStale);
  contenders.release(id);
  settings.set({ weightBits: 2, activationBits: 8, pointSource: "apot" });
  assert.equal(contenders.keep("dfsq"), id);
  settings.set({ weightBits: 4, activationBits: 4, pointSource: "calibrated" });
  assert.ok(benchmark.isMissing, "another of the same name is still to be run");
  await benchmark.run();
  assert.equal(engines.dfsq.last("upscale").args[2].pointSource, "apot");
  assert.equal(asked().length, 6, "the others are known");
});
