// What is looked at closely: without a browser or wasm.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Focus } from "../../www/model/focus.js";
import { exampleText, sumText } from "../../www/view/point-words.js";
import { movedBeside, movedTo } from "../../www/model/moving.js";
import { differenceMap, greyMap, largestDifference } from "../../www/model/feature-map.js";

const layer = (name, inputs, quantized = true) => ({ name, inputs, quantized });

function focusOn(layers, layerBits = {}) {
  const bench = {
    changes: 0,
    changed: () => bench.changes++,
    library: { info: { layers } },
    layerBits: () => layers.map(({ name, quantized }) => (quantized ? (layerBits[name] ?? [4, 4]) : [32, 32])),
    settings: { values: { layerBits }, set: (part) => (bench.asked = part) },
  };
  return { bench, focus: new Focus(bench) };
}

test("what is not there is replaced by what is nearest, and moved points are of one channel", () => {
  const { bench, focus } = focusOn([layer("head", 3, false), layer("a", 8), layer("b", 4), layer("tail", 8, false)]);
  focus.set({ layer: 0 });
  assert.deepEqual([focus.layer, focus.channel], [1, 0]);
  focus.set({ channel: 7 });
  focus.set({ layer: 2 });
  assert.equal(focus.channel, 3);
  focus.set({ layer: 3 });
  assert.equal(focus.layer, 2);
  focus.set({ method: "fp32" });
  assert.equal(focus.method, "dfsq");
  focus.movePoints([0, 1]);
  const { changes } = bench;
  focus.set({ channel: 3 });
  assert.deepEqual([focus.points, bench.changes], [[0, 1], changes], "nothing else is looked at");
  focus.set({ channel: 2 });
  assert.equal(focus.points, undefined);
});

test("another network is entered at the layer of the same name", () => {
  const { bench, focus } = focusOn([layer("a", 8), layer("b", 8)]);
  focus.set({ layer: 1, channel: 5 });
  bench.library.info = { layers: [layer("x", 3, false), layer("b", 4), layer("c", 4)] };
  focus.enter("b");
  assert.deepEqual([focus.layer, focus.channel], [1, 3]);
  focus.enter("gone");
  assert.equal(focus.layer, 1, "the first that is quantized");
});

test("a layer is left in full precision and quantized again", () => {
  const { bench, focus } = focusOn([layer("a", 8), layer("b", 8)], { b: [2, 2] });
  focus.set({ layer: 0 });
  focus.toggleFull();
  assert.deepEqual(bench.asked.layerBits, { b: [2, 2], a: [32, 32] });
  const other = focusOn([layer("a", 8), layer("b", 8)], { a: [32, 32], b: [2, 2] });
  other.focus.set({ layer: 0 });
  assert.ok(other.focus.isFull);
  other.focus.toggleFull();
  assert.deepEqual(other.bench.asked.layerBits, { b: [2, 2] });
});

test("a value of the universal set is written as the sum that it is", () => {
  assert.equal(sumText(0.8125, [1, 1, 1, 0.25]), "(1 + 1 + 1 + 1/4) / 4: three shifts and two additions");
  assert.equal(sumText(-0.25, [1, 0, 0, 0]), "−(1 + 0 + 0 + 0) / 4: one shift");
  assert.equal(sumText(0, [0, 0]), "0: nothing to compute");
  assert.equal(sumText(0.75, [1, 0.5]), "(1 + 1/2) / 2: two shifts and one addition");
});

test("a channel is painted grey, and its difference red above and blue below", () => {
  const [values, quantized] = [new Float32Array([-1, 0, 1, 3]), new Float32Array([-1, 0.5, 0.5, 3])];
  assert.deepEqual([...greyMap(values, [-1, 3], 2, 2).rgba].filter((_, i) => i % 4 === 0), [0, 64, 128, 255]);
  assert.deepEqual([...greyMap(new Float32Array([-2, 4]), [-1, 3], 2, 1).rgba].filter((_, i) => i % 4 === 0), [0, 255], "beyond the ends");
  assert.equal(largestDifference(values, quantized), 0.5);
  const { rgba } = differenceMap(values, quantized, 0.5, 4, 1);
  assert.deepEqual([...rgba.subarray(0, 12)], [255, 255, 255, 255, 255, 0, 0, 255, 0, 0, 255, 255]);
  assert.deepEqual([...greyMap(new Float32Array(1), [0, 0], 1, 1).rgba], [0, 0, 0, 255], "a constant channel");
});

test("the example goes through the formulas with a value of the picture", () => {
  const view = { mean: 0.5, range: 2, methods: [{ method: "dfsq", points: [{ value: -0.25, words: [1, 0, 0, 0] }, { value: 0.5, words: [1, 1, 0, 0] }] }] };
  const text = exampleText({ width: 3, height: 3, values: new Float32Array(9).fill(1.25), view }, "a, channel 1");
  assert.match(text, /^a, channel 1, .* with DFSQ and 2 points:\ny = \(1\.25 − 0\.5\) \/ 2 = 0\.375\nq = 0\.5 = \(1 \+ 1 \+ 0 \+ 0\) \/ 4: one shift\nx′ = 0\.5 · 2 \+ 0\.5 = 1\.5, off by 0\.25$/);
  assert.equal(exampleText({ width: 1, height: 1, values: new Float32Array(1), view: { ...view, methods: [] } }, "a"), "a is left in full precision.");
});

test("points move to free values of the universal set, and never past their neighbours", () => {
  const universal = [-1, -0.5, -0.25, 0, 0.125, 0.25, 0.5, 1];
  const points = [-0.5, 0, 0.5];
  assert.deepEqual(movedTo(points, 1, universal, 0.2), [-0.5, 0.25, 0.5]);
  assert.deepEqual(movedTo(points, 1, universal, 0.9), [-0.5, 0.25, 0.5], "its neighbour stays a neighbour");
  assert.deepEqual(movedTo(points, 2, universal, 5), [-0.5, 0, 1]);
  assert.deepEqual(movedBeside(points, 1, universal, 1), [-0.5, 0.125, 0.5]);
  assert.deepEqual(movedBeside(points, 0, universal, -1), [-1, 0, 0.5]);
  assert.deepEqual(movedBeside([-1, 0], 0, universal, -1), [-1, 0], "there is nothing below");
  assert.deepEqual(movedTo([0, 0.125, 0.25], 1, universal, 1), [0, 0.125, 0.25]);
});
