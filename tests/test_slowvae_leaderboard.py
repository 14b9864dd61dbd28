"""Results on disk, and boards of them: ranked within one protocol, compared seed by seed."""

import csv
import io
import json
import re

import msgspec
import numpy as np
import pytest
from click.testing import CliRunner
from test_page import HOSTILE, Outline

from cli.main import datagen
from datagen.errors import BadInputError, UsageError
from slowvae.intervals import interval_over_seeds
from slowvae.leaderboard import PUBLISHED, cells, collect_boards, write_boards
from slowvae.protocols import Protocol
from slowvae.results import Result, Source, compare_results, read_result, summary, write_result

HERE = Protocol(dataset="d" * 64, max_delta_t=5)
OTHER = Protocol(dataset="d" * 64, max_delta_t=1)


def result(name="mine", scores=(0.5,), protocol=HERE, entry="latents", draws=0.02, latents="x", **fields) -> Result:
    """Return a result with an MCC by seed, whose draws of sequences shift all alike."""
    shift = draws * np.random.default_rng(0).normal(size=200)
    seeds = {str(seed): {"mcc": {"score": score, "protocol": "klindt2021"}} for seed, score in enumerate(scores)}
    made = Result(
        name=name, entry=entry, protocol=protocol, data=Source("kitti.npz", "a" * 64), factor_names=["y"],
        **{
            "seeds": seeds,
            "resampled": {str(seed): (score + shift).tolist() for seed, score in enumerate(scores)},
            "latents": dict.fromkeys(seeds, latents),
            **fields,
        },
    )  # fmt: skip
    return msgspec.structs.replace(made, mcc=summary(made))


# Results


def test_a_result_comes_back_and_says_what_it_is(tmp_path):
    made = result(scores=(0.5, 0.7), notes=["a note"], left_out=["area"], not_measured={"mig": "why"})
    write_result(made, tmp_path / "r.json")
    assert read_result(tmp_path / "r.json") == made
    record = json.loads((tmp_path / "r.json").read_text())
    assert (record["kind"], record["protocol"]["id"]) == ("datagen-result", HERE.id)
    assert float(made) == pytest.approx(0.6)
    assert repr(made) == f"Result('mine', protocol {HERE.id}, 2 seeds: mcc 0.600)"


def test_the_interval_draws_seeds_and_sequences(tmp_path):
    made = result(scores=(0.5, 0.7, 0.6))
    draws = np.array(list(made.resampled.values()))
    assert made.interval() == interval_over_seeds([0.5, 0.7, 0.6], draws)
    assert result(scores=(0.5,)).mcc["indicative"]
    draws = np.array(result().resampled["0"])
    of_sequences = np.quantile(draws - draws.mean() + result().score(), [0.025, 0.975])
    assert result().interval() == pytest.approx(tuple(of_sequences))
    assert result(scores=(0.1, 0.9)).interval() == (0, 1)  # it would be far wider, of two seeds
    without = result(scores=(0.5, 0.7, 0.6), resampled={})
    assert without.interval() == interval_over_seeds([0.5, 0.7, 0.6])


def test_other_metrics_of_the_same_latents_are_kept(tmp_path):
    path = tmp_path / "r.json"
    write_result(result(), path)
    more = result(seeds={"0": {"sap": 0.25}}, resampled={})
    kept = write_result(more, path)
    assert kept.seeds == {"0": {**result().seeds["0"], "sap": 0.25}}
    assert kept.mcc == result().mcc
    assert not kept.replaced
    with pytest.raises(UsageError, match="holds scores of other latents"):
        write_result(result(latents="y"), path)
    assert read_result(path) == kept
    assert write_result(result(latents="y"), path, overwrite=True).replaced


def test_another_protocol_moves_scores_aside_and_brings_them_back(tmp_path):
    path = tmp_path / "r.json"
    write_result(result(seeds={"0": {"sap": 0.25}}, resampled={}), path)
    write_result(result(protocol=OTHER), path)
    assert {each.name for each in tmp_path.iterdir()} == {"r.json", f"r-{HERE.id}.json"}
    assert write_result(result(), path).seeds["0"].keys() == {"mcc", "sap"}
    assert {each.name for each in tmp_path.iterdir()} == {"r.json", f"r-{OTHER.id}.json"}
    with pytest.raises(UsageError, match="holds scores of mine; pass --overwrite"):
        write_result(result("another", protocol=OTHER), path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda record: record["protocol"].update(max_delta_t=1), "protocol: its id '.*' is not that of its protocol"),
        (lambda record: record["protocol"].update(id="00000000"), "is not that of its protocol"),
        (lambda record: record["protocol"].update(split="by-hand"), "unknown protocol 'by-hand'"),
        (lambda record: record["protocol"].update(extra=1), "unknown field `extra`"),
        (lambda record: record["protocol"].update(seed="0"), "Expected `int`, got `str`"),
        (lambda record: record.pop("protocol"), "missing required field `protocol`"),
        (lambda record: record.update(kind="other"), "Invalid value 'other'"),
        (lambda record: record.update(seeds={}), "seeds: holds no scores"),
        (lambda record: record.update(seeds=[1]), "Expected `object`, got `array`"),
        (lambda record: record.update(resampled={"0": [1e300]}), "resampled: is damaged"),
        (lambda record: record.update(resampled={"0": [0.5] * 10_001}), "resampled: is damaged"),
        (lambda record: record.update(entry="oracle"), "Invalid enum value 'oracle'"),
        *[
            (lambda record, value=value: record["seeds"]["0"].update(mcc=value), "seeds.0: is damaged .* of mcc.")
            for value in ({"score": 2.0}, {"score": -0.5}, {"score": "0.9"}, {"score": True}, {"high": 1}, 1e300, "x")
        ],
        (lambda record: record.update(seeds={"<b>": {"mcc": 0.5}}), "seeds: is damaged .'<b>' is no seed"),
    ],
)
def test_damaged_results_are_refused_in_one_line(tmp_path, change, message):
    path = tmp_path / "result.json"
    write_result(result(), path)
    record = json.loads(path.read_text())
    change(record)
    path.write_text(json.dumps(record))
    with pytest.raises(BadInputError, match=message) as caught:
        read_result(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["notes.txt", "notes", "other.json"])
def test_another_file_is_no_place_for_a_result(tmp_path, name):
    (tmp_path / name).write_text("{}" if name.endswith(".json") else "mine")
    with pytest.raises(UsageError, match=r"written as \.json|is another file and no result"):
        write_result(result(), tmp_path / name, overwrite=True)


def test_a_damaged_result_in_a_folder_is_left_out_and_named(tmp_path):
    write_result(result(), tmp_path / "good.json")
    (tmp_path / "half.json").write_bytes((tmp_path / "good.json").read_bytes()[:400])
    (tmp_path / "foreign.json").write_text('{"a": ')
    boards, notes = collect_boards([tmp_path])
    assert [len(board.entries) for board in boards] == [1]
    assert [note for note in notes if "half.json: is damaged" in note]
    assert not [note for note in notes if "foreign" in note]
    with pytest.raises(BadInputError, match=r"half.json: is damaged"):
        collect_boards([tmp_path / "half.json", tmp_path])
    (tmp_path / "good.json").unlink()
    with pytest.raises(BadInputError, match=r"half.json: is damaged"):
        collect_boards([tmp_path])


def test_a_score_that_is_no_number_is_none():
    strange = {"mcc": {"score": "high"}, "a": True, "b": 1e300, "c": None, "d": float("nan")}
    made = result(seeds={"0": strange}, resampled={})
    assert [made.by_seed(name) for name in strange] == [{}] * 5
    assert summary(made) is None
    with pytest.raises(UsageError, match="mcc was not scored"):
        made.score()


# Comparisons


def test_pairs_of_seeds_tell_what_means_cannot():
    """Seeds differ by much, and one entry is ahead on each by little."""
    scores = np.array([0.3, 0.5, 0.7, 0.9])
    one, other = result(scores=np.add(scores, [0.020, 0.021, 0.019, 0.020])), result(scores=scores)
    assert one.interval()[0] < other.interval()[1]
    found = compare_results(one, other)
    assert found.mean == pytest.approx(0.02)
    assert 0.018 < found.interval[0] < found.interval[1] < 0.022
    assert not found.indicative


def test_only_seeds_that_both_have_are_compared():
    one = result(scores=(0.5, 0.7))
    two = msgspec.structs.replace(one, seeds={"1": one.seeds["1"], "9": one.seeds["0"]})
    assert compare_results(one, two).seeds == ["1"]
    assert compare_results(one, two).indicative
    assert compare_results(one, msgspec.structs.replace(one, seeds={"9": one.seeds["0"]})) is None
    with pytest.raises(UsageError, match="different protocols"):
        compare_results(one, result(protocol=OTHER))


# Boards


@pytest.fixture
def folder(tmp_path):
    for name, scores, fields in (
        ("low", (0.4, 0.5), {}),
        ("high", (0.8, 0.9), {}),
        ("floor", (0.6, 0.6), {"entry": "floor"}),
        ("elsewhere", (0.99,), {"protocol": OTHER}),
    ):
        write_result(result(name, scores, **fields), tmp_path / f"results/{name}.json")
    write_result(result("deep", (0.7,)), tmp_path / "results/runs/a/result.json")
    (tmp_path / "results/runs/a/run.json").write_text('{"settings": {}}')
    (tmp_path / "results/runs/a/broken.json").write_text("{")
    return tmp_path / "results"


def test_ranks_are_within_a_protocol_and_floors_have_none(folder):
    boards, notes = collect_boards([folder])
    assert [board.protocol for board in boards] == [HERE, OTHER]
    assert [(entry.rank, entry.result.name) for entry in boards[0].entries] == [
        (1, "high"), (2, "deep"), (None, "floor"), (3, "low"),
    ]  # fmt: skip
    assert boards[0].entries[0].difference is None
    assert boards[0].entries[1].difference.seeds == ["0"]
    assert boards[0].entries[3].difference.mean == pytest.approx(-0.4)
    assert [entry.rank for entry in boards[1].entries] == [1]
    assert any(f"{HERE.id} has no ceiling" in note for note in notes)
    assert any(f"{OTHER.id} has no floor and no ceiling" in note for note in notes)


def test_scores_that_differ_by_rounding_have_the_same_rank(tmp_path):
    for name, scores in (("z", (1.0,)), ("a", (1 - 1e-16,)), ("c", (0.5,))):
        write_result(result(name, scores), tmp_path / f"{name}.json")
    (board,), _ = collect_boards([tmp_path])
    assert [(entry.rank, entry.result.name) for entry in board.entries] == [(1, "a"), (1, "z"), (3, "c")]
    assert cells(board.entries[1], "mcc")[6].startswith("+0.000")
    write_boards([board], [], tmp_path / "board.html")
    assert "a and z are first of 3" in (tmp_path / "board.html").read_text()


def test_a_file_is_read_once_and_links_are_not_followed(folder, tmp_path):
    (folder / "again.json").symlink_to(folder / "low.json")
    (folder / "loop").symlink_to(folder)
    boards, _ = collect_boards([folder, folder / "low.json", folder / "runs"])
    assert [entry.result.name for entry in boards[0].entries].count("low") == 1


def test_what_is_no_result_is_refused(folder, tmp_path):
    for paths, error, message in (
        ([tmp_path / "none"], UsageError, "no such file or folder"),
        ([folder / "runs/a/run.json"], BadInputError, "is damaged"),
        ([folder / "runs/a/broken.json"], BadInputError, "is damaged"),
    ):
        with pytest.raises(error, match=message):
            collect_boards(paths)
    (folder / "runs/a/result.json").write_text("{")
    assert any("result.json: is damaged" in note for note in collect_boards([folder])[1])
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="no result"):
        collect_boards([tmp_path / "empty"])
    with pytest.raises(UsageError, match="unknown metric 'fid'"):
        collect_boards([folder / "low.json"], "fid")
    with pytest.raises(UsageError, match="sap was not scored in any of 1"):
        collect_boards([folder / "low.json"], "sap")
    with pytest.raises(UsageError, match=r"a board is written as \.html, \.md, \.csv"):
        write_boards(*collect_boards([folder / "low.json"]), tmp_path / "b.xlsx")


def test_the_page_stands_alone_and_escapes_whatever_results_say(folder, tmp_path):
    write_result(result(HOSTILE, (0.3,), notes=[HOSTILE]), folder / "hostile.json")
    boards, notes = collect_boards([folder])
    write_boards(boards, notes, tmp_path / "board.html")
    text = (tmp_path / "board.html").read_text()
    outline = Outline(re.sub(r"<script>.*?</script>", "", text, flags=re.S))
    assert text.count("<script>") == 1
    assert not {"script", "img", "link", "iframe"} & set(outline.tags)
    assert not re.search(r"""(?:src|href)=["']?(?:https?:)?//""", text)
    assert outline.words.count(HOSTILE) == 3  # its name, its note, and with its file
    assert outline.tags.count("svg") == sum(len(board.entries) for board in boards)
    for published in PUBLISHED:
        assert published.score in outline.words
    assert f"Protocol {HERE.id}" in outline.words
    spans = [each for each in outline.attributes["rect"] if each["class"] == "span"]
    assert len(spans) == 6
    for each in spans:
        assert (
            0
            <= float(each["x"].rstrip("%"))
            <= float(each["x"].rstrip("%")) + float(each["width"].rstrip("%"))
            <= 100.01
        )


def test_markdown_and_csv(folder, tmp_path):
    write_result(result("=1+1|<b>", (0.3,)), folder / "hostile.json")
    boards, notes = collect_boards([folder])
    write_boards(boards, notes, tmp_path / "b.md")
    text = (tmp_path / "b.md").read_text()
    assert f"## Protocol {HERE.id}" in text
    assert "=1+1\\|&lt;b>" in text
    assert "| floor (floor) |  | 0.600 |" in text
    assert "90.9" in text
    write_boards(boards, notes, tmp_path / "b.csv")
    rows = list(csv.DictReader(io.StringIO((tmp_path / "b.csv").read_text())))
    assert [row["name"] for row in rows] == ["high", "deep", "floor", "low", "'=1+1|<b>", "elsewhere"]
    assert (float(rows[0]["mean"]), rows[0]["rank"], rows[2]["rank"]) == (pytest.approx(0.85), "1", "")
    assert float(rows[3]["difference"]) == pytest.approx(-0.4)


def test_the_command(folder, tmp_path):
    shown = CliRunner().invoke(datagen, ["leaderboard", str(folder)])
    assert shown.exit_code == 0, shown.output
    assert HERE.describe() in shown.output
    boards = json.loads(CliRunner().invoke(datagen, ["leaderboard", str(folder), "--json"]).output)
    assert [entry["rank"] for entry in boards["boards"][0]["entries"]] == [1, 2, None, 3]
    out = ["leaderboard", str(folder), "--out", str(tmp_path / "b.html")]
    assert "6 entries" not in CliRunner().invoke(datagen, [*out, "--quiet"]).output
    assert "b.html" in str(CliRunner().invoke(datagen, out).exception)
