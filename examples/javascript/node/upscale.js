// Enlarges a picture: node upscale.js NETWORK.onnx PICTURE.png OUT.png [METHOD [BITS]]
import { openAsBlob } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { Network } from "dfsq";

const [onnx, picture, out, method = "fp32", bits = "4"] = process.argv.slice(2);
const beside = (ending) => readFile(onnx.replace(/\.onnx$/, ending)).catch(() => undefined);
const network = await Network.load(await readFile(onnx), { calibration: await beside(".calibration"), optimized: await beside(".optimized") });
try {
  const options = { method, weightBits: Number(bits), activationBits: Number(bits) };
  const { image, costs } = await network.upscale(await openAsBlob(picture), options);
  await writeFile(out, Buffer.from(await (await network.png(image)).arrayBuffer()));
  console.log(`${image.width} x ${image.height}, a network of ${costs.totalBytes} bytes`);
} finally {
  network.dispose();
}
