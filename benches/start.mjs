// How long the page takes to be ready, each time in a new Chromium, with either program. ./build.sh bench start
import { open, start, stop } from "../tests/e2e/browser.js";

const RUNS = 5;
console.log(`seconds from navigation until the page is ready, ${RUNS} new browsers each`);
for (const [program, query] of [["without tract", ""], ["with tract", "?engine=tract"]]) {
  const times = [];
  for (let run = 0; run < RUNS; run++) {
    await start();
    const page = await open(query);
    times.push(await page.evaluate(() => performance.now() / 1000));
    await stop();
  }
  times.sort((a, b) => a - b);
  console.log(`${program}: ${times.map((time) => time.toFixed(2)).join(", ")}`);
}
