"""The code and the links of the documentation work."""

import importlib.util
import inspect
import json
import logging
import os
import re
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
from test_cli import run

from datagen import readers, store
from datagen.errors import BadInputError
from datagen.files import sha256_file

DOCS = Path(__file__).parents[1] / "docs"


_SPEC = importlib.util.spec_from_file_location("hooks", DOCS / "hooks.py")
hooks = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(hooks)


class File(SimpleNamespace):
    """A file of the site, as MkDocs has it: a page is the index of a folder of its name."""

    def url_relative_to(self, other):
        start, end = (Path(file.src_uri).with_suffix("") for file in (other, self))
        return os.path.relpath(end, start) + "/"


class Files:
    """The files of the documentation."""

    def get_file_from_path(self, path):
        return File(src_uri=path) if (DOCS / path).is_file() else None


def links_of(notebook):
    """Return the links to other pages in the texts of a notebook."""
    cells = json.loads(notebook.read_text())["cells"]
    texts = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown"]
    return [link for text in texts for link in re.findall(r"\]\(([^):]+)\)", text)]


def module_of(text, monkeypatch):
    """Return the first block of Python of a page as a module."""
    module = ModuleType("snippet")
    monkeypatch.setitem(sys.modules, "snippet", module)  # where dataclasses look
    exec(compile(re.search(r"^```python\n(.*?)^```", text, re.M | re.S)[1], "snippet", "exec"), module.__dict__)
    return module


@pytest.fixture
def reader(monkeypatch):
    """The reader of the page on new formats, among the others."""
    found = module_of((DOCS / "how-to/a-new-format.md").read_text(), monkeypatch).READER
    known = readers.readers() | {found.name: found}
    monkeypatch.setattr(readers, "readers", lambda: known)
    return found


@pytest.fixture
def labels():
    labels = np.zeros((12, 90, 160), np.uint8)
    for frame in range(12):
        labels[frame, 20:50, 4 * frame : 4 * frame + 60] = 3
    return labels


def test_a_reader_as_documented_reads_what_that_of_arrays_reads(reader, labels, tmp_path, capsys):
    np.save(tmp_path / "street.npy", labels)
    path = (tmp_path / "street.npy").rename(tmp_path / "street.mine")
    assert run(capsys, "masks", "--source", path, "--format", "mine", "--out", tmp_path / "mine.npz")[0] == 0
    np.save(tmp_path / "street.npy", labels)
    assert run(capsys, "masks", "--source", tmp_path / "street.npy", "--out", tmp_path / "npy.npz")[0] == 0
    mine, other = store.load(tmp_path / "mine.npz"), store.load(tmp_path / "npy.npz")
    assert mine.num_frames
    np.testing.assert_array_equal(mine.images, other.images)
    np.testing.assert_array_equal(mine.factors, other.factors)
    assert mine.manifest["inputs"] == {"mine/street.mine": sha256_file(path)}


def test_a_reader_as_documented_refuses_a_bad_file(reader, labels, tmp_path):
    np.save(tmp_path / "a.npy", labels[0])
    (video,) = readers.find_videos((tmp_path / "a.npy").rename(tmp_path / "a.mine"), format="mine")
    with pytest.raises(BadInputError, match=r"a\.mine: is an array \(90, 160\) of uint8, not one of label maps"):
        video.read()
    assert video.read(skip_bad=True).left_out == [
        "mine/a: is an array (90, 160) of uint8, not one of label maps (frames, height, width)"
    ]
    (tmp_path / "b.mine").write_text("{}")
    (video,) = readers.find_videos(tmp_path / "b.mine", format="mine")
    with pytest.raises(BadInputError, match=r"b\.mine: is damaged or no npy file of numbers$"):
        video.read()
    np.save(tmp_path / "c.npy", -labels.astype(int))
    (video,) = readers.find_videos((tmp_path / "c.npy").rename(tmp_path / "c.mine"), format="mine")
    with pytest.raises(BadInputError, match=r"c\.mine: labels from -3 to 0"):
        video.read()
    with pytest.raises(BadInputError):  # as the page says: a single file needs --format
        readers.find_videos(tmp_path / "a.mine")


def test_links_of_notebooks_lead_to_pages_in_the_repository_and_in_the_site(caplog):
    links = [(path, link) for path in sorted(DOCS.glob("notebooks/*.ipynb")) for link in links_of(path)]
    assert len(links) >= 3
    for notebook, link in links:
        page = SimpleNamespace(file=File(src_uri=f"notebooks/{notebook.name}"))
        html = hooks.on_page_content(f'<a href="{link}">', page, Files())
        end = DOCS / "notebooks" / notebook.stem / re.search('href="([^"#]*)', html)[1]
        assert Path(os.path.normpath(end)).with_suffix(".md").is_file(), link
    assert not caplog.records


def test_a_link_of_a_notebook_to_no_page_is_a_warning_which_ends_the_build(caplog):
    page = SimpleNamespace(file=File(src_uri="notebooks/1.ipynb"))
    linked = '<a href="../metrics.md#bins"> <a href="https://a.org/x.md"> <a href="#here.md">'
    assert hooks.on_page_content(linked, page, Files()) == linked.replace("../metrics.md", "../../metrics/")
    assert not caplog.records
    assert hooks.on_page_content('<a href="gone.md">', page, Files()) == '<a href="gone.md">'
    (record,) = caplog.records
    assert (record.name, record.levelno) == ("mkdocs.hooks", logging.WARNING)


def test_the_page_of_metrics_says_how_each_is_called():
    from slowvae import metrics

    table = (DOCS / "metrics.md").read_text().partition("| call | metrics |")[2].partition("\n\n")[0]
    rows = re.findall(r"^\| `\w+\((.*?)\)` \| (.*) \|$", table, re.M)
    called = {name: len(given.split(", ")) for given, names in rows for name in re.findall(r"`(\w+)`", names)}
    needed = {
        name: sum(each.default is each.empty for each in inspect.signature(function).parameters.values())
        for name, function in vars(metrics).items()
        if name in metrics.__all__ and inspect.isfunction(function)
    }
    assert called == needed
