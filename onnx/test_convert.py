"""convert.py on random state dicts in the published layouts, against the published forward passes in plain NumPy.

Where DFSQ names the command-line program, it must open the result and find the layers that the paper quantizes.
"""

import json
import os
import pathlib
import subprocess
import tempfile
import unittest

import numpy as np
import onnxruntime

import convert

PIXELS = (1, 3, 7, 6)
RNG = np.random.default_rng(0)


def new_conv(state, key, inputs, outputs, size=3):
    bound = (3 / (inputs * size * size)) ** 0.5
    state[f"{key}.weight"] = RNG.uniform(-bound, bound, (outputs, inputs, size, size)).astype(np.float32)
    state[f"{key}.bias"] = RNG.uniform(-0.1, 0.1, outputs).astype(np.float32)


def apply_conv(state, key, x):
    weight, bias = state[f"{key}.weight"], state[f"{key}.bias"]
    side = weight.shape[2]
    padded = np.pad(x, ((0, 0), (0, 0), (side // 2,) * 2, (side // 2,) * 2))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (side, side), axis=(2, 3))
    return np.einsum("nchwij,ocij->nohw", windows, weight, optimize=True) + bias[:, None, None]


def shuffle(x, block=2):
    n, c, h, w = x.shape
    x = x.reshape(n, c // block**2, block, block, h, w).transpose(0, 1, 4, 2, 5, 3)
    return x.reshape(n, c // block**2, h * block, w * block)


def relu(x):
    return np.maximum(x, 0)


def published_edsr(blocks, features, scale):
    state = {}
    mean = 255 * np.array([0.4488, 0.4371, 0.4040], np.float32)
    for key, sign in (("sub_mean", -1), ("add_mean", 1)):
        state[f"{key}.weight"], state[f"{key}.bias"] = np.eye(3, dtype=np.float32)[:, :, None, None], sign * mean
    new_conv(state, "head.0", 3, features)
    for i in range(blocks):
        new_conv(state, f"body.{i}.body.0", features, features)
        new_conv(state, f"body.{i}.body.2", features, features)
    new_conv(state, f"body.{blocks}", features, features)
    for i in range({2: 1, 4: 2}[scale]):
        new_conv(state, f"tail.0.{2 * i}", features, 4 * features)
    new_conv(state, "tail.1", features, 3)
    return state


def forward_edsr(state, x, blocks, residual_scale, scale):
    x = head = apply_conv(state, "head.0", x + state["sub_mean.bias"][:, None, None])
    for i in range(blocks):
        inner = relu(apply_conv(state, f"body.{i}.body.0", x))
        x = x + residual_scale * apply_conv(state, f"body.{i}.body.2", inner)
    x = head + apply_conv(state, f"body.{blocks}", x)
    for i in range({2: 1, 4: 2}[scale]):
        x = shuffle(apply_conv(state, f"tail.0.{2 * i}", x))
    return apply_conv(state, "tail.1", x) + state["add_mean.bias"][:, None, None]


def published_rdn(blocks, depth, growth, scale, features=64):
    state = {}
    new_conv(state, "SFENet1", 3, features)
    new_conv(state, "SFENet2", features, features)
    for i in range(blocks):
        for j in range(depth):
            new_conv(state, f"RDBs.{i}.convs.{j}.conv.0", features + j * growth, growth)
        new_conv(state, f"RDBs.{i}.LFF", features + depth * growth, features, 1)
    new_conv(state, "GFF.0", blocks * features, features, 1)
    new_conv(state, "GFF.1", features, features)
    ups = {2: 1, 4: 2}[scale]
    for i in range(ups):
        # The published networks go on with `growth` features in the upsampler of scale 4.
        new_conv(state, f"UPNet.{2 * i}", features if i == 0 else growth, 4 * growth)
    new_conv(state, f"UPNet.{2 * ups}", growth, 3)
    return state


def forward_rdn(state, x, blocks, depth, scale):
    shallow = apply_conv(state, "SFENet1", x)
    x = apply_conv(state, "SFENet2", shallow)
    outputs = []
    for i in range(blocks):
        dense = x
        for j in range(depth):
            dense = np.concatenate([dense, relu(apply_conv(state, f"RDBs.{i}.convs.{j}.conv.0", dense))], axis=1)
        x = x + apply_conv(state, f"RDBs.{i}.LFF", dense)
        outputs.append(x)
    x = apply_conv(state, "GFF.0", np.concatenate(outputs, axis=1))
    x = shallow + apply_conv(state, "GFF.1", x)
    ups = {2: 1, 4: 2}[scale]
    for i in range(ups):
        x = shuffle(apply_conv(state, f"UPNet.{2 * i}", x))
    return apply_conv(state, f"UPNet.{2 * ups}", x)


class Convert(unittest.TestCase):
    def check(self, state, expected, image, scale, quantized, **options):
        model = convert.convert(state, "test", **options)
        session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
        (output,) = session.run(None, {"lr": image})
        largest = np.abs(expected).max()
        tolerance = 2e-2 if options.get("half") else 2e-5
        np.testing.assert_allclose(output / largest, expected / largest, atol=tolerance)
        properties = {p.key: p.value for p in model.metadata_props}
        self.assertEqual((properties["scale"], properties["input_range"]), (str(scale), "0..255"))
        if "DFSQ" in os.environ:
            with tempfile.TemporaryDirectory() as folder:
                path = pathlib.Path(folder, "test.onnx")
                path.write_bytes(model.SerializeToString())
                told = subprocess.check_output([os.environ["DFSQ"], "inspect", path, "--json"])
            info = json.loads(told)
            self.assertEqual(info["convention"]["scale"], scale)
            self.assertEqual(sum(layer["quantized"] for layer in info["layers"]), quantized)

    def edsr(self, blocks, features, scale, residual_scale=1, **options):
        image = (255 * RNG.random(PIXELS)).astype(np.float32)
        state = published_edsr(blocks, features, scale)
        expected = forward_edsr(state, image, blocks, residual_scale, scale)
        self.check(state, expected, image, scale, 2 * blocks, **options)

    def rdn(self, blocks, depth, growth, scale):
        image = (255 * RNG.random(PIXELS)).astype(np.float32)
        state = published_rdn(blocks, depth, growth, scale)
        expected = forward_rdn(state, image, blocks, depth, scale)
        self.check(state, expected, image, scale, blocks * (depth + 1) + 2)

    def test_edsr_baseline(self):
        self.edsr(16, 64, 2)
        self.edsr(16, 64, 4)

    def test_edsr_of_256_features_scales_its_residuals(self):
        self.edsr(32, 256, 2, residual_scale=0.1)

    def test_rdn_a(self):
        self.rdn(20, 6, 32, 2)

    def test_rdn_b(self):
        self.rdn(16, 8, 64, 4)

    def test_half_precision_stays_near(self):
        self.edsr(4, 64, 2, half=True)

    def test_another_checkpoint_is_refused(self):
        with self.assertRaisesRegex(ValueError, "neither EDSR"):
            convert.convert({"conv.weight": np.zeros((3, 3, 3, 3))}, "test")


if __name__ == "__main__":
    unittest.main()
