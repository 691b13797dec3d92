// Memory of the browser while four methods run on one picture, in headless Chromium. ./build.sh bench tab [NETWORK:SIDE ...]
import { drop, open, png, start, state, stop } from "../tests/e2e/browser.js";
import { held } from "./held.mjs";

const CASES = ["edsr_x2:64", "edsr_x2:128", "edsr_x2:256", "edsr_x2:512", "edsr_x4:64", "edsr_x4:128", "edsr_x4:256"];

await start();
try {
  console.log("network, side of its input: MB of the browser when ready, and at the peak; seconds until all four are done");
  for (const name of process.argv.length > 2 ? process.argv.slice(2) : CASES) {
    const [network, side] = name.split(":");
    const page = await open(`#network=${network}&mode=upscale`);
    const picture = await png(page, Number(side), Number(side));
    const [ready, begin] = [held(process.pid), performance.now()];
    let peak = 0;
    const watch = setInterval(() => (peak = Math.max(peak, held(process.pid))), 100);
    await drop(page, picture);
    await state(page, "done");
    const seconds = (performance.now() - begin) / 1000;
    clearInterval(watch);
    console.log(`${name}: ${ready.toFixed(0)}, ${peak.toFixed(0)} MB, ${seconds.toFixed(1)} s`);
    await page.context().close();
  }
} finally {
  await stop();
}
