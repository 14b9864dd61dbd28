import io
import sys
import time

import pytest

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
