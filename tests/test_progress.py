import io
import sys
import time
import types
import warnings

import pytest

from datagen import progress
from datagen.progress import progress_bar


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(("show", "stream"), [(False, Terminal()), (True, io.StringIO())])
def test_nothing_is_drawn_unasked_or_into_a_file(show, stream, monkeypatch):
    monkeypatch.setattr(sys, "stderr", stream)
    assert list(progress_bar([1, 2, 3], "counting", show=show)) == [1, 2, 3]
    assert stream.getvalue() == ""


def test_a_bar_says_what_how_far_and_how_fast(monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "120")
    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    items = []
    for item in progress_bar(range(5), "counting", show=True):
        items.append(item)
        time.sleep(0.15)
    assert items == [0, 1, 2, 3, 4]
    text = stream.getvalue()
    assert "counting" in text
    assert "/5" in text
    assert "/s" in text


# ---------------------------------------------------------------- notebooks


class Notebook:
    """What IPython offers in a notebook: displays that can be updated. There are no widgets."""

    def __init__(self, monkeypatch):
        self.shown = []
        shell = types.SimpleNamespace(kernel=object())
        display = types.SimpleNamespace(display=self.display)
        monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(get_ipython=lambda: shell, display=display))
        monkeypatch.setitem(sys.modules, "IPython.display", display)
        monkeypatch.setitem(sys.modules, "ipywidgets", None)  # importing it fails
        monkeypatch.setattr(sys, "stderr", io.StringIO())
        monkeypatch.setattr(progress, "_REDRAWN", 0)

    def display(self, shown, display_id):
        assert display_id
        self.update(shown)
        return self

    def update(self, shown, raw=False):
        self.shown.append(shown if raw else shown._repr_mimebundle_([], []))


def test_a_notebook_shows_a_bar_without_widgets(monkeypatch):
    notebook = Notebook(monkeypatch)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert list(progress_bar([4, 5, 6], "<b>counting", show=True)) == [4, 5, 6]
        with progress.byte_bar("fetching", 4000, show=True) as update:
            update(1000)
    first, second = (["3/3" in each["text/html"] for each in notebook.shown], notebook.shown)
    assert first[3:4] == [True]
    assert "&lt;b&gt;counting" in second[1]["text/html"]
    assert "1.0/4.0 kB" in notebook.shown[-2]["text/html"]
    assert notebook.shown[-1] == {"text/plain": "", "text/html": ""}  # nothing is left of it
    assert sys.stderr.getvalue() == ""


def test_a_notebook_shows_nothing_unasked(monkeypatch):
    notebook = Notebook(monkeypatch)
    assert list(progress_bar([1], "counting")) == [1]
    assert notebook.shown == []


def test_ipython_on_a_terminal_is_no_notebook(monkeypatch):
    monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(get_ipython=types.SimpleNamespace))
    assert not progress._in_notebook()


# ---------------------------------------------------------------- durations


def _announced(monkeypatch, stream, speed, total=1000, show=True):
    """Return what is said of work at a speed, by a clock of its own."""
    clock = iter(n / speed for n in range(total * 2))
    monkeypatch.setattr(sys, "stderr", stream)
    now = [0.0]
    monkeypatch.setattr(progress, "monotonic", lambda: now[0])

    def items():
        for number in range(total):
            now[0] = 100.0 + next(clock) if number >= 10 else 0.0  # the first ten take long
            yield number

    said = progress.announce_duration(items(), total, 10, lambda found: f"{found:.0f} a second", show)
    assert list(said) == list(range(total))
    return stream.getvalue()


def test_what_takes_long_is_said_once_its_speed_is_known(monkeypatch):
    assert _announced(monkeypatch, Terminal(), speed=5) == "5 a second\n"


@pytest.mark.parametrize(
    ("stream", "speed", "show"), [(Terminal(), 500, True), (io.StringIO(), 5, True), (Terminal(), 5, False)]
)
def test_nothing_is_said_of_what_is_short_or_unasked(monkeypatch, stream, speed, show):
    assert _announced(monkeypatch, stream, speed, show=show) == ""


def test_a_training_is_announced_with_the_quick_preset():
    from slowvae.settings import make_settings
    from slowvae.trainer import _expected

    settings = make_settings(seeds=(0, 1, 2))
    assert _expected(settings, 0, 20) == ("300,000 iterations of 3 seeds: about 4.2 h at 20 it/s; preset quick: 2 min")
    assert _expected(make_settings("quick"), 1000, 0.5) == "1,000 iterations: about 33 min at 0.5 it/s"
