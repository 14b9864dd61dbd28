#!/usr/bin/env bash
# All that needs a GPU, in one command: the tests marked gpu, the speed of training, and the published experiment.
#
#     benchmarks/gpu.sh kitti.npz results/ [SECONDS]
#
# What is done is not done again. With SECONDS a training is stopped after as long, and the same command goes on with it.
# DEVICE (cuda), ITERATIONS (300000), SEEDS (0 to 9), STEPS (500) and PYTHON (.venv/bin/python) may be set otherwise.
set -euo pipefail

if [ $# -lt 2 ]; then
  sed -n '2,7s/^# \?//p' "$0"
  exit 2
fi
file=$(realpath -e "$1")
out=$(realpath -m "$2")
seconds=${3:-0}
cd "$(dirname "$(realpath "$0")")/.."
device=${DEVICE:-cuda}
python=${PYTHON:-.venv/bin/python}
mkdir -p "$out"

"$python" - "$device" <<'EOF'
import sys
from datagen.errors import DatagenError
from slowvae.device import describe, find_device
try:
    print(describe(find_device(sys.argv[1])))
except DatagenError as error:
    sys.exit(str(error))
EOF

# once NAME COMMAND...: its output into NAME, if that is not there yet.
once() {
  local name=$1
  shift
  [ -e "$out/$name" ] || { "$@" 2>&1 | tee "$out/$name.part" && mv "$out/$name.part" "$out/$name"; }
}

failed=0
once tests.txt "$python" -m pytest -m gpu -rs tests || failed=1
once speed.txt "$python" benchmarks/bench_slowvae.py "$file" --device "$device" --steps "${STEPS:-500}" || failed=1

for delta in 5 1; do
  run=$out/max-delta-t-$delta
  code=0
  timeout --signal INT --kill-after 60 "$seconds" "$python" -m datagen train "$file" --preset klindt2021 \
    --max-delta-t "$delta" --seeds "${SEEDS:-0,1,2,3,4,5,6,7,8,9}" --iterations "${ITERATIONS:-300000}" \
    --device "$device" --out "$run" --resume || code=$?
  if [ $code = 124 ]; then
    echo "$run: saved after $seconds seconds; the same command goes on"
    exit 3
  fi
  [ $code = 0 ] || exit $code
  once "max-delta-t-$delta.json" "$python" -m datagen evaluate "$run" --metrics mcc,udr --device "$device" --json
done
exit $failed
