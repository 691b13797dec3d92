"""Make the shipped files of this folder from trained checkpoints, and score them with the command-line program.

    publish.py export RUNS --images BSDS500/train      # RUNS/edsr_x2/best.pt ... -> *.onnx, *.calibration, *.optimized, models.json
    publish.py learn --images BSDS500/train            # *.onnx -> *.calibration and *.optimized again, without the checkpoints
    publish.py score --set5 Set5 --kodak Kodak24 --images BSDS500/train    # shipped files -> scores in models.json,
                                                       # tables in README.md; images for bit widths that are not shipped
    publish.py curves RUNS                             # RUNS/*/log.csv -> curves.svg

Set5 is a folder with image_SRF_2 and image_SRF_4, each holding *_HR.png and *_LR.png; of each photograph of Kodak24 the
middle 256 x 256 is scored. DFSQ names the program (default: ../target/release/dfsq).
"""

import argparse
import csv
import hashlib
import json
import os
import pathlib
import subprocess
import tempfile

HERE = pathlib.Path(__file__).parent
DFSQ = os.environ.get("DFSQ", HERE.parent / "target/release/dfsq")
NETWORKS = {"edsr_x2": "EDSR ×2", "rdn_x2": "RDN ×2", "edsr_x4": "EDSR ×4", "rdn_x4": "RDN ×4"}
PROPERTIES = {"training_data": "BSDS500 train and test, T91", "licence": "MIT OR Apache-2.0"}
BITS = [8, 6, 4, 3, 2]
# The last has bits of layers where they help, and as many BitOPs.
MIXED = "dfsq-opt mixed"
METHODS = ["min-max", "dfsq", "dfsq-opt", MIXED]
SHIPPED_BITS = [4, 3, 2]
# For the paper's method as many crops as in the paper; more of them help where weights are fitted.
CROPS = 96
BEGIN, END = "<!-- scores -->", "<!-- /scores -->"


def dfsq(*arguments):
    return json.loads(subprocess.check_output([DFSQ, *map(str, arguments), "--json"]))


def listed(name):
    data = (HERE / name).read_bytes()
    return {"file": name, "sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}


def models():
    return json.loads((HERE / "models.json").read_text())


def write(models):
    (HERE / "models.json").write_text(json.dumps(models, indent=2, ensure_ascii=False) + "\n")


def export(options):
    import onnx
    import torch

    import convert

    entries = {entry["id"]: entry for entry in models()["networks"]}
    for key in options.only or NETWORKS:
        name = NETWORKS[key]
        state = torch.load(options.runs / key / "best.pt", map_location="cpu", weights_only=True)
        state = {parameter: value.numpy() for parameter, value in state.items()}
        file = HERE / f"{key}.onnx"
        onnx.save(convert.convert(state, name, half=True, properties=PROPERTIES.items()), file)
        info = dfsq("inspect", file)
        entries[key] = {
            "id": key,
            "name": name,
            "scale": info["convention"]["scale"],
            **listed(file.name),
            "parameters": info["parameters"],
            "macsPerPixel": round(info["macsPerPixel"]),
            **learn_one(file, options.images),
        }
        write({"networks": [entries[key] for key in NETWORKS if key in entries]})


def learn_one(file, images):
    """What is shipped beside a network, for all layers alike and with bits where they help."""
    calibration, optimized = (file.with_suffix(f".{kind}") for kind in ("calibration", "optimized"))
    dfsq("calibrate", file, "--images", images, "-o", calibration, "--force")
    optimize(file, images, SHIPPED_BITS, optimized, "--mixed", ",".join(map(str, SHIPPED_BITS)))
    return {"calibration": listed(calibration.name), "optimized": listed(optimized.name)}


def optimize(file, images, bits, output, *more):
    dfsq("optimize", file, "--images", images, "-o", output, "--force", "--bits", ",".join(map(str, bits)), "--crops", CROPS, *more)


def learn(options):
    data = models()
    for entry in data["networks"]:
        if not options.only or entry["id"] in options.only:
            entry.update(learn_one(HERE / entry["file"], options.images))
            write(data)


def middles(folder, side=256):
    """A temporary folder with the middle of each image."""
    from PIL import Image

    result = tempfile.TemporaryDirectory()
    for path in sorted(folder.rglob("*.png")):
        image = Image.open(path)
        left, top = (image.width - side) // 2, (image.height - side) // 2
        image.crop((left, top, left + side, top + side)).save(pathlib.Path(result.name, path.name))
    return result


def evaluate(key, scale, set5, kodak, *quantization):
    """Mean PSNR on Y in dB of both sets, and of the first to what full precision makes of it."""
    file = HERE / f"{key}.onnx"
    with tempfile.TemporaryDirectory() as folder:
        pairs = []
        for kind in ("HR", "LR"):
            side = pathlib.Path(folder, kind)
            side.mkdir()
            for image in sorted((set5 / f"image_SRF_{scale}").glob(f"*_{kind}.png")):
                (side / image.name).symlink_to(image.resolve())
            pairs += [f"--{kind.lower()}", side]
        five = dfsq("eval", file, *pairs, *quantization, "--to-full")
    result = {"set5": round(five["mean_psnr_y"], 3)}
    if five["mean_psnr_to_full"] is not None:
        result["set5_to_full"] = round(five["mean_psnr_to_full"], 2)
    if kodak:
        result["kodak24"] = round(dfsq("eval", file, "--hr", kodak, *quantization)["mean_psnr_y"], 3)
    if "average_bits" in five:
        result["averageBits"] = {of: round(bits, 2) for of, bits in five["average_bits"].items()}
    print(key, *quantization, result, flush=True)
    return result


def score(options):
    data = models()
    kodak = options.kodak and middles(options.kodak)
    for entry in data["networks"]:
        if options.only and entry["id"] not in options.only:
            continue
        run = [entry["id"], entry["scale"], options.set5, kodak and kodak.name]
        scores = entry.setdefault("scores", {})
        scores.setdefault("fp32", {}).update(evaluate(*run, "--method", "fp32"))
        with tempfile.NamedTemporaryFile(suffix=".optimized") as optimized:
            missing = [bits for bits in options.bits if bits not in SHIPPED_BITS]
            if "dfsq-opt" in options.methods and missing:
                optimize(HERE / entry["file"], options.images, missing, optimized.name)
            for method in options.methods:
                for bits in options.bits:
                    quantization = ["--method", method, "--weight-bits", bits, "--activation-bits", bits]
                    if method == MIXED and bits in missing:
                        continue
                    if method == MIXED:
                        quantization = ["--method", "dfsq-opt", "--mixed", bits]
                    elif method == "dfsq-opt" and bits in missing:
                        quantization += ["--calibration", optimized.name]
                    scores.setdefault(f"{method}-{bits}", {}).update(evaluate(*run, *quantization))
        write(data)
    readme = (HERE / "README.md").read_text()
    before, rest = readme.split(BEGIN)
    after = rest.split(END)[1]
    (HERE / "README.md").write_text(before + BEGIN + "\n" + tables(data) + END + after)


def tables(data):
    lines = []
    titles = {"set5": "Set5, PSNR", "kodak24": "Kodak24, PSNR", "set5_to_full": "Set5, PSNR to the output in full precision,"}
    for key, title in titles.items():
        lines += [f"{title} on Y in dB; bits are those of weights and activations alike, of `{MIXED}` those that would take as many BitOPs:", ""]
        lines += [f"| network | method | {' | '.join(f'{bits} bits' for bits in BITS)} |", "|" + "---|" * (len(BITS) + 2)]
        for entry in data["networks"]:
            scores = entry.get("scores", {})
            text = lambda cell: f"{scores[cell][key]:.2f}" if key in scores.get(cell, {}) else ""
            for method in METHODS:
                full = f", full precision {text('fp32')}" if text("fp32") else ""
                first = f"{entry['name']}{full}" if method == METHODS[0] else ""
                lines.append(f"| {first} | {method} | {' | '.join(text(f'{method}-{bits}') for bits in BITS)} |")
        lines.append("")
    lines += [f"Average bits of weights / of activations in `{MIXED}`, and the bits everywhere that would take as many BitOPs:", ""]
    lines += [f"| network | {' | '.join(f'{bits} bits' for bits in SHIPPED_BITS)} |", "|" + "---|" * (len(SHIPPED_BITS) + 1)]
    for entry in data["networks"]:
        averages = [entry.get("scores", {}).get(f"{MIXED}-{bits}", {}).get("averageBits") for bits in SHIPPED_BITS]
        cells = [f"{of['weights']:.2f} / {of['activations']:.2f}, {of['bitOps']:.2f}" if of else "" for of in averages]
        lines.append(f"| {entry['name']} | {' | '.join(cells)} |")
    return "\n".join([*lines, "", ""])


def curves(options):
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "dfsq"
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
    for key, name in NETWORKS.items():
        with (options.runs / key / "log.csv").open() as file:
            rows = list(csv.DictReader(file))
        steps = [int(row["step"]) for row in rows]
        axes[int("×4" in name)].plot(steps, [float(row["benchmark"]) for row in rows], label=name, marker=".")
    for axis in axes:
        axis.set(xlabel="step", ylabel="Set5, PSNR on Y in dB")
        axis.grid(alpha=0.3)
        axis.legend(loc="lower right")
    figure.savefig(HERE / "curves.svg", metadata={"Date": None})


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    command = commands.add_parser("export")
    command.add_argument("runs", type=pathlib.Path)
    command.add_argument("--images", type=pathlib.Path, required=True)
    command.add_argument("--only", nargs="+", choices=NETWORKS)
    command.set_defaults(run=export)
    command = commands.add_parser("learn")
    command.add_argument("--images", type=pathlib.Path, required=True)
    command.add_argument("--only", nargs="+", choices=NETWORKS)
    command.set_defaults(run=learn)
    command = commands.add_parser("score")
    command.add_argument("--set5", type=pathlib.Path, required=True)
    command.add_argument("--kodak", type=pathlib.Path)
    command.add_argument("--only", nargs="+", choices=NETWORKS)
    command.add_argument("--images", type=pathlib.Path, required=True)
    command.add_argument("--methods", nargs="+", choices=METHODS, default=METHODS, help="keep what is known of the others")
    command.add_argument("--bits", nargs="+", type=int, choices=BITS, default=BITS, help="as --methods")
    command.set_defaults(run=score)
    command = commands.add_parser("curves")
    command.add_argument("runs", type=pathlib.Path)
    command.set_defaults(run=curves)
    options = parser.parse_args()
    options.run(options)


if __name__ == "__main__":
    main()
