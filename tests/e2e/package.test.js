// The npm package: installed from its tarball into the empty projects of examples/javascript, built as each builds, and used.
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { METHODS, png, start, stop, tab } from "./browser.js";
import { host } from "./host.js";
import { squashed } from "./onnx.js";

const path = (relative) => fileURLToPath(new URL(`../../${relative}`, import.meta.url));
const NETWORK = [".onnx", ".calibration", ".optimized"].map((ending) => path(`onnx/edsr_x2${ending}`));

/** Where everything is made. */
const folder = mkdtempSync(join(tmpdir(), "dfsq-package-"));
/** A picture, and what the command line makes of it with each method. */
const picture = join(folder, "waves.png");
const enlarged = (method) => join(folder, `${method}.png`);

before(async () => {
  await start();
  writeFileSync(picture, (await png(await tab(), 52, 40)).bytes);
  writeFileSync(join(folder, "squashed.onnx"), squashed());
  for (const method of METHODS) {
    const bits = method === "fp32" ? [] : ["--weight-bits", "3", "--activation-bits", "3"];
    execFileSync(process.env.DFSQ ?? path("target/release/dfsq"), ["upscale", NETWORK[0], picture, "-o", enlarged(method), "--method", method, ...bits]);
  }
});

after(async () => {
  await stop();
  rmSync(folder, { recursive: true });
});

/** An empty project that has installed the tarball, with the files of its example. */
function project(name) {
  const own = join(folder, name);
  for (const file of ["index.html", "main.js"]) cpSync(path(`examples/javascript/${file}`), join(own, file));
  cpSync(path(`examples/javascript/${name}`), own, { recursive: true });
  const tarball = readdirSync(path("npm")).find((file) => file.endsWith(".tgz"));
  execFileSync("npm", ["install", "--silent", "--no-audit", "--no-fund", path(`npm/${tarball}`)], { cwd: own, stdio: "inherit" });
  return own;
}

/** The pixels of a PNG file, as the page's browser reads them. */
const pixelsOf = (page, file) =>
  page.evaluate(async (base64) => {
    const bytes = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
    const bitmap = await createImageBitmap(new Blob([bytes]), { colorSpaceConversion: "none" });
    const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
    const context = canvas.getContext("2d");
    context.drawImage(bitmap, 0, 0);
    return [...context.getImageData(0, 0, bitmap.width, bitmap.height).data].join();
  }, readFileSync(file).toString("base64"));

/** Uses the example as its page shows it. */
async function use(root, under = "/") {
  const served = await host(root, { under });
  const page = await tab();
  page.setDefaultTimeout(30_000);
  const status = page.locator("[role=status]");
  await page.goto(served.address);
  await page.locator("#network").setInputFiles(NETWORK);
  await status.filter({ hasText: /, x2$/ }).waitFor();
  await page.locator("#image").setInputFiles(picture);
  await page.locator("#cancel").click();
  await status.filter({ hasText: "Cancelled" }).waitFor();
  await page.locator("#image").setInputFiles([]);
  await page.locator("#image").setInputFiles(picture);
  await status.filter({ hasText: "Done" }).waitFor();
  for (const method of METHODS) {
    const shown = await page.locator(`canvas[title="${method}"]`).evaluate((canvas) => [...canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data].join());
    assert.ok(shown === (await pixelsOf(page, enlarged(method))), `${method}: what the command line makes of it`);
  }
  // One with an operator that the small program lacks.
  await page.locator("#network").setInputFiles(join(folder, "squashed.onnx"));
  await status.filter({ hasText: /, x1$/ }).waitFor();
  await page.locator("#image").setInputFiles([]);
  await page.locator("#image").setInputFiles(picture);
  await status.filter({ hasText: "Done" }).waitFor();
  assert.equal(await page.locator("canvas").first().evaluate(({ width }) => width), 52);
  // One that is refused, in words.
  await page.locator("#network").setInputFiles({ name: "not.onnx", mimeType: "", buffer: Buffer.from("nothing") });
  await status.filter({ hasText: /^network: / }).waitFor();
  assert.deepEqual(page.complaints, []);
  await page.context().close();
  served.stop();
}

test("without a bundler", async () => use(project("plain"), "/some/path/"));

for (const bundler of ["vite", "webpack", "esbuild"]) {
  test(`under ${bundler}`, async () => {
    const own = project(bundler);
    execFileSync("npm", ["run", "--silent", "build"], { cwd: own, stdio: ["ignore", "ignore", "inherit"] });
    await use(join(own, "dist"), "/some/path/");
  });
}

test("in Node, and for TypeScript", async () => {
  const own = project("node");
  const page = await tab();
  for (const method of ["fp32", "dfsq"]) {
    const out = join(own, `${method}.png`);
    const said = execFileSync("node", ["upscale.js", NETWORK[0], picture, out, method, "4"], { cwd: own, encoding: "utf8" });
    assert.match(said, /^104 x 80, a network of \d+ bytes\n$/);
    if (method === "fp32") assert.ok((await pixelsOf(page, out)) === (await pixelsOf(page, enlarged(method))));
  }
  writeFileSync(join(own, "ways.mjs"), `
    import assert from "node:assert/strict";
    import { openAsBlob, readFileSync } from "node:fs";
    import { pathToFileURL } from "node:url";
    import { Network } from "dfsq";
    const [squashed, onnx, picture] = ${JSON.stringify([join(folder, "squashed.onnx"), NETWORK[0], picture])};
    const photo = await openAsBlob(picture);
    const withTract = await Network.load(readFileSync(squashed));
    const { image, seconds } = await withTract.upscale(photo, { method: "fp32" });
    assert.deepEqual([image.width, image.height, image.data.length], [52, 40, 4 * 52 * 40]);
    assert.ok(seconds > 0);
    withTract.dispose();
    await assert.rejects(withTract.upscale(photo), { kind: "disposed" });

    await assert.rejects(Network.load(new Uint8Array(3)), { kind: "network" });
    const network = await Network.load(readFileSync(onnx));
    await assert.rejects(network.upscale(photo, { method: "dfsq" }), { kind: "not-calibrated" });
    await assert.rejects(network.upscale(photo, { signal: AbortSignal.abort() }), { name: "AbortError" });
    const stopping = new AbortController();
    const progress = [];
    const begun = network.upscale(photo, { method: "fp32", signal: stopping.signal, onProgress: (done) => (progress.push(done), stopping.abort(new Error("enough"))) });
    const next = network.upscale(photo, { method: "fp32", onProgress: (done) => progress.push(done) });
    await assert.rejects(begun, /enough/);
    assert.equal((await next).image.width, 104, "what waited goes on in the next worker");
    assert.ok(progress.length > 2 && progress.every((done) => done >= 0 && done <= 1));

    const calibration = await network.calibrate([photo], { widths: [4] });
    const optimized = await network.optimize([photo], { weightBits: 4, activationBits: 4 });
    const ways = [{ method: "fp32" }, { method: "dfsq", weightBits: 4, activationBits: 4 }, { method: "dfsq-opt", weightBits: 4, activationBits: 4 }];
    const done = [];
    const reference = (await network.upscale(photo, { method: "fp32" })).image;
    for await (const way of network.compare(photo, ways, { reference })) done.push(way);
    assert.deepEqual(done.map(({ options }) => options), ways);
    assert.equal(done[0].score.psnrY, Infinity);
    assert.ok(done[2].score.psnrY > done[1].score.psnrY && done[1].score.psnrY > 30);
    const again = await Network.load(await network.export(ways[1]));
    assert.deepEqual(again.info.layers.length, network.info.layers.length);
    const inIntegers = { method: "min-max", minMaxRange: "static", weightBits: 8, activationBits: 8 };
    const integers = await Network.load(await network.export({ ...inIntegers, integer: [photo] }));
    assert.match(integers.info.stored, /with min-max/);
    await assert.rejects(network.export({ ...inIntegers, activationBits: 4, integer: [photo] }), { kind: "option" });
    integers.dispose();
    await assert.rejects(Network.load("file:///nowhere.onnx"), { kind: "fetch" });
    const known = await Network.load(pathToFileURL(onnx), { calibration, optimized });
    // What was asked first is done first, whatever it needs.
    const fresh = await Network.load(readFileSync(onnx));
    const [, later] = await Promise.all([fresh.calibrate([photo], { widths: [4] }), fresh.upscale(reference, { method: "dfsq", weightBits: 4, activationBits: 4 })]);
    assert.equal(later.image.width, 208);
    const gone = fresh.upscale(photo, { method: "fp32" });
    fresh.dispose();
    await assert.rejects(gone, { kind: "disposed" });
    assert.deepEqual((await known.upscale(photo, ways[2])).image.data, done[2].image.data);
    assert.equal((await network.png(reference)).type, "image/png");
    for (const each of [network, again, known]) each.dispose();
  `);
  const ran = spawnSync("node", ["ways.mjs"], { cwd: own, encoding: "utf8" });
  assert.equal(ran.status, 0, ran.stderr);

  writeFileSync(join(own, "types.ts"), `
    import { EngineError, Network } from "dfsq";
    import type { Upscaled } from "dfsq";
    const network: Network = await Network.load("network.onnx", { properties: { input_range: "0..1" }, signal: AbortSignal.timeout(9) });
    const done: Upscaled = await network.upscale(new ImageData(2, 2), { method: "dfsq-opt", weightBits: 4, activationBits: 2, onProgress: (share: number) => share });
    export const [score, name, bytes]: [number | undefined, string | null | undefined, Uint8Array] = [done.score?.psnrY, network.info.name, await network.export({ method: "min-max" })];
    // @ts-expect-error: there is no such method
    network.upscale(new ImageData(2, 2), { method: "other" });
    export const kind = (error: EngineError): string => error.kind;
  `);
  for (const resolution of ["bundler", "nodenext"]) {
    const module = resolution === "bundler" ? "esnext" : "nodenext";
    const args = ["--noEmit", "--strict", "--target", "es2022", "--lib", "es2022,dom", "--module", module, "--moduleResolution", resolution, "types.ts"];
    const checked = spawnSync(path("tests/e2e/node_modules/.bin/tsc"), args, { cwd: own, encoding: "utf8" });
    assert.equal(checked.status, 0, checked.stdout);
  }
});
