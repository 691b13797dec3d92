// How long the page takes to be ready, each time in a new Chromium, which may still be busy with itself, with either program;
// and the longest tasks of the page's thread while a picture runs and the analyzer is used. ./build.sh bench start
import { byId, open, start, state, stop, tab, visit } from "../tests/e2e/browser.js";

const RUNS = 5;
console.log(`seconds from navigation until the page is ready, ${RUNS} new browsers each`);
for (const [program, query] of [["without tract", ""], ["with tract", "?engine=tract"]]) {
  for (const [age, seconds] of [["opened 3 s before", 3], ["just opened", 0]]) {
    const times = [];
    for (let run = 0; run < RUNS; run++) {
      await start();
      const page = await tab();
      await page.waitForTimeout(1000 * seconds);
      await visit(page, query);
      times.push(await page.evaluate(() => performance.now() / 1000));
      await stop();
    }
    times.sort((a, b) => a - b);
    console.log(`${program}, ${age}: ${times.map((time) => time.toFixed(2)).join(", ")}`);
  }
}

await start();
const page = await open();
/** Milliseconds of the tasks of the page's thread that took more than 50, since they were last asked for. */
const tasks = () => page.evaluate(() => /** @type {any} */ (globalThis).long.splice(0).map(Math.round));
await page.evaluate(() => {
  /** @type {any} */ (globalThis).long = [];
  new PerformanceObserver((list) => list.getEntries().forEach(({ duration }) => /** @type {any} */ (globalThis).long.push(duration))).observe({ type: "longtask" });
});
await byId(page, "sample-parrot").click();
await state(page, "done");
await page.waitForTimeout(1000);
console.log(`tasks above 50 ms while a picture of 256 x 256 runs: ${await tasks()}`);
/** Milliseconds from a choice until a figure is drawn for the last time. @param {string} id @param {() => Promise<void>} act */
async function redrawn(id, act) {
  await page.evaluate((id) => {
    const [figure, seen] = [document.querySelector(`[data-testid="${id}"]`), (/** @type {any} */ (globalThis).seen = { asked: 0, drawn: 0 })];
    new MutationObserver(() => (seen.drawn = performance.now())).observe(figure, { childList: true });
    addEventListener("change", () => (seen.asked = performance.now()), { capture: true, once: true });
  }, id);
  await act();
  await page.waitForTimeout(1000);
  return page.evaluate(() => /** @type {any} */ (globalThis).seen.drawn - /** @type {any} */ (globalThis).seen.asked);
}
const times = { channel: [], layer: [] };
for (let i = 1; i < 10; i++) times.channel.push(await redrawn("figure-histogram", () => byId(page, "channel-select").selectOption(String(3 * i))));
for (let i = 1; i < 10; i++) times.layer.push(await redrawn("figure-histogram", () => byId(page, "layer-list").selectOption({ index: 3 * i })));
for (const [what, list] of Object.entries(times)) console.log(`milliseconds until the histogram of another ${what} is there: ${list.sort((a, b) => a - b).map(Math.round)}`);
console.log(`tasks above 50 ms meanwhile: ${await tasks()}`);
await stop();
