// Files from strangers, dropped on the page in a real Chromium: each is refused in words, and a good one then works.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { deflateSync, crc32 } from "node:zlib";
import { byId, drop, file, open, png, score, start, state, stop } from "./browser.js";

before(start);
after(stop);

/** Drops a file that is to be refused, and says what the page answered. */
async function refusal(page, item) {
  await drop(page, item);
  const error = byId(page, "error").filter({ hasText: item.name });
  await error.waitFor();
  const words = await error.textContent();
  await error.locator("button").click();
  return words;
}

test("every hostile network is refused in words, and what was there goes on", async () => {
  const page = await open("#mode=upscale");
  await drop(page, await png(page, 24, 24));
  await state(page, "done");
  const expected = JSON.parse(await file("tests/hostile/expected.json"));
  const wrong = [];
  for (const [name, words] of Object.entries(expected)) {
    const said = await refusal(page, { name, type: "", bytes: await file(`tests/hostile/${name}`) });
    if (!said.includes(words)) wrong.push(`${name}: ${said}`);
  }
  assert.deepEqual(wrong, []);
  await drop(page, await png(page, 32, 24));
  await state(page, "done");
  assert.ok((await score(page, "psnr-dfsq")) > 20);
  assert.deepEqual(page.complaints, [], "no panic on the way");
});

/** What forbids a connection to another place, said where it is tried. */
const forbidden = () =>
  new Promise((resolve) => {
    addEventListener("securitypolicyviolation", (event) => resolve(event.effectiveDirective), { once: true });
    fetch("http://127.0.0.2:9/").catch(() => setTimeout(resolve, 1000, "not forbidden"));
  });

test("neither the page nor its workers can speak to another place, though the server says nothing of it", async () => {
  const page = await open();
  assert.equal((await fetch(page.url())).headers.get("content-security-policy"), null);
  assert.equal(await page.evaluate(forbidden), "connect-src");
  assert.ok(page.workers().length);
  for (const worker of page.workers()) assert.equal(await worker.evaluate(forbidden), "connect-src");
});

/** A chunk of a PNG. */
function chunk(type, content) {
  const body = Buffer.concat([Buffer.from(type), content]);
  const numbers = Buffer.alloc(8);
  numbers.writeUInt32BE(content.length, 0);
  numbers.writeUInt32BE(crc32(body), 4);
  return Buffer.concat([numbers.subarray(0, 4), body, numbers.subarray(4)]);
}

/** A PNG that says it has this size. */
function pngOf(width, height, rows) {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 2, 0, 0, 0], 8);
  return Buffer.concat([Buffer.from("\x89PNG\r\n\x1a\n", "latin1"), chunk("IHDR", header), chunk("IDAT", deflateSync(rows)), chunk("IEND", Buffer.alloc(0))]);
}

test("images that are none, or too large, are refused in words", async () => {
  const page = await open();
  const good = await png(page, 48, 48);
  const whole = Buffer.from(good.bytes);
  const images = [
    ["huge.png", pngOf(100_000, 100_000, Buffer.alloc(10)), "more pixels than can be opened"],
    ["wide.png", pngOf(2 ** 31 - 1, 1, Buffer.alloc(10)), "more pixels than can be opened"],
    ["nothing.png", pngOf(0, 0, Buffer.alloc(0)), "cannot read this image"],
    ["narrow.png", pngOf(1, 64, Buffer.alloc(256)), "too small"],
    ["short.png", pngOf(64, 64, Buffer.alloc(64)), "cannot read this image"],
    ["damaged.png", Buffer.concat([whole.subarray(0, 60), Buffer.alloc(40), whole.subarray(100)]), "cannot read this image"],
    ["drawing.svg", Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"/>'), "PNG, JPEG and WebP files are understood"],
    ["photo.heic", Buffer.from("\0\0\0\x18ftypheic\0\0\0\0mif1heic", "latin1"), "PNG, JPEG and WebP files are understood"],
    ["photo.avif", Buffer.from("\0\0\0\x1cftypavif\0\0\0\0avifmif1miaf", "latin1"), "PNG, JPEG and WebP files are understood"],
    ["old.gif", Buffer.from("GIF89a\x01\0\x01\0\0\0\0;", "latin1"), "PNG, JPEG and WebP files are understood"],
    ["<img src=x onerror=alert(1)>.png", Buffer.from("no"), "cannot read this image"],
  ];
  const wrong = [];
  for (const [name, bytes, words] of images) {
    const said = await refusal(page, { name, type: "image/png", bytes });
    if (!said.includes(words)) wrong.push(`${name}: ${said}`);
  }
  assert.deepEqual(wrong, []);
  // The ending does not matter, what is in it does.
  await drop(page, { ...good, name: "really-a-png.jpg" });
  await state(page, "done");
  assert.ok((await score(page, "psnr-dfsq")) > 20);
  assert.deepEqual(page.complaints, []);
});
