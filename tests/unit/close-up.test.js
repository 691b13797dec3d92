// Looking closely, with an engine that answers when a test says so.
import assert from "node:assert/strict";
import { test } from "node:test";
import { EngineError } from "../../www/engine/client.js";
import { makeBench, network, settle } from "./fakes.js";

/** A bench with an analyzed picture, whose looks wait to be let go. */
async function looking() {
  const bench = makeBench();
  await bench.setNetwork(network("A"));
  await bench.addImage("one", "one");
  await settle();
  const waiting = [];
  const { fp32 } = bench.engines;
  fp32.instead.holdInput = () => undefined;
  fp32.instead.kernel = () => ({ of: "kernel" });
  fp32.instead.distributions = () => [{ five: [0, 0, 0, 0, 0] }];
  fp32.instead.channel = ([, request]) => new Promise((resolve, reject) => waiting.push({ request, answer: () => resolve({ of: request.channel, view: {} }), fail: reject }));
  return { bench, fp32, waiting };
}

test("one look is under way at a time, the newest wish comes next, and what is shown is what is looked at", async () => {
  const { bench, fp32, waiting } = await looking();
  const { closeUp, focus } = bench;
  closeUp.update();
  await settle();
  for (const channel of [1, 2, 1, 2]) {
    focus.set({ channel });
    closeUp.update();
  }
  await settle();
  assert.equal(waiting.length, 1);
  waiting[0].answer();
  await settle();
  assert.equal(closeUp.seen, undefined, "of another channel");
  closeUp.update();
  await settle();
  assert.deepEqual(waiting.map(({ request }) => request.channel), [0, 2]);
  waiting[1].answer();
  await settle();
  assert.deepEqual([closeUp.seen.channel, closeUp.seen.picture.of], [2, 2]);
  assert.equal(fp32.count("distributions"), 1, "the layer is the same");
  closeUp.update();
  assert.equal(waiting.length, 2, "nothing is asked again");
});

test("methods are looked at with the options of a run, and only where their files are known", async () => {
  const { bench } = await looking();
  bench.settings.choose(["minMaxRange"], "static");
  await settle();
  assert.deepEqual(bench.closeUp.methods.map(({ method, minMaxRange }) => [method, minMaxRange]), [["dfsq-opt", undefined], ["dfsq", undefined], ["min-max", "static"]]);
  bench.engines["dfsq-opt"].instead.optimize = () => new Promise(() => {});
  bench.settings.set({ weightBits: 3, activationBits: 3 });
  await settle();
  assert.deepEqual(bench.closeUp.methods.map(({ method }) => method), ["dfsq", "min-max"]);
});

test("what cannot be had is told once, and a stopped worker is asked again", async () => {
  const { bench, waiting } = await looking();
  const { closeUp } = bench;
  const first = closeUp.update();
  await settle();
  waiting[0].fail(new EngineError("cancelled", "cancelled"));
  await first;
  const second = closeUp.update();
  await settle();
  waiting[1].fail(new EngineError("option", "no"));
  await assert.rejects(second, /no/);
  await closeUp.update();
  assert.equal(waiting.length, 2);
});
