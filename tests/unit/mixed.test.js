// Ready-made bits of layers: found, chosen, followed and left.
import assert from "node:assert/strict";
import { test } from "node:test";
import { bitsOf, makeBench, network, settle, variant } from "./fakes.js";

const mixed = (of, bits, made) => ({ bits: bitsOf(...bits), mixed: of, sha256: `variant ${made}` });
const plain = (bits) => ({ ...variant(bits, bits), mixed: null });
const NETWORK = () => network("a", [plain(4), plain(3), mixed(4, [3, 5], "m4"), mixed(3, [2, 4], "m3")]);

test("ready-made bits are those of optimized layers that differ", async () => {
  const bench = makeBench();
  assert.ok(!bench.mixed.known);
  await bench.setNetwork(NETWORK());
  assert.ok(bench.mixed.known);
  assert.deepEqual([4, 3, 2, undefined].map((width) => bench.mixed.layerBits(width)), [{ second: [3, 5] }, { second: [2, 4] }, undefined, undefined]);
  await bench.setNetwork(network("b", [plain(4)]));
  assert.ok(!bench.mixed.known);
});

test("they are chosen with a width, and left where there are none", async () => {
  const bench = makeBench();
  await bench.setNetwork(NETWORK());
  assert.equal(bench.mixed.chosen, undefined);
  bench.mixed.choose(3);
  assert.equal(bench.mixed.chosen, 3);
  assert.deepEqual(bench.settings.values.layerBits, { second: [2, 4] });
  bench.settings.set({ layerBits: { second: [2, 5] } });
  assert.equal(bench.mixed.chosen, undefined, "changed by hand");
  bench.mixed.choose(8);
  assert.deepEqual([bench.settings.values.weightBits, bench.settings.values.layerBits], [8, {}]);
});

test("another network has its own, and what was set by hand stays", async () => {
  const bench = makeBench();
  await bench.setNetwork(NETWORK());
  bench.mixed.choose(4);
  await bench.setNetwork(network("b", [plain(4), mixed(4, [6, 2], "other")]));
  await settle();
  assert.deepEqual(bench.settings.values.layerBits, { second: [6, 2] });
  await bench.setNetwork(network("c", [plain(4)]));
  assert.deepEqual(bench.settings.values.layerBits, {});
  bench.settings.set({ layerBits: { second: [5, 5] } });
  await bench.setNetwork(NETWORK());
  assert.deepEqual(bench.settings.values.layerBits, { second: [5, 5] });
});
