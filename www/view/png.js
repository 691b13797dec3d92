// Pictures as PNG files inside other files.

/**
 * The address of a PNG that holds the very numbers of a picture: some browsers alter what is read back from a canvas.
 * @param {import("../engine/client.js").Engine} engine that encodes @param {import("../pkg/dfsq.js").Picture} picture @returns {Promise<string>}
 */
export async function pngAddress(engine, picture) {
  const reader = new FileReader();
  const bytes = await engine.call("encodePng", [picture, ""]);
  return new Promise((resolve, reject) => {
    reader.onload = () => resolve(String(reader.result));
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(new Blob([bytes], { type: "image/png" }));
  });
}
