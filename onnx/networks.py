"""EDSR and RDN in PyTorch, with the parameter names of their published implementations.

Input and output: f32 [N, 3, H, W] and [N, 3, scale*H, scale*W], RGB in 0..1. A state dict of these modules and one of
the published networks of the same shape can be loaded into each other; ours carry a mean shift in both architectures.
"""

import torch
from torch import nn
from torch.nn import functional as F

MEAN = 0.45


class MeanShift(nn.Conv2d):
    """Adds a constant: a frozen 1x1 convolution, as in the published EDSR."""

    def __init__(self, shift):
        super().__init__(3, 3, kernel_size=1)
        self.weight.data = torch.eye(3).view(3, 3, 1, 1)
        self.bias.data = torch.full((3,), float(shift))
        self.requires_grad_(False)


def conv(inputs, outputs, size=3):
    return nn.Conv2d(inputs, outputs, size, padding=size // 2)


def upsampler(features, scale):
    """A convolution and a pixel shuffle for each doubling."""
    layers = []
    for _ in range({2: 1, 4: 2}[scale]):
        layers += [conv(features, 4 * features), nn.PixelShuffle(2)]
    return layers


class ResidualBlock(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.body = nn.Sequential(conv(features, features), nn.ReLU(inplace=True), conv(features, features))

    def forward(self, x):
        return x + self.body(x)


class EDSR(nn.Module):
    """EDSR-baseline: 16 blocks of 64 features, no residual scaling (Lim et al., 2017)."""

    def __init__(self, scale, blocks=16, features=64):
        super().__init__()
        self.sub_mean = MeanShift(-MEAN)
        self.add_mean = MeanShift(MEAN)
        self.head = nn.Sequential(conv(3, features))
        self.body = nn.Sequential(*(ResidualBlock(features) for _ in range(blocks)), conv(features, features))
        self.tail = nn.Sequential(nn.Sequential(*upsampler(features, scale)), conv(features, 3))

    def forward(self, x):
        # The skip connections stay in f32 when the convolutions run in bfloat16.
        x = self.head(self.sub_mean(x)).float()
        x = self.body(x) + x
        return self.add_mean(self.tail(x)).float()


class DenseConv(nn.Module):
    def __init__(self, inputs, growth):
        super().__init__()
        self.conv = nn.Sequential(conv(inputs, growth), nn.ReLU(inplace=True))

    def forward(self, x):
        return torch.cat((x, self.conv(x)), dim=1)


class ResidualDenseBlock(nn.Module):
    def __init__(self, features, growth, depth):
        super().__init__()
        self.convs = nn.Sequential(*(DenseConv(features + i * growth, growth) for i in range(depth)))
        self.LFF = conv(features + depth * growth, features, size=1)

    def forward(self, x):
        return self.LFF(self.convs(x)) + x


class RDN(nn.Module):
    """RDN (Zhang et al., 2018): `blocks` is D, `depth` C, `growth` G and `features` G0.

    The upsampler has G0 features, where the published code goes on with G: the same in configuration B only.

    The default is ours, small enough for a page; the paper's networks are (20, 6, 32, 64) "A" and (16, 8, 64, 64) "B".
    """

    def __init__(self, scale, blocks=6, depth=4, growth=32, features=64):
        super().__init__()
        self.sub_mean = MeanShift(-MEAN)
        self.add_mean = MeanShift(MEAN)
        self.SFENet1 = conv(3, features)
        self.SFENet2 = conv(features, features)
        self.RDBs = nn.ModuleList(ResidualDenseBlock(features, growth, depth) for _ in range(blocks))
        self.GFF = nn.Sequential(conv(blocks * features, features, size=1), conv(features, features))
        self.UPNet = nn.Sequential(*upsampler(features, scale), conv(features, 3))

    def forward(self, x):
        shallow = self.SFENet1(self.sub_mean(x)).float()
        x = self.SFENet2(shallow).float()
        outputs = []
        for block in self.RDBs:
            x = block(x)
            outputs.append(x)
        x = self.GFF(torch.cat(outputs, dim=1)) + shallow
        return self.add_mean(self.UPNet(x)).float()


def build(architecture, scale):
    """The network called `architecture`: "edsr", "rdn", or the paper's "rdn-a" and "rdn-b"."""
    match architecture:
        case "edsr":
            return EDSR(scale)
        case "rdn":
            return RDN(scale)
        case "rdn-a":
            return RDN(scale, blocks=20, depth=6, growth=32)
        case "rdn-b":
            return RDN(scale, blocks=16, depth=8, growth=64)
    raise ValueError(f"unknown architecture {architecture!r}")
