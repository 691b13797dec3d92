// Networks with random weights, as ONNX files, to test and measure what no bundled network shows. Protobuf by hand: a few fields only.

/** @param {number} value @returns {number[]} */
const variable = (value) => (value > 127 ? [(value & 127) | 128, ...variable(value >>> 7)] : [value]);

/** @param {number} field @param {number} value not negative */
const varint = (field, value) => Buffer.from([...variable(field << 3), ...variable(value)]);

/** @param {number} field @param {string | Uint8Array | Uint8Array[]} content */
function part(field, content) {
  const bytes = Array.isArray(content) ? Buffer.concat(content) : Buffer.from(content);
  return Buffer.concat([Buffer.from([...variable((field << 3) | 2), ...variable(bytes.length)]), bytes]);
}

const INTS = 7;
/** @param {string} name @param {number[]} values */
const integers = (name, values) => part(5, [part(1, name), ...values.map((value) => varint(8, value)), varint(20, INTS)]);

class Writer {
  /** @type {Uint8Array[]} */
  #parts = [];
  #count = 0;
  #secondFile;
  /** What lies in the second file. @type {Uint8Array[]} */
  second = [];

  /** @param {string} [secondFile] to which weights go */
  constructor(secondFile = "") {
    this.#secondFile = secondFile;
  }

  /** A tensor's numbers, or where they are. @param {Uint8Array} bytes */
  #stored(bytes) {
    if (!this.#secondFile) return [part(9, bytes)];
    const offset = this.second.reduce((sum, { length }) => sum + length, 0);
    this.second.push(bytes);
    const entries = Object.entries({ location: this.#secondFile, offset, length: bytes.length });
    return [...entries.map(([key, value]) => part(13, [part(1, key), part(2, String(value))])), varint(14, 1)];
  }

  /** @param {string} operator @param {string[]} inputs @param {Uint8Array[]} [attributes] */
  node(operator, inputs, attributes = []) {
    const output = `${operator}${++this.#count}`;
    this.#parts.push(part(1, [...inputs.map((input) => part(1, input)), part(2, output), part(3, output), part(4, operator), ...attributes]));
    return output;
  }

  /** @param {string} input @param {number} inputs @param {number} outputs @param {number} side */
  conv(input, inputs, outputs, side) {
    const name = `weight${++this.#count}`;
    const fanIn = inputs * side * side;
    // From a fixed seed, and such that what passes keeps its size.
    const values = Float32Array.from({ length: outputs * fanIn }, (_, i) => (((i * 7919 + 13) % 1021) / 510.5 - 1) * (1.7 / Math.sqrt(fanIn)));
    const dims = [outputs, inputs, side, side].map((length) => varint(1, length));
    this.#parts.push(part(5, [...dims, varint(2, 1), part(8, name), ...this.#stored(new Uint8Array(values.buffer))]));
    return this.node("Conv", [input, name], [integers("pads", [0, 0, 0, 0].fill(side >> 1)), integers("kernel_shape", [side, side])]);
  }

  /** @param {string} output @param {string} [range] of its values, where it states one */
  file(output, range = "0..1") {
    const value = (/** @type {number} */ field, /** @type {string} */ name) => {
      const dimensions = [1, 3, 0, 0].map((length, axis) => part(1, length ? varint(1, length) : part(2, `${name}${axis}`)));
      return part(field, [part(1, name), part(2, part(1, [varint(1, 1), part(2, dimensions)]))]);
    };
    const graph = [...this.#parts, part(2, "graph"), value(11, "image"), value(12, output)];
    const property = (/** @type {string} */ key, /** @type {string} */ text) => part(14, [part(1, key), part(2, text)]);
    return new Uint8Array(Buffer.concat([varint(1, 8), part(8, varint(2, 13)), part(7, graph), ...(range ? [property("input_range", range)] : []), property("colour", "RGB")]));
  }
}

/** The same, with its weights in a second file. @param {number} blocks @param {number} features @param {string} name of that file */
export function edsrInTwo(blocks, features, name) {
  const writer = new Writer(name);
  return { network: edsr(blocks, features, writer), weights: new Uint8Array(Buffer.concat(writer.second)) };
}

/** EDSR x2 of so many residual blocks and features. @param {number} blocks @param {number} features */
export function edsr(blocks, features, writer = new Writer()) {
  const head = writer.conv("image", 3, features, 3);
  let at = head;
  for (let block = 0; block < blocks; block++) {
    const inside = writer.node("Relu", [writer.conv(at, features, features, 3)]);
    at = writer.node("Add", [writer.conv(inside, features, features, 3), at]);
  }
  const body = writer.node("Add", [writer.conv(at, features, features, 3), head]);
  const blocksize = part(5, [part(1, "blocksize"), varint(3, 2), varint(20, 2)]);
  const mode = part(5, [part(1, "mode"), part(4, "CRD"), varint(20, 3)]);
  const up = writer.node("DepthToSpace", [writer.conv(body, features, 4 * features, 3)], [blocksize, mode]);
  return writer.file(writer.conv(up, features, 3, 3));
}

/** Hardly more than the product of two matrices: a 1x1 convolution of as many inputs as outputs. @param {number} channels */
export function product(channels) {
  const writer = new Writer();
  return writer.file(writer.conv(writer.conv(writer.conv("image", 3, channels, 1), channels, channels, 1), channels, 3, 1));
}

/** One that ends in an operator that our own engine lacks, of values in 0..1. */
export function squashed() {
  const writer = new Writer();
  return writer.file(writer.node("Identity", [writer.node("Elu", [writer.conv(writer.conv("image", 3, 8, 3), 8, 3, 3)])]));
}

/** One of random kernels that does not state its values' range, and whose output looks like nothing. */
export function unstated() {
  const writer = new Writer();
  return writer.file(writer.conv(writer.conv("image", 3, 8, 3), 8, 3, 3), "");
}
