import re
import shutil
import subprocess
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image
from test_statistics_summary import drifting

from datagen.errors import DatagenError, UsageError
from datagen.statistics import ALL_FITS, summarize
from datagen.statistics.figures import _edges, draw, save_figures
from datagen.statistics.report import save_report

NAMES = ["histograms", "tails", "qq", "joint", "within", "distances", "groups", "groups-kurtosis"]


@pytest.fixture(scope="module")
def table():
    return drifting(0.6)


@pytest.fixture(scope="module")
def summary(table):
    found = summarize(table, "category", ALL_FITS, bootstrap=5, mutual_information=True, delta_t=(1, 2))
    scales = summarize(table, fits=("gennorm",), bootstrap=10, levels=("video", "object")).groups[0]
    whole = replace(found.groups[0], within=scales.within, kind=scales.kind)
    return replace(found, groups=[whole, *found.groups[1:]])


@pytest.fixture(scope="module")
def drawn(table, summary):
    return list(draw(table, summary))


@pytest.fixture(scope="module")
def figures(drawn):
    return {name: figure for name, _, figure in drawn}


@pytest.fixture(scope="module")
def page(table, summary, tmp_path_factory):
    path = tmp_path_factory.mktemp("report") / "stats.html"
    return save_report(table, summary, path, title="cats & <dogs>")


def test_figures_are_written_as_png_pdf_and_svg_and_are_the_same_again(table, summary, tmp_path, monkeypatch):
    written = save_figures(table, summary, tmp_path)
    assert [path.name for path in written] == [name + end for name in NAMES for end in (".png", ".pdf", ".svg")]
    before = {path.name: path.read_bytes() for path in written}
    for path in written[::3]:
        assert np.asarray(Image.open(path).convert("L")).std() > 10
    # Some of them, of every kind, drawn another time.
    again = (each for each in draw(table, summary) if each[0] in ("histograms", "joint", "groups"))
    monkeypatch.setattr("datagen.statistics.figures.draw", lambda *_: again)
    written = save_figures(table, summary, tmp_path, overwrite=True)
    assert len(written) == 9
    assert {path.name: path.read_bytes() for path in written}.items() <= before.items()


def test_figures_are_not_overwritten_unasked(table, summary, tmp_path):
    (tmp_path / "qq.pdf").write_bytes(b"mine")
    with pytest.raises(UsageError, match=r"qq\.pdf: exists"):
        save_figures(table, summary, tmp_path)
    with pytest.raises(UsageError, match="is no folder"):
        save_figures(table, summary, tmp_path / "qq.pdf")


def test_every_fit_is_drawn_in_every_panel_and_told_apart_without_colour(figures, summary):
    for name in ("histograms", "tails"):
        for axes in figures[name].axes:
            lines = [line for line in axes.lines if line.get_label() != "data"]
            factor = re.search(r"change of (\w+)", axes.get_xlabel())[1]
            assert len(lines) == len(summary.groups[0].fits[factor])
            styles = [str(line._unscaled_dash_pattern) for line in lines]
            assert len(set(styles)) == len(styles)
    logarithmic = [axes.get_yscale() for axes in figures["histograms"].axes]
    assert sorted(logarithmic) == ["linear"] * 3 + ["log"] * 3
    assert len(figures["joint"].axes) == 6  # three panels, each with its colours


def test_histogram_is_a_density(table, figures):
    for axes in figures["histograms"].axes:
        heights, edges, _ = axes.patches[0].get_data()
        inside = np.sum(heights * np.diff(edges))
        values = table.differences(re.search(r"change of (\w+)", axes.get_xlabel())[1])
        assert inside == pytest.approx(np.mean((values >= edges[0]) & (values <= edges[-1])))
        assert inside > 0.9


def test_nothing_to_draw(table, tmp_path):
    few = table.select(slice(0, 5))
    with pytest.raises(DatagenError, match="not enough data: 5 transitions"):
        list(draw(few, summarize(few)))
    text = save_report(few, summarize(few), tmp_path / "few.html").read_text()
    assert "Not enough data" in text
    assert "<img" not in text


class Outline(HTMLParser):
    """What a page refers to, and how its tables and pictures are described."""

    def __init__(self):
        super().__init__()
        self.references, self.alternatives, self.tags = [], [], []

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.tags.append(tag)
        self.references += [attributes[name] for name in ("src", "href", "data", "srcset") if name in attributes]
        if tag == "img":
            self.alternatives.append(attributes.get("alt"))
        if tag == "th":
            assert attributes["scope"] in ("row", "col")


def test_page_needs_nothing_else_and_describes_what_it_shows(page):
    text = page.read_text()
    outline = Outline()
    outline.feed(text)
    assert outline.references
    assert all(reference.startswith("data:image/png;base64,") for reference in outline.references)
    assert not re.search(r"url\(|@import|https?://", re.sub(r'src="[^"]*"', "", text))
    assert len(outline.alternatives) == len(NAMES)
    assert all(outline.alternatives)
    assert outline.tags.count("caption") == outline.tags.count("table") == 7
    assert "script" not in outline.tags
    assert "cats &amp; &lt;dogs&gt;" in text
    assert "prefers-color-scheme: dark" in text


def test_page_shows_the_figures_of_the_summary(page, summary):
    text = page.read_text()
    group = summary.groups[0]
    assert f"{group.n:,} changes" in text
    assert f"{group.kurtosis['area']:.4g}" in text
    assert f"{group.fits['x']['gennorm'].log_likelihood:.7g}" in text
    for name in ("cat", "dog", "mouse"):
        assert f'<th scope="row">{name}</th>' in text


def test_page_opens_in_a_browser(page, tmp_path):
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("no Chromium here; install the package chromium to run this")
    picture = tmp_path / "page.png"
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
    flags += ["--disable-component-update", "--disable-sync", f"--user-data-dir={tmp_path / 'profile'}"]
    subprocess.run(
        [browser, *flags, "--hide-scrollbars", "--window-size=1200,5000", f"--screenshot={picture}", page.as_uri()],
        check=True,
        capture_output=True,
        timeout=120,
    )
    shown = np.asarray(Image.open(picture).convert("RGB"), dtype=int)
    rows = (np.ptp(shown, axis=1) > 30).any(axis=1)
    assert rows.sum() > 1000  # text and figures, not an empty page
    orange = abs(shown - [0xD5, 0x5E, 0x00]).sum(axis=2) < 60
    assert orange.sum() > 200  # the generalised normal's line


@pytest.mark.parametrize("size", [1e16, 1e25])
def test_numbers_too_large_for_halves_between_them_are_drawn(table, size):
    """All doubles from 2^53 on are whole, and none lies halfway between two of them: edges must not repeat there."""
    few = table.select(slice(0, 100))
    moved = few.x * size
    summary = summarize(large := replace(few, x=moved))
    for name, _, figure in draw(large, summary):
        figure.draw_without_rendering()
        if name == "histograms":
            for axes in figure.axes:
                _, edges, _ = axes.patches[0].get_data()
                assert edges.dtype == np.float64
                assert (np.diff(edges) > 0).all()


def test_neighbouring_large_numbers_are_told_apart_in_bins():
    near = 1e17 + 16.0 * np.arange(9)
    edges = _edges(near, (0.02, 0.98), whole_numbers=True)
    assert (np.diff(edges) > 0).all()
    assert np.histogram(near, edges)[0].sum() >= 7


def test_captions_name_the_axes(drawn):
    for name, caption, _ in drawn:
        assert re.search(r"\bacross\b", caption, re.IGNORECASE), name
        assert name in ("within", "groups", "groups-kurtosis") or re.search(r"\bup\b", caption, re.IGNORECASE), name


def test_shapes_are_told_on_the_panels(figures, summary):
    group = summary.groups[0]
    titles = [axes.get_title() for axes in figures["histograms"].axes]
    assert f"shape {group.fits['x']['gennorm'].parameters['shape']:.4g}" in " ".join(titles)
    for axes, factor in zip(figures["within"].axes, ("area", "x", "y"), strict=True):
        texts = [text.get_text() for text in axes.texts]
        assert texts == [f"{group.within[level][factor].shape:.2f}" for level in ("pooled", "video", "object")]
        assert (group.kind[factor] or "undecided") in axes.get_xlabel()


def test_names_of_groups_are_no_formulas(table):
    odd = replace(table, category=np.array([("$a_^$b", r"$\frac{$")[number % 2] for number in range(len(table))]))
    for _, _, figure in draw(odd, summarize(odd, "category", ("gennorm",), bootstrap=0, delta_t=(1, 2))):
        figure.draw_without_rendering()


def test_groups_have_a_column_for_each_distance_and_stay_legible(table, summary):
    """100 categories: every label has a row of its own height."""
    many = replace(table, category=np.array([f"category {number % 100:02d}" for number in range(len(table))]))
    groups = summarize(many, "category", ("gennorm",), bootstrap=0, delta_t=(1, 2))
    figure = next(figure for name, _, figure in draw(many, groups) if name == "groups")
    figure.draw_without_rendering()
    assert [axes.get_title() for axes in figure.axes][:2] == ["area, 1 frame", "area, 2 frames"]
    boxes = [label.get_window_extent() for label in figure.axes[0].get_yticklabels()]
    assert len(boxes) == 101
    assert all(upper.y0 >= lower.y1 - 1 for upper, lower in pairwise(boxes))
