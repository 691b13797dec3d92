"""`dfsq upscale` beside onnxruntime for Python, in turn, on one thread and on two. ./build.sh bench native [NETWORK:ROWSxCOLUMNS ...]"""

import json
import os
import pathlib
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np
import onnxruntime
from PIL import Image

NETWORKS = pathlib.Path(__file__).parents[1] / "onnx"
CASES = ["edsr_x2:256x256", "rdn_x2:256x256", "edsr_x4:256x256", "rdn_x4:256x256"]
METHODS = ["fp32", "dfsq", "dfsq-opt", "min-max"]
THREADS = [threads for threads in [1, 2, 4] if threads <= (os.cpu_count() or 1)]
RUNS = 9


def measure(network, pixels, folder):
    """Seconds of every run, by what ran on how many threads."""
    picture = folder / "picture.png"
    Image.fromarray(pixels).save(picture)
    batch = np.ascontiguousarray(pixels.transpose(2, 0, 1)[None], dtype=np.float32)
    model = NETWORKS / f"{network}.onnx"

    def session(threads):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])

    def ours(threads, method):
        command = [os.environ["DFSQ"], "upscale", model, picture, "-o", folder / "output.png", "--force", "--method", method, "--json"]
        result = subprocess.run(command, env=os.environ | {"RAYON_NUM_THREADS": str(threads)}, check=True, stdout=subprocess.PIPE)
        return json.loads(result.stdout)["seconds"]

    sessions = {threads: session(threads) for threads in THREADS}
    name = sessions[1].get_inputs()[0].name
    seconds = {}
    for run in range(RUNS + 1):
        for threads in THREADS:
            start = time.perf_counter()
            sessions[threads].run(None, {name: batch})
            found = {"onnxruntime": time.perf_counter() - start} | {method: ours(threads, method) for method in METHODS}
            for what, took in found.items():
                # The first run is to warm up.
                if run:
                    seconds.setdefault((what, threads), []).append(took)
    return seconds


def main():
    print(f"{platform.processor() or platform.machine()}, onnxruntime {onnxruntime.__version__}; medians of {RUNS} rounds in seconds; 4 bits, but for full precision")
    for case in sys.argv[1:] or CASES:
        network, height, width = re.fullmatch(r"(.+):(\d+)x(\d+)", case).groups()
        pixels = (np.arange(int(height) * int(width) * 3) * 7919 % 256).astype(np.uint8).reshape(int(height), int(width), 3)
        with tempfile.TemporaryDirectory() as folder:
            seconds = measure(network, pixels, pathlib.Path(folder))
        for threads in THREADS:
            median = {what: statistics.median(runs) for (what, on), runs in seconds.items() if on == threads}
            times = ", ".join(f"{what} {took:.3f}" for what, took in median.items())
            pairs = zip(seconds["fp32", threads], seconds["onnxruntime", threads])
            ratio = statistics.median(ours / theirs for ours, theirs in pairs)
            print(f"{case}, {threads} threads: {times}; fp32/onnxruntime {ratio:.2f}", flush=True)
            if threads > 1:
                speedups = {what: statistics.median(one / many for one, many in zip(seconds[what, 1], seconds[what, threads])) for what in median}
                print(f"{case}, {threads} threads, times as fast as one: {', '.join(f'{what} {times:.2f}' for what, times in speedups.items())}", flush=True)


main()
