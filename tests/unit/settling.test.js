// Whatever happens, the bench comes to rest, and shows what a fresh one with the same settings shows.
import assert from "node:assert/strict";
import { test } from "node:test";
import { EngineError } from "../../www/engine/client.js";
import { decide } from "../../www/model/decide.js";
import { variantOf } from "../../www/model/library.js";
import { NETWORK_METHODS, firstRegion } from "../../www/model/plan.js";
import { Results } from "../../www/model/results.js";
import { makeBench, network, settle, variant } from "./fakes.js";

/** The same numbers for the same seed. */
function random(seed) {
  let state = seed + 1;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

test("what is decided is done with: a second look decides nothing", () => {
  const standings = ["known", "failed", "missing"];
  for (let seed = 0; seed < 20000; seed++) {
    const at = random(seed);
    const task = () => [undefined, { what: "wish", background: false }, { what: "old", background: false }, { what: "next", background: true }, { what: "asked for", background: true }][at(5)];
    const posts = NETWORK_METHODS.map((name) => ({ name, wish: "wish", standing: standings[at(3)], turn: at(2) === 1, task: task(), next: at(2) ? "next" : undefined }));
    const tasks = new Map(posts.map((post) => [post.name, post.task]));
    for (const action of decide(posts)) {
      if (action.act === "end") tasks.delete(action.name);
      else {
        assert.equal(tasks.get(action.name), undefined, "a worker does one thing at a time");
        tasks.set(action.name, { what: action.what, background: action.act === "start in background" });
      }
    }
    const again = posts.map((post) => ({ ...post, task: tasks.get(post.name) }));
    assert.deepEqual(decide(again), [], JSON.stringify(posts));
    for (const { standing, turn, task, wish } of again) if (standing === "missing" && turn) assert.equal(task?.what, wish);
  }
});

const tooSmall = () => Promise.reject(new EngineError("image-too-small", "the image is too small"));

/** An engine for which pictures of this side are too small. */
const refuseSmall = (bench, side) => {
  for (const method of NETWORK_METHODS) {
    const verb = method === "fp32" ? "analyze" : "upscale";
    bench.engines[method].instead[verb] = ([low]) => (low.width < side ? tooSmall() : { picture: { width: 8, height: 8, rgba: new Uint8Array(256) }, seconds: 1, score: { psnrY: 30 } });
  }
};

test("an image that is too small, opened with another, keeps neither the page nor the other waiting", async () => {
  for (const order of [["tiny", "large"], ["large", "tiny"]]) {
    const bench = makeBench();
    await bench.setNetwork(network("A"));
    bench.engines.images.instead.decodeImage = ([name]) => ({ width: name === "tiny" ? 12 : 32, height: name === "tiny" ? 12 : 32, rgba: new Uint8Array(4096), sha256: name });
    refuseSmall(bench, 8);
    await Promise.all(order.map((name) => bench.addImage(name, name)));
    await settle();
    for (const [index, { name }] of bench.samples.list.entries()) {
      bench.chooseSample(index);
      await settle();
      const failed = NETWORK_METHODS.map((method) => bench.scheduler.failure(method)?.kind);
      assert.deepEqual(failed, NETWORK_METHODS.map(() => (name === "tiny" ? "image-too-small" : undefined)));
      assert.ok(!bench.tasks.size && !bench.scheduler.incomplete);
    }
    assert.ok(bench.scheduler.isAnalyzed(bench.samples.list.find(({ name }) => name === "large")));
  }
});

test("what a worker knew of another network is not taken for known", async () => {
  const bench = makeBench();
  await bench.setNetwork(network("A"));
  await bench.addImage("one", "one");
  await settle();
  const known = () => bench.engines.fp32.holds(bench.scheduler.analysisKey(bench.samples.current));
  assert.ok(known() && bench.scheduler.isAnalyzed(bench.samples.current));
  await bench.setNetwork(network("B"));
  await bench.setNetwork(network("A"));
  await settle();
  assert.ok(known() && bench.scheduler.isAnalyzed(bench.samples.current));
  // The session is replaced behind the scheduler's back.
  await bench.engines.fp32.call("info", [], { assets: { network: { sha256: "C" } } });
  assert.ok(!known());
  await settle();
  assert.ok(known() && bench.scheduler.isAnalyzed(bench.samples.current));
  // A refused one is read elsewhere.
  bench.engines.reader.instead.info = () => Promise.reject(new EngineError("network", "not a network"));
  const calls = bench.engines.fp32.calls.length;
  await assert.rejects(bench.setNetwork(network("bad")));
  await settle();
  assert.equal(bench.engines.fp32.calls.length, calls);
});

test("a region that is being moved, and images that come together, are followed once they rest", async () => {
  const bench = makeBench();
  await bench.setNetwork(network("A"));
  await bench.addImage("one", "one");
  await settle();
  const runs = () => bench.engines.dfsq.count("upscale");
  for (let x = 0; x < 20; x++) bench.chooseRegion({ x: x % 16, y: 0, width: 16, height: 16 });
  await settle();
  assert.equal(runs(), 2);
  await bench.hold(async () => {
    for (let i = 0; i < 10; i++) await bench.addImage(`image ${i}`, `image ${i}`);
  });
  await settle();
  assert.equal(runs(), 3, "the last one is looked at");
  bench.chooseRegion({ x: 3, y: 3, width: 16, height: 16 });
  bench.stop();
  await settle();
  assert.equal(runs(), 3, "what is stopped does not go on by itself");
});

test("the first region goes by the size of the image alone, and is there again after a network of one size", async () => {
  assert.deepEqual(firstRegion({ width: 4000, height: 3000 }), { x: 1872, y: 1372, width: 256, height: 256 });
  assert.deepEqual(firstRegion({ width: 300, height: 20 }), { x: 22, y: 0, width: 256, height: 20 });
  const bench = makeBench();
  await bench.setNetwork(network("A"));
  await bench.addImage("one", "one");
  bench.chooseRegion({ x: 5, y: 6, width: 20, height: 20 });
  const before = bench.samples.current.region;
  for (const mode of ["upscale", "benchmark"]) bench.settings.set({ mode });
  await bench.addImage("two", "two");
  bench.chooseSample(0);
  assert.deepEqual(bench.samples.current.region, before);
  bench.samples.fit({ ...bench.cost(), size: [4, 4] });
  assert.deepEqual(bench.samples.current.region, { x: 11, y: 12, width: 8, height: 8 });
  bench.samples.fit(bench.cost());
  assert.deepEqual(bench.samples.current.region, before);
});

test("pictures that are shown are never forgotten, and scores of none are", () => {
  const results = new Results();
  const picture = () => ({ width: 1, height: 1, rgba: { byteLength: 150e6 } });
  const shown = new Set(["a", "b", "c", "d"]);
  for (const key of ["old", ...shown]) results.keep(key, { picture: picture(), score: { psnrY: key.length } }, shown);
  assert.ok([...shown].every((key) => results.get(key)));
  assert.equal(results.get("old"), undefined);
  assert.equal(results.facts("old").score.psnrY, 3);
});

/** Of optimized layers a file holds those for other bits too. */
const madeWith = ([points, variants = []] = [], bench, chosen) => [points, variants.filter((sha256) => sha256 === variantOf(bench.making.optimized(chosen), bench.layerBits(chosen))?.sha256)];

/** What a page shows: of each method its failure, or what its picture was made with and the scores. */
const shown = (bench) =>
  Object.fromEntries(
    bench.contenders.ids.filter((id) => id !== "reference").map((id) => {
      const failure = bench.scheduler.failure(id === "bicubic" ? "images" : id);
      const result = bench.scheduler.result(id);
      const { chosen } = bench.contenders.get(id);
      return [id, failure ? failure.message : result && { of: madeWith(result.picture.of, bench, chosen), score: bench.scheduler.score(id)?.psnrY }];
    }),
  );

/** What a bench with the same choices shows that has gone no ways. */
async function fresh(bench, files, refuse) {
  const other = makeBench();
  refuse(other);
  await other.setNetwork(files);
  other.settings.set(bench.settings.values);
  other.library.wanted = bench.library.wanted;
  other.contenders.follow(bench.contenders.link);
  await other.contenders.followBeside(bench.contenders.link, async (id, reading) => {
    const library = await other.readBeside(network(id, [variant(4, "x")]), reading);
    const own = bench.contenders.kept.map(({ chosen }) => chosen.library).find((one) => one?.info.identity === library.info.identity);
    library.wanted = own.wanted;
    return library;
  });
  for (const { picture } of bench.samples.list) await other.addImage(picture.sha256.replace("picture ", ""), picture.sha256.replace("picture ", ""));
  bench.samples.list.forEach(({ chosen }, index) => {
    other.samples.active = index;
    other.samples.chooseRegion(chosen, other.cost());
  });
  other.chooseSample(bench.samples.active);
  other.run();
  await settle();
  return other;
}

test("after any way of clicks it rests, and shows what a fresh page shows", async () => {
  for (let seed = 0; seed < 1000; seed++) {
    const at = random(seed);
    const bench = makeBench();
    let files = network("A", [variant(4, "x")]);
    await bench.setNetwork(files);
    const stalled = new Map();
    /** Engines that fail now and then, stall, answer late, and lose what they knew. */
    const trouble = () => {
      const engine = bench.engines[NETWORK_METHODS[at(4)]];
      const verb = engine === bench.engines.fp32 ? "analyze" : "upscale";
      if (stalled.has(engine)) {
        stalled.get(engine)();
        stalled.delete(engine);
        return;
      }
      const ways = [
        () => Promise.reject(new EngineError("fatal", "the computation broke down")),
        () => new Promise((_, reject) => stalled.set(engine, () => reject(new EngineError("network", "late")))),
      ];
      engine.instead = { [verb]: ways[at(2)] };
      if (at(3) === 0) engine.stop();
    };
    const refuse = (of) => {
      for (const engine of Object.values(of.engines)) engine.instead = {};
      of.engines.images.instead.benchmarkPair = ([part]) => (part.width < 8 ? tooSmall() : { reference: part, low: { width: part.width / 2, height: part.height / 2, rgba: new Uint8Array(4) } });
    };
    refuse(bench);
    const steps = [
      () => {
        const name = `${at(3)}`;
        return bench.addImage(name, name);
      },
      () => bench.samples.list.length && bench.removeImage(at(bench.samples.list.length)),
      () => bench.samples.list.length && bench.chooseSample(at(bench.samples.list.length)),
      () => bench.chooseRegion({ x: at(4), y: 0, width: [4, 16, 24][at(3)], height: 16 }),
      () => bench.settings.set({ weightBits: [2, 4, 32][at(3)], activationBits: [3, 4, 32][at(3)] }),
      () => bench.settings.set({ mode: ["benchmark", "upscale"][at(2)] }),
      () => bench.settings.choose(["points", "selection"], ["kmeans", "exact"][at(2)]),
      () => bench.settings.choose(["minMaxRange"], ["dynamic", "static"][at(2)]),
      () => bench.settings.set({ layerBits: [{}, { second: [3, 6] }][at(2)] }),
      () => bench.contenders.canKeep && bench.contenders.keep(["dfsq", "dfsq-opt", "min-max", "fp32"][at(4)]),
      () => bench.contenders.kept.length && bench.contenders.release(bench.contenders.kept[at(bench.contenders.kept.length)].id),
      () => bench.settings.choose(["scope"], ["paper", "all"][at(2)]),
      () => bench.settings.choose(["engine"], ["native", "tract"][at(2)]),
      async () => {
        const next = network("AB"[at(2)], [variant(4, "x")]);
        await bench.setNetwork(next);
        files = next;
      },
      () => bench.calibrateOn(["shipped", "image", "images"][at(3)]),
      () => bench.stop(),
      () => bench.run(),
      () => bench.quality.fill().catch(() => {}),
      () => (bench.shown = NETWORK_METHODS.filter(() => at(2))),
      trouble,
    ];
    for (let step = 0; step < 50; step++) {
      const waits = steps[at(steps.length)]();
      if (at(2)) await Promise.race([waits, settle()]);
      if (at(3) === 0) await settle();
    }
    for (const fail of stalled.values()) fail();
    refuse(bench);
    await settle();
    bench.run();
    await settle();
    assert.ok(!bench.tasks.size && !bench.scheduler.incomplete, `seed ${seed}`);
    if (!bench.samples.current) continue;
    assert.deepEqual(shown(bench), shown(await fresh(bench, files, refuse)), `seed ${seed}`);
  }
});
