"""The scores of runs in one table."""

import csv

import pytest
from click.testing import CliRunner

from cli.main import datagen
from datagen.errors import BadInputError, UsageError
from datagen.records import write_record
from slowvae.runs import DataFile, write_run
from slowvae.settings import Settings
from slowvae.table import collect, write_table


def made(folder, seeds, settings=None, data="shapes3d", iteration=1000, scored_on=None, sha256=None, **scores):
    """Write a run and its scores: of each metric a list, one score a seed."""
    folder.mkdir(parents=True)
    settings = settings or Settings(prior="laplace", prior_rate=1.0)
    write_run(folder, settings, DataFile(f"{data}.h5", sha256 or data), "here", "finished")
    values = {
        str(seed): {name.replace("_", "-"): each[number] for name, each in scores.items()}
        for number, seed in enumerate(seeds)
    }
    scored = {"path": f"{scored_on}.h5", "sha256": scored_on} if scored_on else {"path": data, "sha256": sha256 or data}
    write_record(folder / "scores.json", {"data": scored, "iteration": iteration, "seeds": values})
    return folder


def mcc(score):
    return {"score": score, "protocol": "klindt2021"}


def test_mean_and_deviation_over_seeds(tmp_path):
    made(tmp_path / "a", (0, 1), mcc=[mcc(0.5), mcc(0.7)], mig=[0.1, 0.3], dci=[{"disentanglement": 0.4}] * 2)
    made(tmp_path / "b", (2,), mcc=[mcc(0.9)])
    (row,) = collect([tmp_path / "a", tmp_path / "b"]).rows
    assert (row.dataset, row.prior, row.model, row.iterations) == ("shapes3d", "laplace, rate 1", "slowvae", 1000)
    assert (row.cells["mcc"].mean, row.cells["mcc"].deviation, row.cells["mcc"].seeds) == (
        pytest.approx(0.7),
        pytest.approx(0.2),
        3,
    )
    assert (row.cells["mig"].deviation, row.cells["mig"].seeds) == (pytest.approx(0.02**0.5), 2)
    assert row.cells["dci"].mean == pytest.approx(0.4)


def test_rows_by_file_pairs_model_and_length(tmp_path):
    made(tmp_path / "a", (0,), mcc=[mcc(0.5)])
    made(tmp_path / "b", (0,), Settings(prior="uniform"), mcc=[mcc(0.6)])
    made(tmp_path / "c", (0,), Settings(model="beta-vae", prior="uniform"), mig=[0.2])
    made(tmp_path / "d", (0,), Settings(max_delta_t=3), data="kitti", mcc=[mcc(0.7)])
    made(tmp_path / "e", (0,), iteration=2000, mcc=[mcc(0.8)])
    made(tmp_path / "f", (0,), Settings(prior="laplace", prior_rate="random"), mcc=[mcc(0.4)])
    made(tmp_path / "g", (0,), Settings(prior="uniform", prior_k=2), mcc=[mcc(0.3)])
    table = collect(sorted(tmp_path.iterdir()))
    assert [(row.dataset, row.prior, row.model, row.iterations) for row in table.rows] == [
        ("kitti", "time, max_delta_t 3", "slowvae", 1000),
        ("shapes3d", "laplace, random rate", "slowvae", 1000),
        ("shapes3d", "laplace, rate 1", "slowvae", 1000),
        ("shapes3d", "laplace, rate 1", "slowvae", 2000),
        ("shapes3d", "uniform", "beta-vae", 1000),
        ("shapes3d", "uniform", "slowvae", 1000),
        ("shapes3d", "uniform, k 2", "slowvae", 1000),
    ]
    assert table.metrics == ("mcc", "mig")
    assert table.notes == ["MCC of the protocol klindt2021"]


def test_rows_that_look_alike_say_what_differs(tmp_path):
    for name, gamma in (("a", 5.0), ("b", 10.0)):
        made(tmp_path / name, (0,), Settings(prior="laplace", prior_rate=1.0, gamma=gamma), mcc=[mcc(gamma / 20)])
    table = collect([tmp_path / "b", tmp_path / "a"])
    assert {row.model: row.cells["mcc"].mean for row in table.rows} == {
        "slowvae (gamma 5.0)": 0.25,
        "slowvae (gamma 10.0)": 0.5,
    }


def test_protocols_that_differ_are_named(tmp_path):
    made(tmp_path / "a", (0,), mcc=[mcc(0.5)])
    made(tmp_path / "b", (1,), mcc=[{"score": 0.25, "protocol": "held-out"}])
    table = collect([tmp_path / "a", tmp_path / "b"])
    assert "protocols, which do not compare, held-out, klindt2021" in table.notes[0]
    (row,) = table.rows
    assert table.metrics == ("mcc (held-out)", "mcc (klindt2021)")
    assert {name: (cell.mean, cell.seeds) for name, cell in row.cells.items()} == {
        "mcc (held-out)": (0.25, 1),
        "mcc (klindt2021)": (0.5, 1),
    }


def test_scores_of_another_file_are_not_those_of_the_one_trained_on(tmp_path):
    made(tmp_path / "a", (0,), mcc=[mcc(0.5)])
    made(tmp_path / "b", (1,), scored_on="mpi3d-toy", mcc=[mcc(0.2)])
    rows = collect([tmp_path / "a", tmp_path / "b"]).rows
    assert {row.dataset: row.cells["mcc"].mean for row in rows} == {
        "mpi3d-toy (trained on shapes3d)": 0.2,
        "shapes3d": 0.5,
    }


def test_files_of_one_name_are_told_apart(tmp_path):
    made(tmp_path / "a", (0,), sha256="0123456789", mcc=[mcc(0.5)])
    made(tmp_path / "b", (0,), sha256="abcdefghij", mcc=[mcc(0.2)])
    assert {row.dataset: row.cells["mcc"].mean for row in collect([tmp_path / "a", tmp_path / "b"]).rows} == {
        "shapes3d (sha256 01234567)": 0.5,
        "shapes3d (sha256 abcdefgh)": 0.2,
    }


def test_what_was_not_scored_is_named(tmp_path):
    made(tmp_path / "a", (0,), mcc=[mcc(0.5)])
    made(tmp_path / "b", (1,))
    (tmp_path / "b/scores.json").unlink()
    assert collect([tmp_path / "a", tmp_path / "b"]).notes[0] == (
        f"{tmp_path / 'b'} was not scored; `datagen evaluate` does that"
    )
    with pytest.raises(UsageError, match="b was not scored"):
        collect([tmp_path / "b"])


def test_what_cannot_be(tmp_path):
    made(tmp_path / "a", (0,), mcc=[mcc(0.5)])
    made(tmp_path / "b", (0,), mcc=[mcc(0.5)])
    with pytest.raises(UsageError, match="seed 0 of the same run"):
        collect([tmp_path / "a", tmp_path / "b"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="holds no run"):
        collect([tmp_path / "empty"])
    (tmp_path / "b/scores.json").write_text('{"seeds": 3}')
    with pytest.raises(BadInputError, match=r"scores\.json"):
        collect([tmp_path / "b"])
    with pytest.raises(UsageError, match=r"a table is written as \.md, \.tex, \.csv"):
        write_table(collect([tmp_path / "a"]), tmp_path / "t.xlsx")


def test_three_forms(tmp_path):
    made(tmp_path / "a", (0, 1), data="a_b&c|d", mcc=[mcc(0.5), mcc(0.7)])
    made(tmp_path / "b", (0,), Settings(prior="uniform"), data="a_b&c|d", mig=[0.25])
    table = collect([tmp_path / "a", tmp_path / "b"])
    for suffix in ("md", "tex", "csv"):
        write_table(table, tmp_path / f"t.{suffix}")
    markdown = (tmp_path / "t.md").read_text().splitlines()
    assert markdown[0] == "| data set | pairs | model | iterations | mcc | mig |"
    assert markdown[2] == r"| a_b&c\|d | laplace, rate 1 | slowvae | 1000 | 60.0 ± 14.1 |  |"
    assert markdown[3] == r"| a_b&c\|d | uniform | slowvae | 1000 |  | 25.0 |"
    latex = (tmp_path / "t.tex").read_text()
    assert r"a\_b\&c|d & laplace, rate 1 & slowvae & 1000 & 60.0 $\pm$ 14.1 &  \\" in latex
    with (tmp_path / "t.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert float(rows[0]["mcc_mean"]) == pytest.approx(0.6)
    assert (rows[0]["mcc_seeds"], rows[0]["mig_mean"], rows[1]["mcc_mean"]) == ("2", "", "")
    with pytest.raises(UsageError, match="exists; pass --overwrite"):
        write_table(table, tmp_path / "t.md")


def test_a_deviation_of_0_is_shown(tmp_path):
    made(tmp_path / "a", (0, 1), mcc=[mcc(0.5), mcc(0.5)])
    (line,) = (x for x in CliRunner().invoke(datagen, ["table", str(tmp_path / "a")]).output.splitlines() if "0.5" in x)
    assert [cell.strip() for cell in line.split("│")[6:9]] == ["0.5", "0", "2"]


def test_the_command(tmp_path):
    made(tmp_path / "a", (0, 1), mcc=[mcc(0.5), mcc(0.7)])
    shown = CliRunner().invoke(datagen, ["table", str(tmp_path / "a")])
    assert shown.exit_code == 0
    assert "0.6" in shown.output
    assert "MCC of the protocol klindt2021" in shown.output
    written = CliRunner().invoke(datagen, ["table", str(tmp_path / "a"), "--out", str(tmp_path / "t.md")])
    assert written.exit_code == 0
    assert "1 row, 1 metric" in written.output
