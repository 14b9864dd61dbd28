import json

import pytest
from test_statistics_summary import check_json

from cli.main import main
from datagen import store
from datagen.checks import check_file
from datagen.files import sha256_file
from datagen.statistics import summarize
from datagen.store.tables import load


@pytest.fixture
def file(kitti, tmp_path):
    store.save(kitti, tmp_path / "kitti.npz")
    return tmp_path / "kitti.npz"


def run(capsys, *arguments):
    with pytest.raises(SystemExit) as done:
        main(["stats", *(str(argument) for argument in arguments)])
    captured = capsys.readouterr()
    return done.value.code or 0, captured.out, captured.err


def test_json_is_the_summary(file, capsys):
    code, out, err = run(capsys, file, "--fit-laplace", "--by", "category", "--bootstrap", 10, "--seed", 3, "--json")
    assert (code, err) == (0, "")
    expected = check_json(summarize(load(file), "category", bootstrap=10, seed=3))
    assert json.loads(out) == {"file": str(file), **expected}


def test_table_is_in_the_papers_order(file, capsys):
    code, out, _ = run(
        capsys, file, "--fit", "all", "--mi", "--by", "sequence", "--delta-t", "1,2", "--verbose", "--bootstrap", 5
    )
    assert code == 0
    header = next(line for line in out.splitlines() if "┃ area" in line)
    assert header.index("area") < header.index(" x ") < header.index(" y ")
    group = summarize(load(file)).groups[0]
    assert f"{group.kurtosis['area']:.4g}" in out
    for what in (
        "excess kurtosis",
        "gennorm log-likelihood",
        "cauchy AIC",
        "Spearman",
        "mutual information",
        "2 frames",
    ):
        assert what in out


def test_verdict_comes_first_and_all_fits_80_columns(file, capsys):
    code, out, _ = run(
        capsys, file, "--within", "object", "--within", "video", "--by", "video", "--mi", "--bootstrap", 20
    )
    assert code == 0
    verdict = summarize(load(file), fits=("gennorm",), bootstrap=20, levels=("video", "object")).groups[0].verdict
    lines = out.splitlines()
    assert " ".join(lines).startswith(f"{verdict[:1].upper()}{verdict[1:]}.")
    assert max(map(len, map(str.rstrip, lines))) <= 80
    assert "within object" in out
    assert "published" not in out


def test_intervals_are_those_of_validate(file, capsys):
    _, out, _ = run(capsys, file, "--json")
    fits = json.loads(out)["groups"][0]["fits"]
    checks = {check.name: check for check in check_file(file)[0]}
    for factor, found in fits.items():
        interval = found.get("gennorm_rounded", found["gennorm"])["shape_interval"]
        assert f"{interval['low']:.3f} to {interval['high']:.3f}" in checks[f"temporal sparsity of {factor}"].detail


def test_without_replicates_there_is_no_interval(file, capsys):
    code, out, _ = run(capsys, file, "--bootstrap", 0)
    assert code == 0
    assert "95 %" not in out
    assert "without an interval" in " ".join(out.split())


@pytest.mark.realdata
def test_published_figures_stand_beside_those_of_the_published_data(real_kitti, tmp_path, capsys):
    store.save(real_kitti, tmp_path / "kitti.npz")
    code, out, _ = run(capsys, tmp_path / "kitti.npz", "--bootstrap", 0)
    assert code == 0
    assert sum("published" in line and "68.92" in line for line in out.splitlines()) == 1
    assert "published: of KITTI Masks" in out


def test_distances_in_time_and_mixed_rates(file, tmp_path, capsys):
    """The sample has the form of KITTI MOTS, whose rate is known, and of sequences that MOTSChallenge does not have."""
    report = tmp_path / "stats.html"
    code, out, err = run(capsys, file, "--delta-ms", "100,200", "--report", report)
    assert code == 0
    mixed, unknown = err.splitlines()
    assert "rates are mixed: 10 frames a second (kitti-mots), an unknown rate (motschallenge)" in mixed
    assert "motschallenge has no distance in time" in unknown
    line = "200 ms: 2 frames of kitti-mots (10 a second), which are 200 ms"
    assert line in out
    assert line in report.read_text()
    assert "an unknown rate (motschallenge)" in report.read_text()
    code, out, err = run(capsys, file, "--delta-ms", 100, "--json")
    assert (code, err) == (0, "")
    assert len(json.loads(out)["warnings"]) == 2


@pytest.mark.golden
@pytest.mark.parametrize("name", ["downscale_keepaspect.csv", "kitti_peds_v2.pickle"])
def test_files_of_the_release(golden, capsys, name):
    code, out, _ = run(capsys, golden / "release" / name, "--json")
    assert code == 0
    assert json.loads(out)["groups"][0]["n"] == {"d": 263, "k": 313}[name[0]]


def test_pictures_and_report(file, tmp_path, capsys):
    folder = tmp_path / "figures"
    folder.mkdir()
    report = tmp_path / "stats.html"
    report.write_text("an earlier one")
    code, out, _ = run(capsys, file, "--figures", folder, "--report", report, "--quiet", "--overwrite")
    assert (code, out) == (0, "")
    assert {path.suffix for path in folder.iterdir()} == {".png", ".pdf", ".svg"}
    page = report.read_text()
    assert page.startswith("<!doctype html>")
    assert f"<dd>datagen stats {file} --figures {folder} --report {report} --quiet --overwrite</dd>" in page
    assert sha256_file(file) in page
    for option in (["--report", report], ["--figures", folder]):
        code, _, err = run(capsys, file, *option)
        assert code == 2
        assert "exists; pass --overwrite" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["absent.npz"], "no such file"),
        (["FILE", "--delta-t", "1,x"], "no list of whole numbers"),
        (["FILE", "--delta-t", "0"], "at least 1"),
        (["FILE", "--delta-ms", "33,x"], "no list of whole numbers"),
        (["FILE", "--delta-ms", "0"], "at least 1"),
        (["FILE", "--by", "colour"], "colour"),
        (["FILE", "--report", "FILE/stats.html"], "is no folder"),
        (["FILE", "--report", "stats.npz"], "is a web page"),
    ],
    ids=str,
)
def test_wrong_calls_are_one_line_with_exit_code_2(file, capsys, arguments, message):
    code, out, err = run(capsys, *(str(argument).replace("FILE", str(file)) for argument in arguments))
    assert (code, out) == (2, "")
    assert message in err
