"""Runs the code of docs/python.md, and every function of exported files in onnxruntime, beside what dfsq computes. DFSQ is the program."""

import gzip
import json
import os
import re
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import numpy_helper
from PIL import Image

HERE = Path(__file__).resolve().parents[1]
DFSQ = str(Path(os.environ["DFSQ"]).resolve())


class Documented(unittest.TestCase):
    def test_the_code_does_what_it_says(self):
        with tempfile.TemporaryDirectory() as folder:
            folder = Path(folder)
            for ending in ("onnx", "calibration", "optimized"):
                shutil.copy(HERE / "onnx" / f"edsr_x2.{ending}", folder)
            noise = np.random.default_rng(5).integers(0, 256, (20, 24, 3), np.uint8)
            Image.fromarray(noise).resize((48, 40), Image.BICUBIC).save(folder / "photo.png")

            def dfsq(*arguments):
                subprocess.run([DFSQ, *arguments], cwd=folder, check=True, stdout=subprocess.DEVNULL)

            def tensors(file):
                return {t.name: numpy_helper.to_array(t) for t in onnx.load(folder / file).graph.initializer}

            dfsq("export", "edsr_x2.onnx", "--method", "dfsq", "-o", "quantized.onnx")
            dfsq("upscale", "edsr_x2.onnx", "photo.png", "--method", "dfsq", "-o", "wanted.png")
            blocks = re.findall(r"```python\n(.*?)```", (HERE / "docs" / "python.md").read_text(), re.DOTALL)
            self.assertEqual(len(blocks), 3)
            names, before = {}, os.getcwd()
            os.chdir(folder)
            try:
                for block in blocks:
                    exec(block, names)
            finally:
                os.chdir(before)

            self.assertEqual(len(names["universal"]), 377)
            exported = tensors("quantized.onnx")["dfsq/body.0.conv1/points"][:, :, 0, 0].T
            np.testing.assert_array_equal(np.stack(names["points"]), exported)

            weight_bits, activation_bits = first_bits(folder / "edsr_x2.optimized")
            options = ["--weight-bits", str(weight_bits), "--activation-bits", str(activation_bits)]
            dfsq("export", "edsr_x2.onnx", "--method", "dfsq-opt", *options, "-o", "optimized.onnx")
            file = tensors("optimized.onnx")
            codes = file["dfsq/body.0.conv1/codes"].astype(np.int64)
            wanted = np.take_along_axis(file["dfsq/body.0.conv1/weight_points"], codes, axis=1)
            np.testing.assert_allclose(names["weights"], wanted, rtol=0, atol=1e-7)

            wanted, found = (np.asarray(Image.open(folder / name).convert("RGB"), np.float64) for name in ("wanted.png", "enlarged.png"))
            self.assertEqual(wanted.shape, (80, 96, 3))
            self.assertGreater(10 * np.log10(255**2 / np.mean((wanted - found) ** 2)), 45)


class Exported(unittest.TestCase):
    def test_every_quantizer_runs_elsewhere(self):
        made_anew = "--calibration photos --low-resolution --crops 2 --crop-size 24"
        cases = {
            "--method dfsq --weight-bits 6 --activation-bits 6": "SubsetQuantize64",
            "--method dfsq --denormalization-bits 6": "SubsetQuantize16Denormalization6",
            f"--method dfsq --granularity layer --weights subset {made_anew}": "SubsetQuantize16PerTensor",
            f"--method dfsq --normalization none {made_anew}": "SubsetQuantize16Fixed",
            f"--method dfsq --mean never --weight-bits 32 {made_anew}": "SubsetQuantize16WithoutMean",
            "--method min-max --weight-bits 8 --activation-bits 8": "DynamicUniformQuantize",
            "--method min-max --min-max-range static --weight-bits 8 --activation-bits 8": "UniformQuantize",
            "--method dfsq-opt --weight-bits 2 --activation-bits 2 --opset 25": "SubsetQuantize4",
        }
        with tempfile.TemporaryDirectory() as folder:
            folder = Path(folder)
            (folder / "photos").mkdir()
            for ending in ("onnx", "calibration", "optimized"):
                shutil.copy(HERE / "onnx" / f"edsr_x2.{ending}", folder)
            photo = folder / "photos" / "photo.png"
            noise = np.random.default_rng(5).integers(0, 256, (20, 24, 3), np.uint8)
            Image.fromarray(noise).resize((49, 41), Image.BICUBIC).save(photo)
            for options, function in cases.items():
                with self.subTest(options):
                    reference = ["--reference", "tensors", "--sample", photo]
                    command = [DFSQ, "export", "edsr_x2.onnx", "-o", "made.onnx", "--force", *options.split(), *reference]
                    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                    model = onnx.load(folder / "made.onnx")
                    onnx.checker.check_model(model, full_check=True)
                    self.assertIn(function, [defined.name for defined in model.functions])
                    session = onnxruntime.InferenceSession(folder / "made.onnx")
                    given, wanted = (np.load(folder / "tensors" / f"{name}.npy") for name in ("input", "output"))
                    found = session.run(None, {session.get_inputs()[0].name: given})[0]
                    self.assertEqual(found.shape, (1, 3, 82, 98))
                    # Values next to a midpoint go to the other point where sums are made in another order.
                    self.assertGreater(-10 * np.log10(np.mean((wanted - found) ** 2)), 40)

    def test_static_min_max_is_computed_in_integers(self):
        with tempfile.TemporaryDirectory() as folder:
            folder = Path(folder)
            (folder / "photos").mkdir()
            for ending in ("onnx", "calibration"):
                shutil.copy(HERE / "onnx" / f"edsr_x2.{ending}", folder)
            noise = np.random.default_rng(5).integers(0, 256, (20, 24, 3), np.uint8)
            Image.fromarray(noise).resize((49, 41), Image.BICUBIC).save(folder / "photos" / "photo.png")
            method = "--method min-max --min-max-range static --activation-bits 8 --calibration photos"
            measured = "--integer photos --low-resolution --crops 2 --crop-size 24 --check"
            reference = "--reference tensors --sample photos/photo.png"
            # The first layer sees the whole range of a picture, where sums of two products are largest.
            for layers, options in {32: "--weight-bits 7", 36: "--weight-bits 8 --scope all"}.items():
                with self.subTest(options):
                    command = f"export edsr_x2.onnx -o made.onnx --force {method} {options} {measured} {reference}"
                    said = subprocess.run([DFSQ, *command.split()], cwd=folder, check=True, capture_output=True, text=True).stdout
                    self.assertEqual(said.count(": QLinearConv"), layers)
                    onnx.checker.check_model(onnx.load(folder / "made.onnx"), full_check=True)
                    settings = onnxruntime.SessionOptions()
                    settings.optimized_model_filepath = str(folder / "optimized.onnx")
                    settings.log_severity_level = 3
                    session = onnxruntime.InferenceSession(folder / "made.onnx", settings, providers=["CPUExecutionProvider"])
                    nodes = [node.op_type for node in onnx.load(folder / "optimized.onnx").graph.node]
                    self.assertEqual(nodes.count("QLinearConv"), layers)
                    given, wanted = (np.load(folder / "tensors" / f"{name}.npy") for name in ("input", "output"))
                    found = session.run(None, {session.get_inputs()[0].name: given})[0]
                    self.assertGreater(-10 * np.log10(np.mean((wanted - found) ** 2)), 40)

    def test_images_side_by_side_are_as_they_are_alone(self):
        rng = np.random.default_rng(6)
        stored, nodes = [], []

        def conv(given, name, inputs, outputs):
            weights = rng.standard_normal((outputs, inputs, 3, 3)).astype(np.float32) * (1.5 / (9 * inputs)) ** 0.5
            stored.append(numpy_helper.from_array(weights, f"{name} weights"))
            nodes.append(onnx.helper.make_node("Conv", [given, f"{name} weights"], [name], name=f"{name} node", pads=[1] * 4))

        conv("x", "first", 3, 8)
        conv("first", "second", 8, 8)
        nodes.append(onnx.helper.make_node("Add", ["first", "second"], ["sum"]))
        conv("sum", "y", 8, 3)
        shape = ["n", 3, "h", "w"]
        ends = [[onnx.helper.make_tensor_value_info(name, 1, shape)] for name in "xy"]
        graph = onnx.helper.make_graph(nodes, "several", *ends, stored)
        model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=9)
        onnx.helper.set_model_props(model, {"input_range": "0..1", "output_range": "0..1", "quantization_scope": "second node"})
        with tempfile.TemporaryDirectory() as folder:
            onnx.save(model, Path(folder) / "several.onnx")
            command = [DFSQ, "export", "several.onnx", "-o", "made.onnx", "--method", "min-max"]
            subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
            session = onnxruntime.InferenceSession(Path(folder) / "made.onnx", providers=["CPUExecutionProvider"])
            images = rng.random((2, 3, 37, 23)).astype(np.float32)
            together = session.run(None, {"x": images})[0]
            alone = [session.run(None, {"x": images[at : at + 1]})[0] for at in (0, 1)]
            np.testing.assert_array_equal(together, np.concatenate(alone))


def first_bits(file):
    """Bits of weights and of activations of the quantized layers in a file's first choice."""
    data = gzip.decompress(file.read_bytes())
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    first = json.loads(header["__metadata__"]["dfsq-optimized-2"])["variants"][0]
    return next(bits for bits in first if bits != [32, 32])


if __name__ == "__main__":
    unittest.main()
