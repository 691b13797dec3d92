"""Train EDSR or RDN from scratch.

    train.py edsr 2 --data BSDS500/train BSDS500/test T91 --checks Set5 --minutes 60 -o runs/edsr_x2

The folder given by -o receives `checkpoint.pt` (everything that a resumed run needs, written at every check),
`best.pt` (the state dict with the best PSNR on the validation images, either the weights themselves or their running
average) and `log.csv`. Starting the same command again resumes. Every 20th training image, and no benchmark image, is
held out for validation. Runs on a GPU where there is one; convolutions in bfloat16 where the processor has it.
"""

import argparse
import copy
import csv
import itertools
import math
import pathlib
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import onnx
import torch
from PIL import Image
from torch.nn import functional as F

import convert
import networks

HELD_OUT = 20  # every HELD_OUT-th image is for validation
AVERAGING = 0.999  # decay of the running average of the weights
REDUCED = [0.9, 0.8, 0.7, 0.6]  # training images are seen at these sizes too
LOSSES = {"l1": F.l1_loss, "l2": F.mse_loss}
SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp"}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("architecture", choices=["edsr", "rdn", "rdn-a", "rdn-b"])
    parser.add_argument("scale", type=int, choices=[2, 4])
    parser.add_argument("--data", type=pathlib.Path, nargs="+", required=True, help="folders of training images")
    parser.add_argument("--checks", type=pathlib.Path, help="folder of benchmark images, scored but never chosen by")
    parser.add_argument("-o", "--out", type=pathlib.Path, required=True, help="folder of the run")
    parser.add_argument("--init", type=pathlib.Path, help="state dict or ONNX network of convert.py to start from; parameters of other shapes are left")
    budget = parser.add_mutually_exclusive_group(required=True)
    budget.add_argument("--minutes", type=float, help="budget of training time, over all resumed runs")
    budget.add_argument("--steps", type=int, help="budget of steps")
    parser.add_argument("--batch", type=int, default=16, help="patches per step")
    parser.add_argument("--patch", type=int, default=32, help="low-resolution pixels along a patch's side")
    parser.add_argument("--loss", choices=LOSSES, default="l1", help="l2 is what PSNR measures, for the end of a training")
    parser.add_argument("--rate", type=float, default=5e-4, help="highest learning rate")
    parser.add_argument("--warm-up", type=int, default=250, help="steps to the highest learning rate")
    parser.add_argument("--check-every", type=float, default=4, help="minutes between checks")
    parser.add_argument("--threads", type=int, help="processor threads (default: all)")
    parser.add_argument("--workers", type=int, default=0, help="processes that cut patches ahead of the steps (default: none; a GPU needs some)")
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def pair(path, scale, size=1):
    """One image, `size` times as large, cut to a multiple of `scale`, and its bicubic reduction: u8 [h, w, 3] and [h*scale, w*scale, 3]."""
    image = Image.open(path).convert("RGB")
    if size != 1:
        image = image.resize([round(side * size) for side in image.size], Image.Resampling.BICUBIC)
    width, height = (side - side % scale for side in image.size)
    high = image.crop((0, 0, width, height))
    low = high.resize((width // scale, height // scale), Image.Resampling.BICUBIC)
    return np.array(low), np.array(high)


def images_in(folders):
    return [path for folder in folders for path in sorted(folder.rglob("*")) if path.suffix.lower() in SUFFIXES]


class Batches(torch.utils.data.Dataset):
    """By number of step: random patches, turned, mirrored, their colours permuted, u8 [n, h, w, 3] in low and in high
    resolution; the same for the same seed and step, so that resuming repeats nothing."""

    def __init__(self, pairs, options):
        self.pairs, self.options = pairs, options

    def __getitem__(self, step):
        rng = np.random.default_rng([self.options.seed, step])
        side, scale = self.options.patch, self.options.scale
        lows, highs = [], []
        for _ in range(self.options.batch):
            low, high = self.pairs[rng.integers(len(self.pairs))]
            top, left = rng.integers(low.shape[0] - side + 1), rng.integers(low.shape[1] - side + 1)
            low = low[top : top + side, left : left + side]
            high = high[top * scale : (top + side) * scale, left * scale : (left + side) * scale]
            turns, mirror = rng.integers(4), rng.integers(2)
            colours = rng.permutation(3) if rng.integers(2) else slice(None)
            for patch, into in ((low, lows), (high, highs)):
                patch = np.rot90(patch[:, :, colours], turns)
                into.append(patch[:, ::-1] if mirror else patch)
        return np.stack(lows), np.stack(highs)


def to_tensor(images, device):
    """u8 [n, h, w, 3] to f32 [n, 3, h, w] in 0..1, its channels last in memory."""
    return torch.as_tensor(images).to(device, non_blocking=True).permute(0, 3, 1, 2).float().div_(255)


def luma(image):
    """BT.601 Y in 16..235 of u8 RGB [h, w, 3]."""
    return 16 + image.astype(np.float64) @ (np.array([65.481, 128.553, 24.966]) / 255)


@torch.no_grad()
@torch.backends.cudnn.flags(enabled=True, benchmark=False)  # every image has another size
def psnr_y(network, pairs, scale, device):
    """Mean PSNR in dB on Y, without a border of `scale` pixels."""
    scores = []
    for low, high in pairs:
        output = network(to_tensor(low[None], device)).clamp(0, 1).mul(255).round()
        difference = luma(output[0].cpu().numpy().transpose(1, 2, 0)) - luma(high)
        scores.append(10 * math.log10(255**2 / np.mean(difference[scale:-scale, scale:-scale] ** 2)))
    return float(np.mean(scores))


def parameters(path, like):
    """The parameters in a state dict or an ONNX network; `like` is the state dict of a network of the latter's architecture."""
    if path.suffix != ".onnx":
        return torch.load(path, map_location="cpu", weights_only=True)
    found = convert.restore(onnx.load(path), {key: value.numpy() for key, value in like.items()})
    return {key: torch.from_numpy(value) for key, value in found.items()}


class Run:
    """What a checkpoint holds: the network, its running average, the optimizer and the progress made."""

    def __init__(self, options, device):
        self.network = networks.build(options.architecture, options.scale)
        if options.init:
            ours = self.network.state_dict()
            given = parameters(options.init, ours)
            fitting = {key: value for key, value in given.items() if key in ours and ours[key].shape == value.shape}
            print(f"{len(fitting)} of {len(ours)} parameters from {options.init}")
            self.network.load_state_dict(fitting, strict=False)
        self.network.to(device, memory_format=torch.channels_last)
        self.average = copy.deepcopy(self.network)
        trained = [parameter for parameter in self.network.parameters() if parameter.requires_grad]
        self.optimizer = torch.optim.Adam(trained, lr=options.rate, betas=(0.9, 0.99))
        self.step, self.seconds, self.best = 0, 0.0, 0.0

    def save(self, path):
        state = {
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "progress": (self.step, self.seconds, self.best),
        }
        partial = path.with_suffix(".part")
        torch.save(state, partial)
        partial.replace(path)

    def load(self, path, device):
        state = torch.load(path, map_location=device, weights_only=True)
        self.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step, self.seconds, self.best = state["progress"]

    def take_step(self, low, high, loss_of, rate, precision):
        """One update; returns the loss of the batch, on the device."""
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        with precision:
            output = self.network(low)
        loss = loss_of(output, high)
        self.optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 0.5)
        self.optimizer.step()
        self.step += 1
        decay = min(AVERAGING, 1 - 1 / (self.step + 1))
        with torch.no_grad():
            for kept, new in zip(self.average.parameters(), self.network.parameters()):
                kept.lerp_(new, 1 - decay)
        return loss.detach()


def has_bfloat16(device):
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported()
    return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()


def main():
    options = arguments()
    if options.threads:
        torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = torch.backends.cudnn.benchmark = True
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    precision = torch.autocast(device.type, dtype=torch.bfloat16, enabled=has_bfloat16(device))

    paths = images_in(options.data)
    kept = [path for index, path in enumerate(paths) if index % HELD_OUT]
    with ThreadPoolExecutor() as pool:
        training = list(pool.map(lambda given: pair(given[0], options.scale, given[1]), itertools.product(kept, [1, *REDUCED])))
    training = [both for both in training if min(both[0].shape[:2]) >= options.patch]
    validation = [pair(path, options.scale) for path in paths[::HELD_OUT]]
    checks = [pair(path, options.scale) for path in images_in([options.checks])] if options.checks else []

    run = Run(options, device)
    count = sum(parameter.numel() for parameter in run.optimizer.param_groups[0]["params"])
    print(f"{options.architecture} x{options.scale}: {count:,} parameters, {len(training)} images to train on,")
    print(f"{len(validation)} to validate on; {device.type}, bfloat16: {has_bfloat16(device)}", flush=True)
    options.out.mkdir(parents=True, exist_ok=True)
    checkpoint = options.out / "checkpoint.pt"
    if checkpoint.exists():
        run.load(checkpoint, device)
        print(f"resumed at step {run.step}")

    def progress():
        return run.step / options.steps if options.steps else run.seconds / (60 * options.minutes)

    def check(loss, rate):
        """Score both sets of weights, keep the better, write the log and the checkpoint."""
        scores = {weights: psnr_y(weights, validation, options.scale, device) for weights in (run.network, run.average)}
        better = max(scores, key=scores.get)
        if scores[better] > run.best:
            run.best = scores[better]
            torch.save(better.state_dict(), options.out / "best.pt")
        benchmark = psnr_y(better, checks, options.scale, device) if checks else math.nan
        row = [run.step, round(run.seconds), loss, rate, *scores.values(), benchmark]
        with (options.out / "log.csv").open("a", newline="") as file:
            writer = csv.writer(file)
            if file.tell() == 0:
                writer.writerow(["step", "seconds", "loss", "rate", "validation", "validation_average", "benchmark"])
            writer.writerow(row)
        run.save(checkpoint)
        print(
            f"{progress():6.1%} {run.seconds:6.0f} s step {run.step} {options.loss} {loss:.3g} rate {rate:.1e} validation "
            f"{row[4]:.3f} average {row[5]:.3f} benchmark {benchmark:.3f} dB",
            flush=True,
        )

    batches = torch.utils.data.DataLoader(
        Batches(training, options),
        batch_size=None,
        sampler=itertools.count(run.step),
        num_workers=options.workers,
        pin_memory=device.type == "cuda",
    )
    losses, rate, next_check = [], 0.0, run.seconds + 60 * options.check_every
    started = time.monotonic()
    for low, high in batches:
        if progress() >= 1:
            break
        rate = options.rate * min(1, (run.step + 1) / options.warm_up)
        rate *= 0.005 + 0.995 * 0.5 * (1 + math.cos(math.pi * progress()))
        losses.append(run.take_step(to_tensor(low, device), to_tensor(high, device), LOSSES[options.loss], rate, precision))
        run.seconds += time.monotonic() - started
        if run.seconds >= next_check and progress() < 1:
            check(torch.stack(losses).mean().item(), rate)
            losses, next_check = [], run.seconds + 60 * options.check_every
        started = time.monotonic()
    if losses:
        check(torch.stack(losses).mean().item(), rate)


if __name__ == "__main__":
    main()
