#!/usr/bin/env bash
# Scores the bundled samples in parts, by GNU parallel and as a Slurm array does, and compares with the whole.
# tests/parallel.sh DFSQ
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
PATH=$(dirname "$(realpath "$1")"):$PATH
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
eval=(eval onnx/edsr_x2.onnx --hr www/samples --method min-max --weight-bits 4 --activation-bits 4 --json)

dfsq "${eval[@]}" >"$out/whole"
mkdir "$out/parallel"
parallel --will-cite -j 2 dfsq "${eval[@]}" --shard {}/3 --results "$out/parallel/{}.json" ::: 1 2 3 >/dev/null
for task in 1 2 3; do
  SLURM_ARRAY_TASK_ID=$task PARTS=3 SLURM_CPUS_PER_TASK=1 \
    bash docs/eval-array.sbatch onnx/edsr_x2.onnx www/samples min-max 4 "$out/slurm"
done
for way in parallel slurm; do
  dfsq merge --json "$out/$way"/*.json >"$out/merged"
  python3 - "$out/whole" "$out/merged" <<'PYTHON'
import json, sys

whole, merged = (json.load(open(path)) for path in sys.argv[1:])
for report in whole, merged:
    del report["seconds"]
assert whole == merged, f"{merged} is not {whole}"
PYTHON
done
echo "parts of a folder merge to the whole: GNU parallel and Slurm's array"
