import ast
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT

from datagen.jit import njit

MODULE = """
from datagen.jit import njit

@njit(cache=True)
def twice(number):
    return 2 * number

print(twice(21), sum(twice.stats.cache_hits.values()))
"""


@pytest.fixture
def module(tmp_path):
    """Return a file with a compiled function, in a folder of its own."""
    path = tmp_path / "installed" / "doubling.py"
    path.parent.mkdir()
    path.write_text(MODULE)
    return path


def call(module, **variables):
    """Run the file in a process of its own, and return its result and how often the cache had it."""
    given = {name: value for name, value in {**os.environ, **variables}.items() if value is not None}
    given["PYTHONPATH"] = str(ROOT)
    done = subprocess.run([sys.executable, module], capture_output=True, text=True, env=given, cwd=module.parent)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return tuple(map(int, done.stdout.split()))


def test_what_is_compiled_is_kept(module, tmp_path):
    assert call(module, NUMBA_CACHE_DIR=str(tmp_path / "cache")) == (42, 0)
    assert call(module, NUMBA_CACHE_DIR=str(tmp_path / "cache")) == (42, 1)


@pytest.mark.parametrize("home", [None, "/proc/nobody"])
@pytest.mark.parametrize("cache", [None, "/proc/cache"])
def test_no_place_for_a_cache(module, home, cache):
    (module.parent / "__pycache__").write_text("")  # a file, so that no one can make the folder, root included
    assert call(module, NUMBA_CACHE_DIR=cache, HOME=home, XDG_CACHE_HOME="/proc/cache") == (42, 0)
    assert {path.name for path in module.parent.iterdir()} == {module.name, "__pycache__"}


@pytest.mark.parametrize("keep", [0, 10, 60], ids=["empty", "cut in the version", "cut behind it"])
def test_a_damaged_cache_is_passed_over(module, tmp_path, keep):
    cache = {"NUMBA_CACHE_DIR": str(tmp_path / "cache")}
    call(module, **cache)
    (index,) = (tmp_path / "cache").rglob("*.nbi")
    index.write_bytes(index.read_bytes()[:keep])
    assert call(module, **cache) == (42, 0)


def test_a_cache_that_cannot_be_written_anew(module, tmp_path):
    cache = tmp_path / "cache"
    script = module.read_text().replace("print(", f"import shutil; shutil.rmtree({str(cache)!r})\n{{}}\nprint(")
    module.write_text(script.format(f"open({str(cache)!r}, 'w').close()"))  # after it was found fit
    assert call(module, NUMBA_CACHE_DIR=str(cache)) == (42, 0)


def test_without_the_compiler(module):
    code = module.read_text().replace("sum(twice.stats.cache_hits.values())", "0")
    module.write_text(code)
    assert call(module, NUMBA_DISABLE_JIT="1") == (42, 0)


def test_options_reach_the_compiler():
    @njit(cache=False, boundscheck=True)
    def last(values):
        return values[len(values)]

    with pytest.raises(IndexError):
        last(np.zeros(3))


def test_everything_is_compiled_this_way():
    found = set()
    for path in [*ROOT.glob("*/*.py"), *ROOT.glob("*/*/*.py")]:
        if path.relative_to(ROOT).parts[0] in ("tests", "benchmarks"):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            if any(name.split(".")[0] == "numba" for name in names):
                found.add(path)
    assert found == {Path(ROOT / "datagen/jit.py")}
