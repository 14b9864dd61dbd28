import json
import os

import msgspec
import pytest

from datagen.errors import BadInputError, UsageError
from datagen.records import finite, read_record, write_record


class Point(msgspec.Struct):
    x: int
    name: str | None = None


def test_a_record_comes_back_as_its_type(tmp_path):
    write_record(tmp_path / "a.json", {"x": 3, "name": "é"})
    assert read_record(tmp_path / "a.json", Point, "remove it") == Point(3, "é")


def test_numbers_that_json_cannot_hold_become_null(tmp_path):
    write_record(tmp_path / "a.json", {"a": [float("nan"), (1.5, float("inf"))], "b": {"c": -float("inf")}})
    assert json.loads((tmp_path / "a.json").read_text()) == {"a": [None, [1.5, None]], "b": {"c": None}}
    assert finite([True, 0, "inf"]) == [True, 0, "inf"]


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "is damaged"),
        (b"{", "is damaged"),
        (b"[]", "Expected `object`, got `array`"),
        (b'{"x": "3"}', "x: is damaged .Expected `int`, got `str`"),
        (b'{"name": "a"}', "missing required field `x`"),
        (b'{"x": NaN}', "is damaged"),
        (b'{"x": 1, "name": "\xff"}', "is damaged"),
        (b'{"x": 1, "y": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "is damaged"),
    ],
)
def test_what_is_no_record_is_refused_in_one_line(data, problem, tmp_path):
    path = tmp_path / "a.json"
    path.write_bytes(data)
    with pytest.raises(BadInputError, match=problem) as caught:
        read_record(path, Point, "remove it")
    assert str(caught.value).startswith(str(path))
    assert str(caught.value).endswith("; remove it")
    assert "\n" not in str(caught.value)


def test_files_that_are_none_are_refused(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(BadInputError, match="plain file"):
        read_record(tmp_path / "fifo", Point, "remove it")
    with pytest.raises(UsageError, match="no such file"):
        read_record(tmp_path / "nothing", Point, "remove it")
    with (tmp_path / "large").open("wb") as stream:
        stream.truncate(1 << 30)  # a hole, no bytes on the disk
    with pytest.raises(BadInputError, match="far more than"):
        read_record(tmp_path / "large", Point, "remove it")
