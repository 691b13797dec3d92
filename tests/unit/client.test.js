// The client of a worker: what it sends when, and what becomes of answers.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Engine } from "../../www/engine/client.js";
import { FakeWorker, settle } from "./fakes.js";

/** Of programs that start when they are there; without, of one that only compiles. */
function makeEngine(...starts) {
  const workers = [];
  const make = () => {
    workers.push(new FakeWorker());
    return workers.at(-1);
  };
  const programs = starts.map((start) => () => ({ make, start: start() }));
  return { engine: new Engine(starts.length ? programs : [() => ({ make })]), workers };
}

const cancelled = { kind: "cancelled" };

test("what a call needs is sent once, ahead of it", async () => {
  const { engine, workers } = makeEngine();
  const assets = { network: { bytes: 1 }, calibration: { file: 2 } };
  const first = engine.call("upscale", ["a"], { assets });
  await settle();
  assert.deepEqual(workers[0].methods, ["load", "loadCalibration", "upscale"]);
  for (const method of workers[0].methods) workers[0].answer(method, { result: method });
  assert.equal(await first, "upscale");
  engine.call("upscale", ["b"], { assets: { ...assets } });
  await settle();
  assert.deepEqual(workers[0].methods.slice(3), ["upscale"]);
  engine.call("upscale", ["c"], { assets: { ...assets, network: { bytes: 3 } } });
  await settle();
  assert.deepEqual(workers[0].methods.slice(4), ["load", "loadCalibration", "upscale"], "another network forgets its calibration");
});

test("a stopped engine loads the new network only", async () => {
  const { engine, workers } = makeEngine();
  const before = engine.call("upscale", [], { assets: { network: { bytes: "old" } } });
  await settle();
  engine.stop();
  await assert.rejects(before, cancelled);
  engine.call("info", [], { assets: { network: { bytes: "new" } } });
  await settle();
  assert.deepEqual(workers[1].sent.map(({ method, args }) => [method, args[0]?.bytes]), [["load", "new"], ["info", undefined]]);
});

test("a file that is refused does not stay, and is not taken for the one before", async () => {
  const { engine, workers } = makeEngine();
  const network = { bytes: 1 };
  const good = { file: "good" };
  engine.call("info", [], { assets: { network, optimized: good } });
  await settle();
  for (const method of ["load", "loadOptimized", "info"]) workers[0].answer(method, { result: {} });
  const refused = engine.call("info", [], { assets: { network, optimized: { file: "bad" } } });
  await settle();
  workers[0].answer("loadOptimized", { error: { kind: "optimized", message: "damaged" } });
  workers[0].answer("info", { result: {} });
  await assert.rejects(refused, { kind: "optimized", message: "damaged" });
  engine.call("upscale", [], { assets: { network, optimized: good } });
  await settle();
  assert.equal(workers[0].sent.findLast(({ method }) => method === "loadOptimized").args[0], "good");
});

test("a call that waits for the program is not sent to the next worker", async () => {
  let arrive;
  const arrived = new Promise((resolve) => (arrive = resolve));
  const { engine, workers } = makeEngine(() => arrived);
  const early = engine.call("upscale", ["early"]);
  early.catch(() => {});
  await settle();
  engine.stop();
  const late = engine.call("upscale", ["late"]);
  arrive(["module", false]);
  await settle();
  workers[1].answer("start", {});
  await assert.rejects(early, cancelled);
  await settle();
  assert.deepEqual(workers[0].methods, []);
  assert.deepEqual(workers[1].sent.filter(({ method }) => method === "upscale").map(({ args }) => args), [["late"]]);
  workers[1].answer("upscale", { result: 1 });
  assert.equal(await late, 1);
});

test("a network that the first program lacks something for goes to the next, with all who wait for it", async () => {
  const asked = [];
  const program = (name) => async () => (asked.push(name), [name, false]);
  const { engine, workers } = makeEngine(program("small"), program("full"));
  const lacking = { error: { kind: "lacking", message: "our own engine lacks Sigmoid" } };
  const assets = { network: { bytes: 1 } };
  const calls = [engine.call("info", [], { assets }), engine.call("upscale", [], { assets })];
  await settle();
  workers[0].answer("start", {});
  await settle();
  assert.deepEqual([asked, workers[0].methods], [["small"], ["start", "load", "info", "upscale"]]);
  workers[0].answer("load", lacking);
  await settle();
  assert.deepEqual([asked, workers.length, workers[0].terminated], [["small", "full"], 2, true]);
  workers[1].answer("start", {});
  await settle();
  for (const method of ["load", "info", "upscale"]) workers[1].answer(method, { result: method });
  assert.deepEqual(await Promise.all(calls), ["info", "upscale"]);
  // The last has no other to turn to.
  const refused = engine.call("info", [], { assets: { network: { bytes: 2 } } });
  await settle();
  workers[1].answer("load", lacking);
  await assert.rejects(refused, lacking.error);
});

test("answers of a worker that was ended are never seen", async () => {
  const { engine, workers } = makeEngine();
  const seen = [];
  const call = engine.call("upscale", [], { onProgress: (done) => seen.push(done) });
  await settle();
  workers[0].answer("upscale", { progress: 0.25 });
  engine.stop();
  workers[0].answer("upscale", { progress: 0.5 });
  workers[0].answer("upscale", { result: "late" });
  await assert.rejects(call, cancelled);
  assert.deepEqual(seen, [0.25]);
  assert.ok(workers[0].terminated);
});

test("a panic ends the worker, and the next call has another that loads everything", async () => {
  const { engine, workers } = makeEngine();
  let stopped = 0;
  engine.onForget = () => stopped++;
  const assets = { network: { bytes: 1 } };
  const [one, other] = [engine.call("upscale", [], { assets }), engine.call("figure", [], { assets })];
  await settle();
  workers[0].answer("load", {});
  workers[0].answer("upscale", { error: { kind: "RuntimeError", message: "unreachable", lastWords: "panicked at plan.rs:7: no place" } });
  await assert.rejects(one, { kind: "fatal", message: "the computation broke down: panicked at plan.rs:7: no place" });
  await assert.rejects(other, { kind: "fatal" });
  assert.equal(stopped, 2, "when the network was loaded, and when the worker was gone");
  const again = engine.call("upscale", [], { assets });
  await settle();
  assert.deepEqual(workers[1].methods, ["load", "upscale"]);
  workers[1].answer("load", {});
  workers[1].answer("upscale", { error: { kind: "RuntimeError", message: "unreachable", lastWords: "" } });
  await assert.rejects(again, /want of memory/);
});

test("a worker that cannot be started fails its calls, and is tried again", async () => {
  const { engine, workers } = makeEngine();
  const call = engine.call("upscale");
  await settle();
  workers[0].onerror({ preventDefault() {}, message: "no such file" });
  await assert.rejects(call, { kind: "worker", message: "no such file" });
  engine.call("upscale");
  await settle();
  assert.equal(workers.length, 2);
});
