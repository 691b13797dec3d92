"""Which of today's super-resolution architectures open, what runs them, and how near they come to onnxruntime.

Exports networks of random weights with torch, by either of its exporters, and enlarges a picture with each:

    pip install torch spandrel onnx onnxruntime onnxscript pillow
    DFSQ=target/release/dfsq python benches/architectures.py [FOLDER] [NAME ...]

FOLDER keeps the networks. Prints a table in Markdown: architecture, exporter, what runs it, levels of 255 that the output is off
at most, and why a network is refused.
"""

import json
import os
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from PIL import Image
from torch import nn

warnings.filterwarnings("ignore")
SIZE = 48


def spandrel(module, name, **options):
    """An architecture of spandrel's, small where options make it so."""

    def make():
        package = __import__(f"spandrel.architectures.{module}.__arch", fromlist=["_"])
        folder = Path(package.__path__[0])
        for file in sorted(folder.glob("*.py")):
            found = getattr(__import__(f"{package.__name__}.{file.stem}", fromlist=["_"]), name, None)
            if found is not None and found.__module__.endswith(file.stem):
                return found(**options)
        raise LookupError(f"{module} has no {name}")

    return make


class Espcn(nn.Sequential):
    def __init__(self):
        super().__init__(
            nn.Conv2d(3, 64, 5, padding=2), nn.Tanh(), nn.Conv2d(64, 32, 3, padding=1), nn.Tanh(),
            nn.Conv2d(32, 12, 3, padding=1), nn.PixelShuffle(2),
        )


class Fsrcnn(nn.Sequential):
    def __init__(self):
        layers = [nn.Conv2d(3, 56, 5, padding=2), nn.PReLU(56), nn.Conv2d(56, 12, 1), nn.PReLU(12)]
        for _ in range(4):
            layers += [nn.Conv2d(12, 12, 3, padding=1), nn.PReLU(12)]
        layers += [nn.Conv2d(12, 56, 1), nn.PReLU(56)]
        super().__init__(*layers, nn.ConvTranspose2d(56, 3, 9, stride=2, padding=4, output_padding=1))


class SrResNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.head = nn.Sequential(nn.Conv2d(3, 32, 9, padding=4), nn.PReLU())
        block = lambda: nn.Sequential(
            nn.Conv2d(32, 32, 3, padding=1), nn.BatchNorm2d(32), nn.PReLU(), nn.Conv2d(32, 32, 3, padding=1), nn.BatchNorm2d(32)
        )
        self.blocks = nn.ModuleList(block() for _ in range(4))
        self.up = nn.Sequential(nn.Conv2d(32, 128, 3, padding=1), nn.PixelShuffle(2), nn.PReLU(), nn.Conv2d(32, 3, 9, padding=4))

    def forward(self, x):
        first = y = self.head(x)
        for block in self.blocks:
            y = y + block(y)
        return self.up(first + y)


class Imdn(nn.Module):
    """Information distillation: a quarter of the channels of each convolution is kept, the rest goes on."""

    def __init__(self, features=32, blocks=3):
        super().__init__()
        kept = features // 4
        rest = features - kept
        conv = lambda i, o, k=3: nn.Conv2d(i, o, k, padding=k // 2)
        block = lambda: nn.ModuleDict({
            "first": conv(features, features), "second": conv(rest, features), "third": conv(rest, features), "fourth": conv(rest, kept),
            "squeeze": conv(features, features // 4, 1), "excite": conv(features // 4, features, 1), "last": conv(features, features, 1),
        })
        self.kept, self.rest, self.act = kept, rest, nn.LeakyReLU(0.05)
        self.head, self.blocks = conv(3, features), nn.ModuleList(block() for _ in range(blocks))
        self.fuse = conv(features * blocks, features, 1)
        self.up = nn.Sequential(conv(features, 12), nn.PixelShuffle(2))

    def forward(self, x):
        first = y = self.head(x)
        made = []
        for block in self.blocks:
            kept, rest = [], y
            for name in ("first", "second", "third"):
                part, rest = torch.split(self.act(block[name](rest)), (self.kept, self.rest), dim=1)
                kept.append(part)
            z = torch.cat([*kept, block["fourth"](rest)], 1)
            spread = (z - z.mean((2, 3), keepdim=True)).pow(2).mean((2, 3), keepdim=True).sqrt() + z.mean((2, 3), keepdim=True)
            z = z * torch.sigmoid(block["excite"](torch.relu(block["squeeze"](spread))))
            y = block["last"](z) + y
            made.append(y)
        return self.up(self.fuse(torch.cat(made, 1)) + first)


def conv(inputs, outputs, side=3, **options):
    return nn.Conv2d(inputs, outputs, side, padding=side // 2, **options)


class Attention(nn.Module):
    """Enhanced spatial attention: a map made of far fewer pixels, enlarged to the size of what it weighs."""

    def __init__(self, features, inner=16, make=conv):
        super().__init__()
        self.enter, self.skip, self.leave = conv(features, inner, 1), conv(inner, inner, 1), conv(inner, features, 1)
        self.fewer, self.few = nn.Conv2d(inner, inner, 3, stride=2), make(inner, inner)

    def forward(self, x):
        entered = self.enter(x)
        few = self.few(nn.functional.max_pool2d(self.fewer(entered), 7, 3))
        large = nn.functional.interpolate(few, (x.size(2), x.size(3)), mode="bilinear", align_corners=False)
        return x * torch.sigmoid(self.leave(large + self.skip(entered)))


def separable(inputs, outputs, side=3):
    """Blueprint separable: a pixel's channels first, then each channel's pixels."""
    return nn.Sequential(nn.Conv2d(inputs, outputs, 1, bias=False), conv(outputs, outputs, side, groups=outputs))


class Distilling(nn.Module):
    """RFDN's block, and BSRN's with separable convolutions and a weight for each channel by its contrast."""

    def __init__(self, features, make=conv, contrast=False):
        super().__init__()
        kept = features // 2
        self.kept = nn.ModuleList(conv(features, kept, 1) for _ in range(3))
        self.rest = nn.ModuleList(make(features, features) for _ in range(3))
        self.last, self.fuse = make(features, kept), conv(4 * kept, features, 1)
        self.attention, self.contrast = Attention(features, make=make), contrast
        self.act = nn.GELU() if contrast else nn.LeakyReLU(0.05)
        if contrast:
            self.weigh = nn.Sequential(conv(features, features // 4, 1), nn.ReLU(), conv(features // 4, features, 1), nn.Sigmoid())

    def forward(self, x):
        made, y = [], x
        for kept, rest in zip(self.kept, self.rest):
            made.append(self.act(kept(y)))
            y = self.act(rest(y) + y)
        y = self.attention(self.fuse(torch.cat([*made, self.act(self.last(y))], 1)))
        if self.contrast:
            mean = y.mean((2, 3), keepdim=True)
            y = y * self.weigh((y - mean).pow(2).mean((2, 3), keepdim=True).sqrt() + mean)
        return y + x


class Residual(nn.Module):
    """RLFN's block: three convolutions, and the attention."""

    def __init__(self, features):
        super().__init__()
        self.convs, self.act = nn.ModuleList(conv(features, features) for _ in range(3)), nn.LeakyReLU(0.05)
        self.fuse, self.attention = conv(features, features, 1), Attention(features)

    def forward(self, x):
        y = x
        for one in self.convs:
            y = self.act(one(y))
        return self.attention(self.fuse(y + x))


class Blocks(nn.Module):
    """Blocks between a first and a last convolution, whose results may be joined before the last."""

    def __init__(self, block, joined=True, features=32, count=3):
        super().__init__()
        self.head, self.blocks = conv(3, features), nn.ModuleList(block(features) for _ in range(count))
        self.joined, self.fuse = joined, nn.Sequential(conv(features * count if joined else features, features, 1), nn.LeakyReLU(0.05))
        self.body, self.up = conv(features, features), nn.Sequential(conv(features, 12), nn.PixelShuffle(2))

    def forward(self, x):
        first = y = self.head(x)
        made = []
        for block in self.blocks:
            y = block(y)
            made.append(y)
        return self.up(self.body(self.fuse(torch.cat(made, 1) if self.joined else y)) + first)


class Cascade(nn.Module):
    """CARN-M's block: grouped convolutions, each result joined with those before."""

    def __init__(self, features, groups=4):
        super().__init__()
        self.units = nn.ModuleList(
            nn.ModuleList((conv(features, features, groups=groups), conv(features, features, groups=groups), conv(features, features, 1)))
            for _ in range(3)
        )
        self.joins = nn.ModuleList(conv(features * (at + 2), features, 1) for at in range(3))

    def forward(self, x):
        y, made = x, [x]
        for (first, second, third), join in zip(self.units, self.joins):
            made.append(torch.relu(third(torch.relu(second(torch.relu(first(y))))) + y))
            y = torch.relu(join(torch.cat(made, 1)))
        return y


class Ecbsr(nn.Module):
    """As it is deployed: plain convolutions, and the picture repeated below what they make."""

    def __init__(self):
        super().__init__()
        self.convs = nn.ModuleList([conv(3, 16), *(conv(16, 16) for _ in range(4))])
        self.acts, self.last = nn.ModuleList(nn.PReLU(16) for _ in range(5)), conv(16, 12)

    def forward(self, x):
        y = x
        for one, act in zip(self.convs, self.acts):
            y = act(one(y))
        y = self.last(y) + torch.cat([x[:, at // 4 : at // 4 + 1] for at in range(12)], 1)
        rows, columns = y.shape[2], y.shape[3]
        return y.view(-1, 3, 2, 2, rows, columns).permute(0, 1, 4, 2, 5, 3).reshape(-1, 3, rows * 2, columns * 2)


ARCHITECTURES = {
    "ESPCN": Espcn,
    "FSRCNN": Fsrcnn,
    "SRResNet": SrResNet,
    "IMDN": Imdn,
    "RFDN": lambda: Blocks(Distilling),
    "RLFN": lambda: Blocks(Residual, joined=False),
    "BSRN": lambda: Blocks(lambda features: Distilling(features, separable, contrast=True)),
    "CARN-M": lambda: Blocks(Cascade),
    "ECBSR": Ecbsr,
    "SRVGG": spandrel("Compact", "SRVGGNetCompact", num_feat=32, num_conv=6, upscale=2),
    "RRDB": spandrel("ESRGAN", "RRDBNet", num_filters=32, num_blocks=2, scale=4),
    "Real-ESRGAN x2": spandrel("ESRGAN", "RRDBNet", num_filters=32, num_blocks=2, in_nc=12, scale=4, shuffle_factor=2),
    "RealCUGAN": spandrel("RealCUGAN", "UpCunet2x"),
    "RealCUGAN fast": spandrel("RealCUGAN", "UpCunet2x_fast"),
    "SwiftSRGAN": spandrel("SwiftSRGAN", "Generator"),
    "SPAN": spandrel("SPAN", "SPAN", num_in_ch=3, num_out_ch=3, upscale=2),
    "SAFMN": spandrel("SAFMN", "SAFMN", dim=36, n_blocks=4, upscaling_factor=2),
    "PLKSR": spandrel("PLKSR", "PLKSR", dim=32, n_blocks=4, upscaling_factor=2),
    "NAFNet": spandrel("NAFNet", "NAFNet", width=16, middle_blk_num=1, enc_blk_nums=[1, 1], dec_blk_nums=[1, 1]),
    "RCAN": spandrel("RCAN", "RCAN", scale=2, n_resgroups=2, n_resblocks=2, n_feats=32),
    "MoSR": spandrel("MoSR", "MoSR", upscale=2, n_block=4, dim=32),
    "DITN": spandrel("DITN", "DITN_Real", upscale=2),
    "DCTLSA": spandrel("DCTLSA", "DCTLSA", upscale=2, num_modules=2),
    "OmniSR": spandrel("OmniSR", "OmniSR", num_feat=32, res_num=1, up_scale=2),
    "SwinIR": spandrel("SwinIR", "SwinIR", upscale=2, img_size=48, window_size=8, embed_dim=24, depths=(2, 2), num_heads=(2, 2), mlp_ratio=2, upsampler="pixelshuffledirect"),
    "Swin2SR": spandrel("Swin2SR", "Swin2SR", upscale=2, img_size=48, window_size=8, embed_dim=24, depths=(2, 2), num_heads=(2, 2), mlp_ratio=2, upsampler="pixelshuffledirect"),
    "HAT": spandrel("HAT", "HAT", upscale=2, img_size=48, window_size=16, embed_dim=24, depths=(2,), num_heads=(2,), upsampler="pixelshuffle", compress_ratio=3, squeeze_factor=6),
    "DAT": spandrel("DAT", "DAT", upscale=2, img_size=48, embed_dim=64, depth=[2], num_heads=[2], split_size=[8, 16], upsampler="pixelshuffledirect"),
    "ATD": spandrel("ATD", "ATD", upscale=2, img_size=48, embed_dim=24, depths=(2,), num_heads=(2,), window_size=8, num_tokens=16, upsampler="pixelshuffledirect"),
    "DRCT": spandrel("DRCT", "DRCT", upscale=2, img_size=48, embed_dim=24, depths=(2,), num_heads=(2,), window_size=8, gc=8, upsampler="pixelshuffle"),
    "RGT": spandrel("RGT", "RGT", upscale=2, img_size=48, embed_dim=64, depth=[2], num_heads=[2], split_size=[8, 8]),
    "CRAFT": spandrel("CRAFT", "CRAFT", upscale=2, embed_dim=64, depths=(2,), num_heads=(2,), window_size=16),
    "SCUNet": spandrel("SCUNet", "SCUNet", config=[1, 1, 1, 1, 1, 1, 1], dim=32),
    "SeemoRe": spandrel("SeemoRe", "SeemoRe", scale=2),
    "MoESR": spandrel("MoESR", "MoESR"),
    "FDAT": spandrel("FDAT", "FDAT", scale=2, embed_dim=24, num_groups=1),
}


def export(name, exporter, file):
    torch.manual_seed(1)
    network = ARCHITECTURES[name]().eval()
    example = torch.rand(1, 3, SIZE, SIZE)
    with torch.no_grad():
        if exporter == "TorchScript":
            axes = {"x": {2: "h", 3: "w"}, "y": {2: "H", 3: "W"}}
            torch.onnx.export(
                network, example, file, dynamo=False, opset_version=17, input_names=["x"], output_names=["y"], dynamic_axes=axes
            )
        else:
            program = torch.onnx.export(network, (example,), dynamo=True, verbose=False)
            program.save(file, external_data=False)


def row(name, exporter, folder, program, picture):
    file = folder / f"{name.replace(' ', '_')}-{exporter}.onnx"
    if not file.exists():
        try:
            export(name, exporter, str(file))
        except Exception as error:
            return f"not exported: {str(error).splitlines()[0][:90]}" if str(error) else f"not exported: {type(error).__name__}", None
    stated = ["--input-range", "0..1", "--output-range", "0..1"]
    told = subprocess.run([program, "inspect", file, *stated, "--json"], capture_output=True, text=True, timeout=300)
    if told.returncode:
        return "refused: " + told.stderr.strip().split("cannot use this network: ")[-1][:110], False
    info = json.loads(told.stdout)
    engine = f"tract: {info['lacking']}" if info["lacking"] else "native"
    done = folder / "out.png"
    run = [program, "upscale", file, folder / "in.png", "-o", done, "--force", "--method", "fp32", *stated]
    made = subprocess.run(run, capture_output=True, text=True, timeout=600)
    if made.returncode:
        return "fails: " + made.stderr.strip()[-110:], False
    try:
        session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
        right = session.run(None, {session.get_inputs()[0].name: picture})[0][0].transpose(1, 2, 0)
    except Exception as error:
        return f"{engine}; onnxruntime fails: {str(error).splitlines()[0][:90]}", None
    right = np.clip(np.rint(right * 255), 0, 255)
    ours = np.asarray(Image.open(done).convert("RGB")).astype(float)
    if ours.shape != right.shape:
        return f"{engine}; {ours.shape} and not {right.shape}", False
    off = int(np.abs(ours - right).max())
    return f"{engine} | {off}", off <= 1


def picture_of(folder):
    """A smooth picture of random colours."""
    random = np.random.default_rng(1)
    smooth = Image.fromarray(random.integers(0, 256, (12, 12, 3), dtype=np.uint8)).resize((SIZE, SIZE), Image.BICUBIC)
    smooth.save(folder / "in.png")
    return (np.asarray(smooth).astype(np.float32) / 255).transpose(2, 0, 1)[None]


def main():
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "architectures")
    folder.mkdir(parents=True, exist_ok=True)
    if sys.argv[2:3] == ["--row"]:
        onnxruntime.set_default_logger_severity(4)
        program = os.environ.get("DFSQ", "target/release/dfsq")
        print(json.dumps(row(*sys.argv[3:5], folder, program, picture_of(folder))))
        return
    print("| architecture | exporter | runs on | levels off |\n|---|---|---|---|")
    count = {True: 0, False: 0, None: 0}
    for name in sys.argv[2:] or ARCHITECTURES:
        for exporter in ("TorchScript", "dynamo"):
            # In a process of its own: exporters have been seen to crash.
            made = subprocess.run([sys.executable, __file__, folder, "--row", name, exporter], capture_output=True, text=True)
            last = made.stdout.strip().splitlines()[-1:]
            said, good = json.loads(last[0]) if last and made.returncode == 0 else ("not exported: the exporter crashed", None)
            count[good] += 1
            print(f"| {name} | {exporter} | {said} |", flush=True)
    print(f"\n{count[True]} of {count[True] + count[False]} open and equal onnxruntime within 1 level; {count[None]} could not be had.")


if __name__ == "__main__":
    main()
