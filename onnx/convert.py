"""Write EDSR and RDN checkpoints as ONNX networks that page and command line open.

    convert.py edsr_baseline_x2.pt -o edsr_baseline_x2.onnx
    convert.py runs/rdn_x4/best.pt -o rdn_x4.onnx --half --property licence="MIT OR Apache-2.0"

A checkpoint is a state dict with the parameter names of the published PyTorch implementations of EDSR (any number of
blocks and features) or RDN (any D, C, G, G0), or of networks.py, which has the same. Architecture and scale are read from
the names and shapes. The network takes and gives f32 [1, 3, H, W], RGB; H and W are free.
"""

import argparse
import pathlib
import re

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET = 13
# The published EDSR of 256 features scales its residuals so; the baseline of 64 does not.
WIDE_FEATURES, WIDE_RESIDUAL_SCALE = 256, 0.1


class Graph:
    """An ONNX graph in the making. Tensors are named like the nodes that make them."""

    def __init__(self, state, half):
        self.state, self.half = state, half
        self.nodes, self.initializers = [], []
        self.sources = {}  # initializer's name without ".f16" -> key of the state dict

    def constant(self, name, value):
        value = np.ascontiguousarray(value, np.float32)
        if self.half and value.ndim == 4:
            self.initializers.append(numpy_helper.from_array(value.astype(np.float16), f"{name}.f16"))
            return self.node("Cast", [f"{name}.f16"], name, to=TensorProto.FLOAT)
        self.initializers.append(numpy_helper.from_array(value, name))
        return name

    def node(self, kind, inputs, name, **attributes):
        self.nodes.append(helper.make_node(kind, inputs, [name], name=name, **attributes))
        return name

    def conv(self, x, key, name):
        weight, bias = self.state[f"{key}.weight"], self.state[f"{key}.bias"]
        side = weight.shape[2]
        self.sources |= {f"{name}.{part}": f"{key}.{part}" for part in ("weight", "bias")}
        inputs = [x, self.constant(f"{name}.weight", weight), self.constant(f"{name}.bias", bias)]
        return self.node("Conv", inputs, name, kernel_shape=[side, side], pads=[side // 2] * 4, strides=[1, 1])

    def shift(self, x, key, name):
        """The mean that is taken off or put back: in the checkpoint a 1x1 convolution that only adds its bias."""
        if f"{key}.bias" not in self.state:
            return x
        if not np.allclose(self.state[f"{key}.weight"][:, :, 0, 0], np.eye(3)):
            raise ValueError(f"{key} does more than add a constant")
        return self.node("Add", [x, self.constant(f"{name}.value", self.state[f"{key}.bias"].reshape(3, 1, 1))], name)

    def relu(self, x, name):
        return self.node("Relu", [x], name)

    def add(self, x, y, name):
        return self.node("Add", [x, y], name)

    def concat(self, inputs, name):
        return self.node("Concat", inputs, name, axis=1)

    def upsample(self, x, keys):
        """A convolution and a pixel shuffle for each key but the last, which is a convolution alone.

        A convolution to r*r times the features that the next one reads enlarges r times.
        """
        for i, (key, following) in enumerate(zip(keys, keys[1:])):
            features = self.state[f"{following}.weight"].shape[1]
            block = round((self.state[f"{key}.weight"].shape[0] / features) ** 0.5)
            x = self.conv(x, key, f"up.{i}")
            x = self.node("DepthToSpace", [x], f"up.{i}.shuffle", blocksize=block, mode="CRD")
        return self.conv(x, keys[-1], "tail")


def indices(state, pattern):
    """The numbers that stand where `pattern` has its group, ascending."""
    return sorted({int(match.group(1)) for key in state if (match := re.match(pattern, key))})


def edsr(graph, residual_scale):
    state = graph.state
    x = graph.shift("lr", "sub_mean", "sub_mean")
    head = x = graph.conv(x, "head.0", "head")
    features = state["head.0.weight"].shape[0]
    if residual_scale is None:
        residual_scale = WIDE_RESIDUAL_SCALE if features == WIDE_FEATURES else 1
    for i in indices(state, r"body\.(\d+)\.body\.0\.weight"):
        y = graph.relu(graph.conv(x, f"body.{i}.body.0", f"body.{i}.conv1"), f"body.{i}.relu")
        y = graph.conv(y, f"body.{i}.body.2", f"body.{i}.conv2")
        if residual_scale != 1:
            y = graph.node("Mul", [y, graph.constant(f"body.{i}.gain", residual_scale)], f"body.{i}.scaled")
        x = graph.add(x, y, f"body.{i}.add")
    (last,) = indices(state, r"body\.(\d+)\.weight")
    x = graph.add(graph.conv(x, f"body.{last}", "body.last"), head, "body.add")
    ups = [f"tail.0.{i}" for i in indices(state, r"tail\.0\.(\d+)\.weight")]
    return graph.upsample(x, [*ups, "tail.1"]), "EDSR"


def rdn(graph):
    state = graph.state
    x = graph.shift("lr", "sub_mean", "sub_mean")
    shallow = graph.conv(x, "SFENet1", "shallow1")
    x = graph.conv(shallow, "SFENet2", "shallow2")
    outputs = []
    for i in indices(state, r"RDBs\.(\d+)\."):
        dense = x
        for j in indices(state, rf"RDBs\.{i}\.convs\.(\d+)\."):
            grown = graph.conv(dense, f"RDBs.{i}.convs.{j}.conv.0", f"rdb.{i}.conv{j}")
            dense = graph.concat([dense, graph.relu(grown, f"rdb.{i}.relu{j}")], f"rdb.{i}.cat{j}")
        x = graph.add(graph.conv(dense, f"RDBs.{i}.LFF", f"rdb.{i}.fusion"), x, f"rdb.{i}.add")
        outputs.append(x)
    x = graph.conv(graph.concat(outputs, "fusion.cat"), "GFF.0", "fusion.1x1")
    x = graph.add(graph.conv(x, "GFF.1", "fusion.3x3"), shallow, "fusion.add")
    return graph.upsample(x, [f"UPNet.{i}" for i in indices(state, r"UPNet\.(\d+)\.weight")]), "RDN"


def trace(graph, residual_scale=None):
    """Writes the nodes of the network whose state dict `graph` has; returns its output's and its architecture's name."""
    if "SFENet1.weight" in graph.state:
        return rdn(graph)
    if "head.0.weight" in graph.state:
        return edsr(graph, residual_scale)
    raise ValueError("neither EDSR (head.0.weight) nor RDN (SFENet1.weight) in the published layout")


def restore(model, like):
    """The convolutions' parameters in a network that `convert` wrote, by their keys in the state dict `like`."""
    graph = Graph(like, half=False)
    trace(graph)
    found = {}
    for initializer in model.graph.initializer:
        if key := graph.sources.get(initializer.name.removesuffix(".f16")):
            found[key] = numpy_helper.to_array(initializer).astype(np.float32)
    return found


def convert(state, name, half=False, residual_scale=None, input_range=None, properties=()):
    """The ONNX model of a state dict, which maps names to NumPy arrays.

    `input_range` is 1 or 255; by default 255, as in the published checkpoints, unless the mean in the state dict is
    below 1, as in ours. `properties` are further (key, value) pairs of metadata.
    """
    state = {key.removeprefix("module.").removeprefix("model."): np.asarray(value) for key, value in state.items()}
    graph = Graph(state, half)
    output, architecture = trace(graph, residual_scale)
    if input_range is None:
        input_range = 1 if "sub_mean.bias" in state and np.abs(state["sub_mean.bias"]).max() < 1 else 255
    if "add_mean.bias" in state:
        graph.shift(output, "add_mean", "sr")
    else:
        graph.node("Identity", [output], "sr")
    scale = 1
    for node in graph.nodes:
        if node.op_type == "DepthToSpace":
            scale *= node.attribute[0].i

    def image(tensor, height, width):
        return helper.make_tensor_value_info(tensor, TensorProto.FLOAT, [1, 3, height, width])

    onnx_graph = helper.make_graph(
        graph.nodes, name, [image("lr", "height", "width")], [image("sr", "out_height", "out_width")], graph.initializers
    )
    model = helper.make_model(
        onnx_graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8, producer_name="dfsq"
    )
    stated = {
        "name": name,
        "scale": scale,
        "input_range": f"0..{input_range}",
        "colour": "RGB",
        "architecture": architecture,
        **dict(properties),
    }
    helper.set_model_props(model, {key: str(value) for key, value in stated.items()})
    onnx.checker.check_model(model)
    return model


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=pathlib.Path)
    parser.add_argument("-o", "--out", type=pathlib.Path, required=True)
    parser.add_argument("--name", help="default: the output's file name")
    parser.add_argument("--half", action="store_true", help="store kernels as f16, in half the bytes")
    parser.add_argument("--residual-scale", type=float, help="EDSR; default: 0.1 with 256 features, else 1")
    parser.add_argument("--input-range", type=int, choices=[1, 255], help="value of a full channel; default: see convert()")
    parser.add_argument("--property", action="append", default=[], metavar="KEY=VALUE", help="more metadata")
    options = parser.parse_args()

    import torch  # only here: convert() works without

    loaded = torch.load(options.checkpoint, map_location="cpu", weights_only=True)
    loaded = loaded.get("state_dict", loaded) if isinstance(loaded, dict) else loaded.state_dict()
    state = {key: value.float().numpy() for key, value in loaded.items()}
    properties = [item.split("=", 1) for item in options.property]
    name = options.name or options.out.stem
    model = convert(state, name, options.half, options.residual_scale, options.input_range, properties)
    onnx.save(model, options.out)
    print(f"{options.out}: {options.out.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
