"""Build the wheel, install it into a fresh environment, first without its extras, and use it from another folder.

`make test-wheel` runs this. What is missing in the wheel or among its dependencies shows only where neither the
sources nor the tools of developers are at hand.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

IMPORTS = """
import importlib, pkgutil
from importlib.resources import files
for name in ("datagen", "kitti_masks", "natsprites", "slowvae", "cli"):
    package = importlib.import_module(name)
    assert (files(name) / "py.typed").is_file(), f"{name} has no py.typed"
    for module in pkgutil.walk_packages(package.__path__, f"{name}."):
        importlib.import_module(module.name)
"""

# What the README and `make demo` begin with, then what the other packages have.
STEPS = """
sample mots --out mots --seed 0
kitti-masks --source mots --out kitti.npz
info kitti.npz
preview kitti.npz --out kitti.png
verify kitti.npz
stats kitti.npz --fit-laplace
sample youtube-vis --out train.json
transitions --source train.json --out t.csv
natural-sprites --transitions t.csv --pairs 20 --out s.h5
convert kitti.npz kitti.pickle
train kitti.npz --out run --iterations 2 --batch-size 8 --device cpu
evaluate run --metrics mcc
"""

# What takes one of the extras.
EXTRAS = """
transitions --source train.json --out t.parquet
package kitti.npz --out release
evaluate run --metrics r2-nonlinear
stats kitti.npz --report stats.html
"""


def main() -> None:
    """Run every check; the first that fails ends it with what it printed."""
    with tempfile.TemporaryDirectory(prefix="datagen-wheel-") as temporary:
        folder = Path(temporary)
        run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", folder, ROOT)
        (wheel,) = folder.glob("*.whl")
        venv.create(folder / "environment", with_pip=True)
        binaries = folder / "environment" / ("Scripts" if os.name == "nt" else "bin")  # Windows has no bin
        for extras in ("", "[all]"):
            install = ["-m", "pip", "install", "--quiet", "--constraint", ROOT / "constraints.txt"]
            run(binaries / "python", *install, f"{wheel}{extras}")
            use(binaries, folder, bool(extras))
            print(f"the wheel works {'with all its extras' if extras else 'without extras'}", flush=True)


def use(binaries: Path, work: Path, has_extras: bool) -> None:
    """Import all there is and take the steps; of the README, and every command's help, only without extras."""
    run(binaries / "python", "-c", IMPORTS, work=work)
    if not has_extras:
        names = run(binaries / "python", "-c", "from cli.main import COMMANDS; print(*COMMANDS)", work=work).split()
        for name in names:
            run(binaries / "datagen", name, "--help", work=work)
        for step in STEPS.split("\n")[1:-1]:
            run(binaries / "datagen", *step.split(), work=work)
    for step in EXTRAS.split("\n")[1:-1]:
        printed = run(binaries / "datagen", *step.split(), work=work, code=0 if has_extras else 2)
        assert has_extras or (printed.count("\n") == 1 and " needs " in printed), f"{step}: {printed}"


def run(*command: object, work: Path = ROOT, code: int = 0) -> str:
    """Run a command where nothing points at the sources, and return what it printed."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [str(part) for part in command],
        cwd=work,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode != code:
        sys.exit(f"{' '.join(map(str, command))}: exit code {done.returncode}, not {code}\n{done.stdout}")
    return done.stdout


if __name__ == "__main__":
    main()
