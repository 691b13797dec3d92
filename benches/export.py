"""Exported files in onnxruntime beside `dfsq eval`: PSNR on luma of a folder of pairs, and sizes.

    pip install numpy onnx onnxruntime pillow
    DFSQ=target/release/dfsq python benches/export.py HR LR MODEL [--reference] [--time ROWSxCOLUMNS] [OPTION ...]

HR and LR are folders whose images, sorted by name, are pairs. Each further argument is a list of options of `dfsq export` in one word,
as "--method dfsq --weight-bits 2 --activation-bits 2" or one with "--integer DIR"; without, full precision and every method at 8, 6, 4, 3
and 2 bits. With --reference the first pair goes through onnx's own evaluator too; with --time each file runs in turn with the network
in full precision, on one thread and on two, on noise of so many pixels.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx.reference import ReferenceEvaluator
from PIL import Image

DFSQ = os.environ["DFSQ"]
METHODS = ["min-max", "min-max --min-max-range static", "dfsq", "dfsq-opt"]
USUAL = ["--method fp32"] + [f"--method {method} --weight-bits {bits} --activation-bits {bits}" for method in METHODS for bits in (8, 6, 4, 3, 2)]


def dfsq(*arguments):
    done = subprocess.run([DFSQ, *map(str, arguments)], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr)
    return json.loads(done.stdout)


def luma(picture):
    """ITU-R BT.601, 16 to 235, of levels of 0 to 255."""
    return picture.astype(np.float64) @ np.array([65.481, 128.553, 24.966]) / 255 + 16


def psnr(picture, reference, border):
    inside = (slice(border, -border),) * 2
    error = luma(picture)[inside] - luma(reference)[inside]
    return 10 * np.log10(255**2 / np.mean(error**2))


def planes(path):
    return np.ascontiguousarray(np.asarray(Image.open(path).convert("RGB"), np.float32).transpose(2, 0, 1)[None])


def faster(model, file, size, rounds=9):
    """How many times as fast as the network in full precision a file is, by threads: medians of the ratios of runs in turn."""
    noise = np.random.default_rng(0).random((1, 3, *size)).astype(np.float32)
    found = []
    for threads in (1, 2):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        sessions = [onnxruntime.InferenceSession(one, options, providers=["CPUExecutionProvider"]) for one in (model, file)]
        times = []
        for _ in range(rounds + 1):
            times.append([])
            for session in sessions:
                start = time.perf_counter()
                session.run(None, {session.get_inputs()[0].name: noise})
                times[-1].append(time.perf_counter() - start)
        # The first round is to warm up.
        found.append(float(np.median([full / own for full, own in times[1:]])))
    return found


def main():
    hr, lr, model, *rest = sys.argv[1:]
    evaluates, size = "--reference" in rest, None
    if "--time" in rest:
        at = rest.index("--time")
        size = [int(side) for side in rest[at + 1].split("x")]
        rest = rest[:at] + rest[at + 2 :]
    about = dfsq("inspect", model, "--json")["convention"]
    white, scale = about["input"]["high"] - about["input"]["low"], about["scale"]
    pairs = list(zip(sorted(Path(hr).iterdir()), sorted(Path(lr).iterdir()), strict=True))
    print(f"{Path(model).name}, onnx {onnx.__version__}, onnxruntime {onnxruntime.__version__}: dB by dfsq eval, by onnxruntime, apart; bytes")
    for options in [word for word in rest if word != "--reference"] or USUAL:
        # Integers are a form of the file; `eval` has the same grids in f32.
        words = options.split()
        if "--integer" in words:
            at = words.index("--integer")
            words = words[:at] + words[at + 2 :]
        ours = dfsq("eval", model, "--hr", hr, "--lr", lr, "--json", *words)["mean_psnr_y"]
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "exported.onnx"
            if "fp32" in options:
                file.write_bytes(Path(model).read_bytes())
                made = {"bytes": file.stat().st_size}
            else:
                made = dfsq("export", model, "-o", file, "--json", *options.split())
            onnx.checker.check_model(onnx.load(file), full_check=True)
            session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
            name = session.get_inputs()[0].name

            def picture(run, low):
                values = run(None, {name: planes(low) / 255 * white + about["input"]["low"]})[0][0]
                levels = (values - about["output"]["low"]) / (about["output"]["high"] - about["output"]["low"]) * 255
                return np.clip(np.rint(levels), 0, 255).transpose(1, 2, 0)

            scores = []
            for high, low in pairs:
                found = picture(session.run, low)
                reference = np.asarray(Image.open(high).convert("RGB"))[: found.shape[0], : found.shape[1]]
                scores.append(psnr(found, reference, scale))
            theirs = float(np.mean(scores))
            line = f"{options}: {ours:.4f} {theirs:.4f} {theirs - ours:+.4f}; {made['bytes']}"
            if evaluates:
                try:
                    both = [picture(run, pairs[0][1]) for run in (session.run, ReferenceEvaluator(str(file)).run)]
                    apart = 10 * np.log10(255**2 / max(np.mean((both[0] - both[1]) ** 2), 1e-9))
                    line += f"; the evaluator's picture has {apart:.1f} dB to onnxruntime's"
                except ValueError as error:
                    # It looks nothing up in tables of more than 32.
                    line += f"; the evaluator fails: {error}"
            if size:
                one, two = faster(model, str(file), size)
                line += f"; {one:.2f} times as fast as full precision on one thread, {two:.2f} on two"
            print(line, flush=True)


main()
