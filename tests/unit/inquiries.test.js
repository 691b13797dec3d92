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
