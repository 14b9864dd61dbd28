"""What a notebook shows of datasets, summaries and scores: tables and pictures that need no other file."""

import base64
import io
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image
from test_store import sprites

from datagen import store
from datagen.datasets import Factor, Sequences
from datagen.fragments import fragment_html, picture_url, value_text
from datagen.statistics import summarize
from datagen.transitions import Transitions
from slowvae import metrics
from slowvae.protocols import make_protocol
from slowvae.results import Result, Source

HOSTILE = "<script>alert('&')</script>"


class Page(HTMLParser):
    """The tags, texts and addresses of a piece of HTML, of which every tag must be closed."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.texts, self.addresses, self._open = [], [], [], []
        self.feed(html)
        assert self._open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.addresses += [value for name, value in attrs if name in ("src", "href")]
        if tag != "img":
            self._open.append(tag)

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        if data.strip():
            self.texts.append(data.strip())


def picture(page):
    (address,) = page.addresses
    head, _, data = address.partition(",")
    assert head == "data:image/png;base64"
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data))))


def test_texts_are_no_html():
    page = Page(fragment_html(HOSTILE, [HOSTILE], [[HOSTILE]], [HOSTILE], alt=HOSTILE))
    assert page.texts == [HOSTILE] * 4
    assert "script" not in page.tags


def test_a_dataset_is_a_table_and_a_picture():
    masks = np.zeros((30, 16, 16), dtype=bool)
    masks[:, 4:8, 4:8] = True
    dataset = Sequences.from_masks([masks, masks[:4]], category=HOSTILE)
    page = Page(dataset._repr_html_())
    assert page.texts[0] == repr(dataset)
    assert {"y", "x", "area", "5.5", "16"} <= set(page.texts)
    shown = picture(page)
    assert shown.shape == (2 * 18 + 2, 10 * 18 + 2, 3)  # ten frames of the longer one, all of the other
    assert (shown == 255).all(axis=2).sum() == 14 * 16


@pytest.mark.parametrize("suffix", [".npz", ".h5"])
def test_what_is_read_when_asked_for_is_shown_too(tmp_path, suffix):
    store.save(sprites(), tmp_path / f"s{suffix}")
    lazy = store.load(tmp_path / f"s{suffix}", lazy=True)
    assert lazy._repr_html_() == sprites()._repr_html_()


def test_grids_and_factors_alone():
    info = [Factor("hue", HOSTILE, (0, 39), 40)]
    images = np.zeros((40, 100, 100, 3), dtype=np.uint8)
    page = Page(Sequences.of_grid(images, info)._repr_html_())
    assert HOSTILE in page.texts
    assert picture(page).shape == (50 + 4, 10 * 52 + 2, 3)  # every second pixel
    page = Page(Sequences.of_grid_pairs(None, np.zeros((0, 2, 1), dtype=np.float32), info)._repr_html_())
    assert page.addresses == []


def test_images_that_cannot_be_read_are_left_out():
    class Gone:
        shape, dtype = (6, 4, 4), np.dtype(np.uint8)

        def __getitem__(self, rows):
            raise OSError("the disk is gone")

    page = Page(Sequences.of_grid_pairs(None, np.zeros((3, 2, 1)), [Factor("x", "", (0, 1), 2)])._repr_html_())
    dataset = Sequences(Gone(), np.zeros((6, 1)), np.arange(0, 7, 2), (Factor("x", "", (0, 1), 2),), kind="grid-pairs")
    assert Page(dataset._repr_html_()).tags == page.tags


def test_a_table_of_transitions_shows_what_it_is_of_and_how_it_changes():
    masks = np.zeros((30, 16, 16), dtype=bool)
    masks[:, 4:8, 4:8] = True
    masks[20:] = np.roll(masks[20:], 3, 2)
    table = Sequences.from_masks([masks, masks[:4]], category=["ape", HOSTILE], source="zoo").transitions()
    page = Page(table._repr_html_())
    assert page.texts[0] == repr(table)
    assert {"change of x", "3", "share of zeros", f"{31 / 32:.4g}", "rows by source: zoo (32)"} <= set(page.texts)
    assert f"rows by category: ape (29), {HOSTILE} (3)" in page.texts
    page = Page(table.select(slice(0, 0))._repr_html_())
    assert "table" not in page.tags


def test_a_table_of_many_categories_shows_the_most_frequent():
    names = np.array([f"c{number:02}" for number in range(20)] + ["c13"])
    numbers = np.arange(21)
    where = np.ones((21, 2))
    page = Page(Transitions(names, names, numbers, names, numbers, numbers, where, where, where)._repr_html_())
    assert any(
        text.startswith("rows by category: c13 (2), c00 (1)") and text.endswith(" and 12 more") for text in page.texts
    )


def test_a_summary_has_a_line_for_every_group():
    rng = np.random.default_rng(0)
    masks = [np.roll(np.eye(8, 8, k, dtype=bool), int(rng.integers(8)), 0)[None].repeat(30, 0) for k in range(2)]
    for each in masks:
        each[1::2] = np.roll(each[1::2], 1, 1)
    table = Sequences.from_masks(masks, category=["ape", HOSTILE]).transitions()
    summary = summarize(table, by="category", fits=())
    page = Page(summary._repr_html_())
    assert page.tags.count("tr") == 1 + len(summary.groups) == 4
    assert {"all", "ape", HOSTILE, "58", "29"} <= set(page.texts)
    assert summary.groups[0].verdict in page.texts
    assert repr(summary).startswith("Summary(Group(all: 58 transitions of 2 objects; ")
    assert len(repr(summary)) < 300


def test_scores_show_what_they_are_made_of():
    factors = np.random.default_rng(0).normal(size=(200, 2))
    page = Page(metrics.mcc(factors, factors, protocol="rectangular")._repr_html_())
    assert page.texts[0] == "MCC"
    assert {"score", "1", "interval", "1, 1", "protocol", "rectangular", "assignment", "0, 1"} <= set(page.texts)
    score = metrics.Score(0.5, n=1000, parts={"by_factor": np.array([0.25, 0.75]), HOSTILE: np.zeros((9, 9))})
    page = Page(score._repr_html_())
    shown = ["score", "0.5", "n", "1,000", "by_factor", "0.25, 0.75", HOSTILE, "float64 (9, 9)"]
    assert page.texts == ["Score", "value", *shown]


def test_a_result_has_a_line_for_every_metric():
    mcc = {"score": 0.75, "interval": [0.5, 1.0], "protocol": "klindt2021", "method": "spearman", "n": 9}
    seeds = {"0": {"mcc": mcc, "r2": 0.5}, "1": {"mcc": {**mcc, "score": 0.25}, "r2": 0.75, HOSTILE: None}}
    protocol = make_protocol("klindt2021-0.15s")
    result = Result(
        name=HOSTILE, entry="run", protocol=protocol, data=Source(None, None), seeds=seeds, factor_names=["x"],
        udr={"0": 0.125, "1": None}, notes=[f"{HOSTILE} is noted"],
    )  # fmt: skip
    page = Page(result._repr_html_())
    assert page.texts[:5] == [HOSTILE, "metric", "score", "95 % interval", "by seed"]
    intervals = [value_text(result.interval(metric)) for metric in ("mcc", "r2")]
    cells = ["mcc", "0.5", intervals[0], "0: 0.75, 1: 0.25", "r2", "0.625", intervals[1], "0: 0.5, 1: 0.75"]
    assert page.texts[5:] == [
        *cells, *["udr", "0.125", "0: 0.125"], f"protocol {protocol.id}: {protocol.describe()}", f"{HOSTILE} is noted"
    ]  # fmt: skip
    assert "script" not in page.tags


@pytest.mark.parametrize(
    ("value", "text"),
    [(True, "yes"), (None, ""), (np.float32(0.5), "0.5"), (np.array(3.0), "3"), ("a", "a"), ((1, 2.5), "1, 2.5")],
)
def test_values_are_shown_short(value, text):
    assert value_text(value) == text


def test_a_sheet_of_rows_of_different_lengths():
    page = Page(f'<img src="{picture_url([np.ones((2, 8, 8), bool), np.zeros((1, 8, 8), np.uint8)])}">')
    shown = picture(page)
    assert shown.shape == (22, 22, 3)
    assert [(shown == value).all(axis=2).sum() for value in (255, 0)] == [128, 64]
