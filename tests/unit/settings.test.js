// Settings, links, keys and plans.
import assert from "node:assert/strict";
import { test } from "node:test";
import { analysisKey, inputKey, resultKey } from "../../www/model/keys.js";
import { fits, region, sizes } from "../../www/model/plan.js";
import { CHOICES } from "../../www/model/choices.js";
import { same } from "../../www/model/same.js";
import { Settings } from "../../www/model/settings.js";
import { DEFAULTS } from "./fakes.js";

const settings = (link = "") => new Settings(DEFAULTS, new URLSearchParams(link));

test("a change is announced once, and none is not", () => {
  const one = settings();
  let changes = 0;
  one.addEventListener("change", () => changes++);
  one.set({ weightBits: 2, activationBits: 2 });
  one.set({ weightBits: 2 });
  one.choose(["points", "restarts"], "5");
  assert.equal(changes, 2);
  assert.strictEqual(one.values.points.restarts, 5);
  one.reset();
  assert.ok(CHOICES.every(({ path }) => one.isDefault(path)));
  assert.equal(one.values.weightBits, 2, "bits are no ablation");
});

test("a link brings back what it was made of", () => {
  const one = settings();
  one.set({ weightBits: 3, mode: "upscale", layerBits: { "body.0": [2, 8], "100%25: a, b": [3, 3] } });
  one.choose(["points", "selection"], "exact");
  one.choose(["denormalizationBits"], "6");
  const again = settings(new URLSearchParams(one.toLink()).toString());
  assert.ok(same(again.values, one.values));
  assert.ok(same(settings("weights=5&mode=fly&selection=__proto__&layers=a:9:1,b,:4:4,c:4:4:4").values, settings().values), "what is not understood is passed over");
});

test("a run depends on what its method uses, and on nothing else", () => {
  const one = settings();
  const before = one.chosen.options("min-max");
  one.choose(["weights"], "subset");
  one.choose(["denormalizationBits"], "4");
  assert.ok(same(one.chosen.options("min-max"), before));
  assert.deepEqual(one.chosen.options("fp32"), { method: "fp32" });
});

test("what is of k-means makes a difference only there", () => {
  const one = settings();
  assert.ok(!one.arePoints({ ...DEFAULTS.points, restarts: 9 }));
  const optimal = one.chosen.optimalPoints;
  one.choose(["points", "restarts"], "9");
  assert.ok(same(one.chosen.optimalPoints, optimal));
  one.choose(["optSelection"], "kmeans");
  assert.equal(one.chosen.optimalPoints.restarts, 9);
});

test("keys differ with everything that a result is computed from", () => {
  const sample = { name: "a", picture: { sha256: "p" }, region: { x: 0, y: 0, width: 8, height: 8 } };
  const input = inputKey(sample, "benchmark", 2);
  const inputs = [
    inputKey({ ...sample, picture: { sha256: "q" } }, "benchmark", 2),
    inputKey({ ...sample, region: { ...sample.region, x: 1 } }, "benchmark", 2),
    inputKey(sample, "upscale", 2),
    inputKey(sample, "benchmark", 4),
  ];
  assert.equal(new Set([input, ...inputs]).size, 5);
  assert.equal(inputKey({ ...sample, name: "b" }, "benchmark", 2), input);
  const keys = [
    resultKey(input, { identity: "n" }, { method: "dfsq" }),
    resultKey(input, { identity: "m" }, { method: "dfsq" }),
    resultKey(input, { identity: "n" }, { method: "dfsq", weightBits: 3 }),
    resultKey(input, { identity: "n" }, { method: "dfsq" }, { sha256: "c" }),
    resultKey(input, { identity: "n" }, { method: "dfsq" }, { sha256: "d" }),
  ];
  assert.equal(new Set(keys).size, 5);
  const analysis = (points, sha256) => analysisKey(input, { identity: "n" }, { ...DEFAULTS.points, ...points }, { sha256 });
  assert.equal(analysis({ selection: "exact" }, "c"), analysis({}, "d"), "which points are chosen makes no difference");
  assert.notEqual(analysis({ normalization: "none" }, "c"), analysis({ normalization: "none" }, "d"), "there the ranges are the calibration's");
});

test("regions are offered that memory allows", () => {
  const cost = { mode: "benchmark", scale: 2, macsPerPixel: 1e6, bytesPerPixel: 3000, speed: 6e9, memory: 2e9 };
  const large = { width: 4000, height: 3000 };
  assert.ok(!fits({ width: 4000, height: 4000 }, cost) && fits({ width: 1024, height: 1024 }, cost) && !fits({ width: 1024, height: 1024 }, { ...cost, memory: 1e9 }));
  assert.deepEqual(region(large, { width: 128, height: 128 }, { x: 0, y: 9999 }), { x: 0, y: 2872, width: 128, height: 128 });
  const fixed = { ...cost, size: [20, 30] };
  assert.deepEqual(sizes(large, fixed), [{ width: 60, height: 40 }]);
  assert.deepEqual(sizes(large, { ...fixed, mode: "upscale" }), [{ width: 30, height: 20 }]);
});
