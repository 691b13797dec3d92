// Whether memory of the browser stays as it is over many runs, cancels and networks, in headless Chromium. ./build.sh bench steady
import { byId, drop, open, png, start, state, stop } from "../tests/e2e/browser.js";
import { held } from "./held.mjs";

const [RUNS, CANCELS, NETWORKS, EACH] = [20, 20, 12, 5];

await start();
try {
  const page = await open("#mode=upscale");
  const settled = async () => {
    const session = await page.context().newCDPSession(page);
    await session.send("HeapProfiler.collectGarbage");
    await session.detach();
    await new Promise((over) => setTimeout(over, 1000));
    return `${held(process.pid).toFixed(0)} MB`;
  };
  console.log(`MB of the browser, after garbage was collected; EDSR x2 on 96 x 96, four methods. Ready: ${await settled()}`);
  await drop(page, await png(page, 96, 96));
  await state(page, "done");
  console.log(`after a first run: ${await settled()}`);
  const close = () => byId(page, "tray-remove-0").click();
  for (let i = 1; i <= RUNS; i++) {
    await drop(page, await png(page, 96, 96 + i));
    await byId(page, "status").filter({ hasText: `Done: waves-96x${96 + i}` }).waitFor();
    await close();
    if (i % EACH === 0) console.log(`after ${i} images more, each closed: ${await settled()}`);
  }
  for (let i = 1; i <= CANCELS; i++) {
    await drop(page, await png(page, 160 + i, 160));
    await byId(page, "cancel").click();
    await close();
    if (i % EACH === 0) console.log(`after ${i} cancels: ${await settled()}`);
  }
  await drop(page, await png(page, 96, 96));
  await close();
  await state(page, "done");
  const select = byId(page, "model-select");
  for (let i = 1; i <= NETWORKS; i++) {
    await select.selectOption(["edsr_x2", "rdn_x2", "edsr_x4"][i % 3] ?? "");
    // Known results may be shown without a run.
    await page.waitForTimeout(500);
    await state(page, "done");
    if (i % 3 === 0) console.log(`after ${i} networks more: ${await settled()}`);
  }
} finally {
  await stop();
}
