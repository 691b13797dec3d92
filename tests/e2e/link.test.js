// What a link brings back, and what is kept between visits, in a real Chromium.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { byId, drop, open, png, setBits, start, state, stop } from "./browser.js";

before(start);
after(stop);

const chosen = (page) =>
  page.evaluate(() => {
    const value = (/** @type {string} */ id) => /** @type {any} */ (document.querySelector(`[data-testid="${id}"]`)).value;
    const checked = (/** @type {string} */ group) => /** @type {any} */ (document.querySelector(`[data-testid="${group}"] input:checked`)).value;
    return { bits: checked("weight-bits"), view: checked("view"), left: value("method-left"), layer: value("layer-list"), channel: value("channel-select"), heat: checked("heat-method"), network: value("model-select") };
  });

test("a link brings back picture, network, bits, view, layer, channel, method and zoom", async () => {
  const page = await open("#network=rdn_x2");
  await byId(page, "sample-parrot").click();
  await state(page, "done");
  await setBits(page, "weight-bits", 3);
  await byId(page, "view").locator('input[value="slider"]').check({ force: true });
  await byId(page, "method-left").selectOption("bicubic");
  await byId(page, "layer-list").selectOption({ index: 5 });
  await byId(page, "channel-select").selectOption("7");
  await byId(page, "heat-method").locator('input[value="min-max"]').check({ force: true });
  await page.locator("#zoom-in").click();
  await page.locator("compare-view").focus();
  await page.keyboard.press("ArrowRight");
  const before = await chosen(page);
  await byId(page, "share-link").click();
  const { hash } = new URL(page.url());
  assert.match(hash, /^#network=rdn_x2&weights=3.*v=1/);
  const again = await open(hash);
  await state(again, "done");
  assert.deepEqual(await chosen(again), before);
  assert.ok(await byId(again, "error").isHidden());
  await byId(again, "share-link").click();
  assert.equal(new URL(again.url()).hash, hash, "zoom and all");
  assert.deepEqual(page.complaints.concat(again.complaints), []);
});

test("a bad link gives defaults and a word", async () => {
  const page = await open("#weights=5&view=spiral&layer=nowhere&activations=3");
  await byId(page, "error").filter({ hasText: "weights, view, layer" }).waitFor();
  await state(page, "ready");
  assert.deepEqual([(await chosen(page)).bits, (await chosen(page)).view], ["3", "panes"]);
  const newer = await open("#v=9&weights=2");
  await byId(newer, "error").filter({ hasText: ": v." }).waitFor();
  assert.equal((await chosen(newer)).bits, "3");
});

test("a link that is pasted into an open tab is followed, with its region, and what is chosen later wins at a reload", async () => {
  const page = await open();
  await byId(page, "sample-bikes").click();
  await state(page, "done");
  await page.evaluate(() => (location.hash = "#network=edsr_x4&weights=3&view=pair&sample=parrot&region=16,32,128,128"));
  await page.waitForFunction(() => /^Done: parrot.png, 128/.test(document.querySelector("#status")?.textContent ?? ""));
  const { bits, view, network } = await chosen(page);
  assert.deepEqual([bits, view, network], ["3", "pair", "edsr_x4"]);
  assert.ok(await byId(page, "error").isHidden());
  await setBits(page, "weight-bits", 6);
  await page.waitForFunction(() => /weights=6.*region=16%2C32%2C128%2C128/.test(location.hash));
  await page.reload();
  await state(page, "done");
  assert.deepEqual([(await chosen(page)).bits, await byId(page, "status").textContent()], ["6", "Done: parrot.png, 128 × 128"]);
  assert.deepEqual(page.complaints, []);
});

test("what is chosen is kept until the next visit, where the page may keep it", async () => {
  const page = await open();
  assert.ok(await byId(page, "view").locator('input[value="pair"]').isDisabled(), "there is nothing to arrange");
  await drop(page, await png(page, 48, 48));
  await state(page, "done");
  await setBits(page, "weight-bits", 6);
  await byId(page, "view").locator('input[value="pair"]').check({ force: true });
  await page.waitForFunction(() => localStorage.getItem("dfsq")?.includes("weights=6") && localStorage.getItem("dfsq")?.includes("view=pair"));
  await page.reload();
  await state(page, "done");
  assert.deepEqual([(await chosen(page)).bits, (await chosen(page)).view], ["6", "pair"]);
  assert.ok(await byId(page, "error").isHidden());
  assert.deepEqual(page.complaints, []);
});

test("after one visit the page works without a network, and runs", async () => {
  const page = await open("", { serviceWorkers: "allow" });
  await page.evaluate(() => navigator.serviceWorker.ready);
  await page.waitForFunction(() => navigator.serviceWorker.controller !== null);
  await page.context().setOffline(true);
  await page.reload();
  await state(page, "ready");
  await byId(page, "sample-lighthouse").click();
  await state(page, "done");
  assert.match(await byId(page, "psnr-dfsq-opt").textContent(), /^\d+\.\d+$/);
  assert.deepEqual(page.complaints, []);
});
