// Layers are measured with the method that was chosen when it began.
import assert from "node:assert/strict";
import { test } from "node:test";
import { makeBench, network, settle } from "./fakes.js";

test("what was measured is shown for its own method and network only, also where the choice changes meanwhile", async () => {
  const bench = makeBench();
  await bench.setNetwork(network("a"));
  bench.making.measuredPatches = async () => [];
  const { inquiries } = bench;
  let answer;
  bench.engines.dfsq.instead.layerErrors = () => new Promise((resolve) => (answer = resolve));
  inquiries.method = "dfsq";
  const measuring = inquiries.measureLayers();
  inquiries.method = "min-max";
  await settle();
  answer("errors of dfsq");
  await measuring;
  assert.equal(inquiries.layerErrors, undefined);
  inquiries.method = "dfsq";
  assert.equal(inquiries.layerErrors, "errors of dfsq");
  bench.settings.set({ weights: "subset" });
  assert.equal(inquiries.layerErrors, undefined, "other weights cost something else");
  bench.settings.set({ weights: "uniform", weightBits: 2 });
  assert.equal(inquiries.layerErrors, "errors of dfsq", "bits of all layers are no part of it");
  await bench.setNetwork(network("b"));
  assert.equal(inquiries.layerErrors, undefined);
});

test("a study is of the bits that were chosen when it began", async () => {
  const bench = makeBench();
  await bench.setNetwork(network("a"));
  await bench.addImage("one", "one");
  await settle();
  bench.focus.set({ layer: 1 });
  let held;
  bench.engines.fp32.instead.holdInput = () => new Promise((resolve) => (held = resolve));
  bench.engines.fp32.instead.study = () => "a study";
  const studying = bench.inquiries.study();
  await settle();
  bench.settings.set({ weightBits: 3, activationBits: 3 });
  held();
  await studying;
  assert.equal(bench.engines.fp32.last("study").args[3], 4);
  assert.equal(bench.inquiries.studied, undefined, "it is not shown for other bits");
  bench.settings.set({ weightBits: 4, activationBits: 4 });
  assert.equal(bench.inquiries.studied, "a study");
});
