import re
from html.parser import HTMLParser

import pytest
from test_statistics_summary import drifting

from datagen.checks import Check
from datagen.errors import UsageError
from datagen.glossary import TERMS, glossary
from datagen.page import (
    Bar,
    Marked,
    Page,
    Picture,
    Section,
    Table,
    glossary_section,
    origin_section,
    page_html,
)
from datagen.statistics import summarize
from datagen.statistics.report import save_report
from slowvae.report import report_page
from slowvae.validate import Report

HOSTILE = "</title></style>\"'><script>alert(1)</script><img src=x onerror=alert(1)>&amp;"


class Outline(HTMLParser):
    """The tags of a page, and its text."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.open, self.words, self.attributes = [], [], "", {}
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes.setdefault(tag, []).append(dict(attrs))
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words += data


def every_part():
    return Page(
        HOSTILE,
        HOSTILE,
        HOSTILE,
        [
            Section(
                HOSTILE,
                [HOSTILE],
                [Check(HOSTILE, "warn", 0.12345, HOSTILE), Check("b", "pass", None, "")],
                [Table(HOSTILE, [HOSTILE, HOSTILE], [[HOSTILE, HOSTILE]])],
                [Picture(HOSTILE, b"\x89PNG")],
                HOSTILE,
                [(HOSTILE, HOSTILE)],
            )
        ],
        HOSTILE,
        "warn",
    )


def validation():
    check = Check("structure", "pass", None, HOSTILE)
    score = {"score": 0.5, "interval": [0.4, 0.6], "correlation": [[0.1, -0.2]], "assignment": [1]}
    mean = {"score": 0.5, "interval": [0.4, 0.6], "protocol": "rectangular", "method": "spearman", "n": 9, "seeds": [0]}
    mean["indicative"] = True
    run = {"tool": "datagen", "dataset": {"path": HOSTILE}}
    report = Report(
        f"/{HOSTILE}", "pass", [check], run, [HOSTILE], {"slowvae": mean}, {"slowvae": {"0": score}}, {}, None
    )
    return page_html(report_page(report))


@pytest.fixture(scope="module")
def statistics(tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "stats.html"
    few = drifting(0.6).select(slice(0, 5))
    return save_report(few, summarize(few), path, title=HOSTILE).read_text()


def test_every_text_of_a_page_is_escaped():
    outline = Outline(page_html(every_part()))
    assert "script" not in outline.tags
    assert outline.words.count(HOSTILE) == 17
    (image,) = outline.attributes["img"]
    assert image == {"alt": HOSTILE, "src": "data:image/png;base64,iVBORw=="}
    assert [each["aria-label"] for each in outline.attributes["div"]] == [HOSTILE] * 3
    assert "0.1235" in outline.words


@pytest.mark.parametrize("name", ["statistics", "validation"])
def test_both_reports_escape_a_hostile_name_and_are_one_page(name, statistics):
    text = statistics if name == "statistics" else validation()
    outline = Outline(text)
    assert not {"script", "img"} & set(outline.tags)
    assert HOSTILE.rpartition("/")[2] in outline.words
    style = text[text.index("<style>") : text.index("</style>")]
    assert style in page_html(Page("", "", "", []))
    assert "prefers-color-scheme: dark" in style
    assert {"name": "viewport", "content": "width=device-width, initial-scale=1"} in outline.attributes["meta"]


def test_only_a_page_with_a_table_to_sort_has_a_script():
    table = Table("", ["a", "b"], [["x", Bar(-0.5, 0.5, 0.25, HOSTILE)]], sortable=True)
    text = page_html(Page("", "", "", [Section("", tables=[table])]))
    assert "<script>" in text
    assert "<script>" not in page_html(every_part())
    outline = Outline(text.replace(text[text.index("<script>") : text.index("</script>") + 9], ""))
    assert outline.words.count(HOSTILE) == 1
    assert [each["aria-label"] for each in outline.attributes["svg"]] == [HOSTILE]
    assert [(each["x"], each["width"]) for each in outline.attributes["rect"]] == [
        ("0", "100%"), ("0", "25.00%"), ("0.00%", "50.00%"),
    ]  # fmt: skip


def test_columns_of_words_and_of_numbers_are_told_apart():
    rows = [["a", "0.1 [0.05, 0.2]", "b", "0.3 to 0.4", ""], ["b", "-1e-05", "1", Bar(0, 1, 0.5, "x"), "+1 %"]]
    assert Table("", ["", "", "", "", ""], rows).words == [True, False, True, False, False]


def test_the_latent_assigned_to_a_factor_is_marked():
    outline = Outline(validation())
    assert [each["title"] for each in outline.attributes["mark"]] == [f"assigned to {HOSTILE}"]
    text = page_html(Page("", "", "", [Section("", tables=[Table("", ["", "a"], [["x", Marked("+0.50", "best")]])])]))
    assert '<mark title="best">+0.50</mark>' in text


def test_a_page_says_how_to_make_it_again():
    section = origin_section([("seed", "3"), ("machine", "")], "datagen stats kitti.npz")
    assert section.terms[:2] == [("command", "datagen stats kitti.npz"), ("seed", "3")]
    assert [name for name, _ in origin_section([]).terms] == ["tool"]
    assert "<dt>seed</dt><dd>3</dd>" in page_html(Page("", "", "", [section]))


@pytest.mark.parametrize("name", ["statistics", "validation"])
def test_both_reports_begin_with_the_verdict_and_explain_their_terms(name, statistics):
    text = statistics if name == "statistics" else validation()
    main = text[text.index("<main>") :]
    assert re.match(r"<main>\s*<h1>.*?</h1>\s*<p class=\"verdict", main, re.S)
    assert f"<dd>{TERMS['bootstrap']}</dd>" in text
    assert "How this page was made" in text


def test_a_term_that_is_not_explained_is_refused():
    assert glossary_section(["MCC"]).terms == [("MCC", TERMS["MCC"])]
    with pytest.raises(UsageError, match="'mcc' is no term"):
        glossary(["mcc"])


def test_names_that_are_no_text_are_escaped():
    page = Page("a", "b", "c", [Section("d", terms=[("file", "x\udcff.npz")])])
    assert "x\\udcff.npz" in page_html(page)


def test_control_characters_are_shown_as_a_terminal_has_them():
    """A category may hold commands to a terminal, and an override of the direction of writing."""
    text = "<b>dog</b>\x1b[31m \u202e\x00"
    row = [text, text, Marked(text, text), Bar(0, 1, 0.5, text)]
    sections = [
        Section(
            text, [text], [Check(text, "warn", 0.1, text)], [Table(text, [text] * 4, [row])], code=f"{text}\n{text}"
        ),
        Section(text, terms=[(text, text)], pictures=[Picture(text, b"")]),
    ]
    page = page_html(Page(text, text, text, sections, lead=text))
    assert not [each for each in page if not (each.isprintable() or each == "\n")]
    shown = "&lt;b&gt;dog&lt;/b&gt;\\x1b[31m \\u202e\\x00"
    assert f"<h1>{shown}</h1>" in page
    assert f"<pre>{shown}\n{shown}</pre>" in page
