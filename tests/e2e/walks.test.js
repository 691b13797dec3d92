// Any way of clicks, in a real Chromium: the page comes to rest, and shows what a fresh page with the same settings shows.
// WALKS=50 walks farther.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { byId, drop, open, png, setBits, start, state, stop } from "./browser.js";

before(start);
after(stop);

const WALKS = Number(process.env.WALKS ?? 4);
const STEPS = 25;

/** The same numbers for the same seed. */
function random(seed) {
  let number = seed + 1;
  return (below) => {
    number = (Math.imul(number, 1664525) + 1013904223) >>> 0;
    return Math.floor((number / 2 ** 32) * below);
  };
}

/** The scores and what they are of; times differ from run to run. */
const shown = (page) =>
  page.evaluate(() => {
    const cells = [...document.querySelectorAll("#scores td")].map((cell) => /** @type {HTMLElement} */ (cell));
    return {
      status: document.querySelector("#status")?.textContent,
      scores: cells.filter(({ dataset }) => !dataset.testid?.startsWith("time")).map((cell) => cell.textContent),
      error: document.querySelector("#error")?.checkVisibility() ? document.querySelector("#error")?.textContent : "",
    };
  });

/** Clicks what can be clicked. */
const click = (page, id) => byId(page, id).evaluate((button) => /** @type {HTMLButtonElement} */ (button).click());

for (let walk = 0; walk < WALKS; walk++) {
  test(`walk ${walk}`, async () => {
    const at = random(walk * 7919);
    const page = await open();
    const images = [await png(page, 48, 48), await png(page, 64, 40), await png(page, 12, 12)];
    /** Names of those that are open, in their order. */
    let list = [];
    const steps = [
      async () => {
        if (list.length > 3) return;
        const image = images[at(3)];
        await drop(page, image);
        list.push(image);
        await byId(page, "tray").locator("li").nth(list.length - 1).waitFor();
      },
      () => setBits(page, "weight-bits", [32, 4, 3, 2][at(4)]),
      () => setBits(page, "activation-bits", [4, 3, 2][at(3)]),
      () => page.locator(`[name=mode][value=${["benchmark", "upscale"][at(2)]}]`).check({ force: true }),
      () => byId(page, "view").locator(`input[value="${["panes", "slider", "pair", "difference"][at(4)]}"]`).check({ force: true }),
      () => byId(page, "model-select").selectOption(["edsr_x2", "edsr_x4"][at(2)]),
      () => click(page, "cancel"),
      () => click(page, "run"),
      async () => {
        if (!list.length) return;
        await byId(page, "sample-select").selectOption(String(at(list.length)));
      },
      async () => {
        if (list.length < 2) return;
        const index = at(list.length);
        await click(page, `tray-remove-${index}`);
        list = list.filter((_, i) => i !== index);
        await page.waitForFunction((count) => document.querySelectorAll("#tray li").length === count, list.length);
      },
      async () => {
        const keep = byId(page, `keep-${["dfsq", "dfsq-opt", "min-max"][at(3)]}`);
        if ((await keep.count()) && (await keep.isEnabled())) await keep.evaluate((button) => /** @type {HTMLButtonElement} */ (button).click());
      },
      async () => {
        const kept = page.locator('.pane.shown .pin[aria-pressed="true"]');
        if (await kept.count()) await kept.first().evaluate((button) => /** @type {HTMLButtonElement} */ (button).click());
      },
      () => page.waitForTimeout(at(400)),
    ];
    await steps[0]();
    for (let step = 0; step < STEPS; step++) await steps[at(steps.length)]();
    await page.waitForTimeout(300);
    await state(page, "done", "error", "ready");
    await click(page, "run");
    await state(page, "done", "error");
    const { active, link } = await page.evaluate(() => ({
      active: /** @type {HTMLSelectElement} */ (document.querySelector('[data-testid="sample-select"]')).value,
      link: localStorage.getItem("dfsq"),
    }));
    const fresh = await open(`#${link}`);
    await drop(fresh, ...list);
    await byId(fresh, "tray").locator("li").nth(list.length - 1).waitFor();
    await byId(fresh, "sample-select").selectOption(active);
    await state(fresh, "done", "error");
    assert.deepEqual(await shown(page), await shown(fresh));
    assert.deepEqual(page.complaints.concat(fresh.complaints), []);
    await page.context().close();
    await fresh.context().close();
  });
}
