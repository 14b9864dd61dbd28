import subprocess
import sys

import pytest
from conftest import ROOT

from datagen.errors import UsageError
from slowvae.runs import locked

HOLD = """
import sys, time
from pathlib import Path
from slowvae.runs import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""


def test_a_folder_is_held_by_one(tmp_path):
    for _ in range(2):
        with locked(tmp_path), pytest.raises(UsageError, match="another process is working here"), locked(tmp_path):
            pass


def test_an_error_inside_lets_go(tmp_path):
    with pytest.raises(KeyError), locked(tmp_path):
        raise KeyError
    with locked(tmp_path):
        pass


def test_a_lock_goes_with_a_killed_process(tmp_path):
    holder = subprocess.Popen([sys.executable, "-c", HOLD, tmp_path], stdout=subprocess.PIPE, cwd=ROOT)
    try:
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(UsageError, match="another process"), locked(tmp_path):
            pass
    finally:
        holder.kill()
        holder.communicate()
    with locked(tmp_path):
        pass


def test_a_folder_that_cannot_be_written_to_is_not_called_held(tmp_path):
    (tmp_path / "lock").mkdir()
    with pytest.raises(OSError, match="lock"), locked(tmp_path):
        pass
