"""What is said of an installation: all that is there, and all that is not, without failing."""

import builtins
import json
import sys

import click
import pytest
from test_cli import run

from datagen.extras import ENABLES, LIBRARIES
from slowvae.doctor import diagnose


@pytest.mark.parametrize("missing", [None, *LIBRARIES])
def test_extras_are_there_or_say_what_they_would_enable(monkeypatch, missing):
    if missing is not None:
        monkeypatch.setitem(sys.modules, {"metrics": "sklearn"}.get(missing, LIBRARIES[missing]), None)
    found = {each["name"]: each for each in diagnose()["extras"]}
    assert found.keys() == LIBRARIES.keys()
    assert [name for name, each in found.items() if each["version"] is None] == [missing] * (missing is not None)
    assert all(each["enables"] and each["install"] for each in found.values())


def test_every_command_that_works_elsewhere_is_named():
    from cli.main import COMMANDS, datagen

    context = click.Context(datagen)
    options = {name: datagen.get_command(context, name).params for name in COMMANDS}
    names = [name for name, each in options.items() if any(option.name == "scheduler" for option in each)]
    assert len(names) > 1
    assert [name for name in names if f"{name} --scheduler" not in ENABLES["distributed"]] == []


def test_caches_say_whether_they_can_be_written_to(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache/part").write_bytes(b"12345")
    monkeypatch.setenv("DATAGEN_CACHE", str(tmp_path / "cache"))
    first, *_ = diagnose()["caches"]
    assert first == {**first, "path": str(tmp_path / "cache"), "writable": True, "bytes": 5}
    monkeypatch.setenv("DATAGEN_CACHE", str(tmp_path / "file/cache"))
    first, *_ = diagnose()["caches"]
    assert (first["writable"], first["bytes"]) == (False, None)
    assert not (tmp_path / "new").exists()


def test_a_torch_that_cannot_be_loaded_is_said(monkeypatch):
    imported = builtins.__import__

    def fail(name, *arguments):
        if name == "torch":
            raise OSError("libcudart.so: cannot open shared object file")
        return imported(name, *arguments)

    monkeypatch.setattr(builtins, "__import__", fail)
    (cpu,) = diagnose()["devices"]
    assert (cpu["available"], "libcudart.so" in cpu["detail"]) == (False, True)


def test_the_command(capsys):
    code, out, err = run(capsys, "doctor")
    assert (code, err) == (0, "")
    assert all(name in out for name in (*LIBRARIES, "torch", "cpu", "DATAGEN_CACHE"))
    code, out, _ = run(capsys, "doctor", "--json")
    assert code == 0
    assert json.loads(out).keys() == {"versions", "processors", "extras", "devices", "caches"}
