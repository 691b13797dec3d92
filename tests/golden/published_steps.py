"""Computes, from the paper's formulas and without this crate, what the deterministic steps of DFSQ give: the universal set,
normalized and quantized activations (eq. 1, 3), and quantized weights (eq. 6, 7). tests/published_steps.rs compares.

    python tests/golden/published_steps.py > tests/golden/published_steps.json     (NumPy 2)
"""

import itertools
import json

import numpy as np

random = np.random.default_rng(2305_05888)
f32 = np.float32

WORDS = [[0, 1, 2**-1, 2**-5], [0, 1, 2**-2, 2**-6], [0, 1, 2**-3, 2**-7], [0, 1, 2**-4, 2**-8]]


def universal_set(sets):
    """The mean of one word of every set, and its negative, without what comes twice."""
    means = {sum(words) / sets for words in itertools.product(*WORDS[:sets])}
    return sorted(means | {-mean for mean in means})


def activations(name, values, after_relu, sets, levels):
    """One channel a row. Points are the candidates nearest to so many quantiles, for the points' choice is not the matter here."""
    values = values.astype(f32)
    mean = np.zeros((len(values), 1), f32) if after_relu else values.mean(axis=1, keepdims=True, dtype=np.float64).astype(f32)
    largest = np.abs(values - mean).max(axis=1, keepdims=True)
    normalized = (values - mean) / (largest + f32(1e-8))
    candidates = np.array(universal_set(sets), f32)
    points, quantized = [], []
    for channel in normalized:
        at = np.quantile(channel, (np.arange(levels) + 0.5) / levels)
        chosen = np.unique(candidates[np.abs(candidates[None] - at[:, None]).argmin(axis=1)])
        points.append(chosen.tolist())
        quantized.append(chosen[np.abs(channel[:, None] - chosen[None]).argmin(axis=1)])
    dequantized = np.array(quantized, f32) * (largest + f32(1e-8)) + mean
    return {
        "name": name,
        "after_relu": after_relu,
        "values": values.tolist(),
        "points": points,
        "dequantized": dequantized.tolist(),
    }


def weights(bits, kernels):
    """One kernel a row: an asymmetric uniform grid between its least and greatest weight."""
    kernels = kernels.astype(f32)
    least, greatest = kernels.min(axis=1, keepdims=True), kernels.max(axis=1, keepdims=True)
    interval = (greatest - least) / f32(2**bits - 1)
    zero_point = np.rint(least / interval)
    codes = np.clip(np.rint(kernels / interval) - zero_point, 0, 2**bits - 1)
    return {"bits": bits, "kernels": kernels.tolist(), "dequantized": ((codes + zero_point) * interval).tolist()}


relu = np.maximum(random.normal(size=(3, 20)) * [[0.1], [3], [40]], 0)
skewed = random.gamma(2, size=(3, 20)) * [[0.02], [1], [9]] - [[0.03], [5], [-2]]
kernels = random.normal(size=(3, 9)) * [[0.01], [0.2], [1]] + [[0], [0.1], [-0.4]]
golden = {
    "universal_sets": {sets: universal_set(sets) for sets in (2, 3, 4)},
    "activations": [
        activations("after a ReLU, 2 bits", relu, True, 4, 4),
        activations("after a ReLU, 4 bits", relu, True, 4, 16),
        activations("after no ReLU, 2 bits", skewed, False, 4, 4),
        activations("after no ReLU, 3 bits", skewed, False, 3, 8),
    ],
    "weights": [weights(bits, kernels) for bits in (2, 3, 4, 6, 8)],
}
print(json.dumps(golden))
