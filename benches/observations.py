"""The paper's two observations in numbers: by what factor ranges of channels, and of one channel's images, differ.

    dfsq report onnx/edsr_x2.onnx --images FOLDER --limit 24 -o report && observations.py report/distributions.csv

Of each layer: the widest channel's range (largest minus smallest value) over the narrowest's, in the median image; and of
each channel: its widest image's over its narrowest's, in the median channel. Channels that are 0 in some image are left out.
"""

import csv
import statistics
import sys
from collections import defaultdict

ranges = defaultdict(lambda: defaultdict(dict))
with open(sys.argv[1], newline="") as file:
    for row in csv.DictReader(file):
        width = float(row["maximum"]) - float(row["minimum"])
        ranges[row["layer"]][row["channel"]][row["image"]] = width

channels, images = [], []
for layer, by_channel in ranges.items():
    alive = [of for of in by_channel.values() if min(of.values()) > 0]
    names = list(alive[0])
    ratios = [max(of[name] for of in alive) / min(of[name] for of in alive) for name in names]
    channels.append((statistics.median(ratios), layer))
    images.append((statistics.median(max(of.values()) / min(of.values()) for of in alive), layer))

for what, found in (("channels", channels), ("images", images)):
    least, most = min(found), max(found)
    print(f"{what}: median layer {statistics.median(ratio for ratio, _ in found):.1f}, least {least[0]:.1f} ({least[1]}), most {most[0]:.1f} ({most[1]})")
