"""The commands on grids, end to end on small samples, and what they say of bad input."""

import json
from dataclasses import replace

import grids
import numpy as np
import pytest

from cli.main import main
from datagen import store
from datagen.datasets import Factor, Sequences
from datagen.errors import DatagenError
from datagen.grids.pairs import draw_pairs
from datagen.grids.priors import Laplace
from datagen.grids.sets import SETS
from datagen.preview import contact_sheet
from datagen.releases.cards import describe_dataset


def run(*arguments):
    with pytest.raises(SystemExit) as stopped:
        main([str(argument) for argument in arguments])
    return stopped.value.code


def lines(capsys):
    return capsys.readouterr().err.strip().splitlines()


@pytest.fixture(scope="module")
def shapes3d(tmp_path_factory):
    path = tmp_path_factory.mktemp("cli") / "shapes3d.h5"
    store.save(grids.grid("shapes3d"), path)
    return path


def test_from_a_sample_to_pairs(tmp_path, capsys):
    source, grid, pairs = tmp_path / "3dshapes.h5", tmp_path / "grid.h5", tmp_path / "lap.npz"
    assert run("sample", "grid", "shapes3d", "--small", "--out", source) == 0
    assert "2,880 images, 3 x 3 x 4 x 4 x 4 x 5 values" in capsys.readouterr().out
    assert run("grid", "--source", source, "--out", grid) == 0
    out, err = capsys.readouterr()
    assert "3D Shapes: floor_hue 3, wall_hue 3" in out
    assert "grid.h5: 2,880 images" in out
    assert "the whole of 3D Shapes has 10 x 10 x 10 x 8 x 4 x 15" in err
    assert run("info", grid) == 0
    out = capsys.readouterr().out
    assert "licence of shapes3d" in out
    assert "Apache-2.0" in out
    assert run("verify", grid) == 0
    assert run("preview", grid, "--out", tmp_path / "s.png") == 0
    assert run("pairs", grid, "--prior", "laplace", "--pairs", 500, "--out", pairs) == 0
    assert "500 pairs, factors" in capsys.readouterr().out
    assert store.load(pairs).manifest["inputs"].keys() == {"grid.h5"}


def test_answers_in_json(shapes3d, tmp_path, capsys):
    assert run("grid", "--source", grids.sample("smallnorb"), "--out", tmp_path / "n.zarr", "--json") == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["factor_sizes"] == {"category": 5, "instance": 4, "elevation": 3, "azimuth": 6, "lighting": 2}
    assert answer["parameters"]["set"] == "smallnorb"
    assert len(answer["inputs"]) == 6
    options = ("--prior", "uniform", "--k", 2, "--pairs", 50, "--images", "--json")
    assert run("pairs", shapes3d, *options, "--out", tmp_path / "u.h5") == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["parameters"] == {"prior": "uniform", "k": 2, "pairs": 50, "seed": 0}
    pairs = store.load(tmp_path / "u.h5")
    factors = pairs.factors.reshape(50, 2, -1)
    assert ((factors[:, 0] != factors[:, 1]).sum(axis=1) == 2).all()
    assert pairs.images.shape == (100, 64, 64, 3)


def test_natural_pairs_need_transitions(tmp_path, capsys):
    store.save(grids.grid("dsprites"), tmp_path / "d.h5")
    table = tmp_path / "t.csv"
    head = "source,video,object_id,category,window,frame,y_before,y_after,x_before,x_after,area_before,area_after\n"
    table.write_text(head + "a,v,1,cat,0,0,10.0,10.0,10.0,20.0,100,100\n")
    options = ("pairs", tmp_path / "d.h5", "--prior", "natural", "--pairs", 20, "--out", tmp_path / "n.npz")
    assert run(*options, "--transitions", table) == 0
    factors = store.load(tmp_path / "n.npz").factors.reshape(20, 2, 5)
    # 10 pixels are two of eight positions from 16 to 47.
    np.testing.assert_array_equal(factors[:, 1, 3], np.minimum(factors[:, 0, 3] + 2, 7))
    assert run(*options, "--overwrite") == 2
    assert "needs a table of transitions" in lines(capsys)[-1]


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("--prior", "normal"), 2, "'normal' is not one of"),
        (("--prior", "uniform", "--rate", "2"), 2, "rate belongs to the prior laplace"),
        (("--k", "2"), 2, "k belongs to the prior uniform"),
        (("--rate", "2", "--random-rate"), 2, "exclude each other"),
        (("--prior", "uniform", "--k", "7"), 2, "of 6 factors only 6 can change"),
        (("--pairs", "0"), 2, "0 is not in the range"),
        (("--rate", "nan"), 2, "is no number"),
    ],
)
def test_options_that_make_no_sense(shapes3d, tmp_path, capsys, arguments, code, says):
    assert run("pairs", shapes3d, *arguments, "--out", tmp_path / "p.npz") == code
    assert says in lines(capsys)[-1]
    assert list(tmp_path.iterdir()) == []


def test_what_a_package_says_of_a_grid():
    norb = grids.grid("smallnorb")
    with pytest.raises(DatagenError, match="smallnorb is 'for research only, not to be sold', which is"):
        describe_dataset(norb, licence="CC-BY-4.0")
    (source,) = norb.manifest["sources"]
    described = describe_dataset(replace(norb, manifest={**norb.manifest, "sources": [{**source, "licence": "MIT"}]}))
    assert described.title == "small NORB: a grid of factors"
    assert described.licences == ["MIT"]
    assert "instance (4 values)" in described.summary
    assert "Metrics do not score instance" in described.limits[1]
    assert described.release is None
    pairs = draw_pairs(grids.grid("shapes3d"), Laplace(), 10)
    assert describe_dataset(pairs).title == "3D Shapes: pairs"
    with pytest.raises(DatagenError, match=r"Cars3D states no licence, .* without its authors' consent$"):
        describe_dataset(grids.grid("cars3d"))
    with pytest.raises(DatagenError, match="does not say what it was made from"):
        describe_dataset(replace(pairs, manifest={}))


def test_what_is_no_grid_is_refused(tmp_path, capsys):
    store.save(Sequences.from_masks([np.ones((2, 8, 8), dtype=bool)]), tmp_path / "masks.npz")
    assert run("pairs", tmp_path / "masks.npz", "--out", tmp_path / "p.npz") == 2
    assert "is no grid" in lines(capsys)[-1]
    assert run("grid", "--source", tmp_path / "masks.npz", "--out", tmp_path / "g.h5") == 1
    assert "is no file of a set that is read" in lines(capsys)[-1]
    assert run("grid", "--source", tmp_path / "nowhere", "--out", tmp_path / "g.h5") == 2
    assert run("grid", "--source", grids.sample("dsprites"), "--out", tmp_path / "g.txt") == 2
    assert run("sample", "grid", "celeba", "--out", tmp_path / "x") == 2
    assert "unknown set 'celeba'" in lines(capsys)[-1]
    assert [path.name for path in tmp_path.iterdir()] == ["masks.npz"]


def test_a_truncated_source_leaves_nothing(tmp_path, capsys):
    source = tmp_path / "dsprites.npz"
    source.write_bytes(grids.sample("dsprites").read_bytes()[:-3000])
    assert run("grid", "--source", source, "--out", tmp_path / "g.h5") == 1
    assert len(lines(capsys)) == 1
    assert list(tmp_path.iterdir()) == [source]


def test_a_table_gives_the_grid_of_natural_sprites(tmp_path, monkeypatch, capsys):
    info = [Factor(name, "", (0, 1), 2) for name in ("x", "y")]
    small = Sequences.of_grid(np.arange(4, dtype=np.uint8).repeat(64).reshape(4, 8, 8), info)
    given = []
    monkeypatch.setattr(
        "natsprites.grid.sprite_grid", lambda table, inputs: given.append((len(table), inputs)) or small
    )
    table = tmp_path / "t.csv"
    head = "source,video,object_id,category,window,frame,y_before,y_after,x_before,x_after,area_before,area_after\n"
    table.write_text(head + "a,v,1,cat,0,0,10.0,10.0,10.0,20.0,100,100\n")
    assert run("grid", "--source", table, "--out", tmp_path / "g.npz") == 0
    assert "Natural Sprites: x 2, y 2" in capsys.readouterr().out
    assert given[0][0] == 1
    assert given[0][1].keys() == {"t.csv"}


def test_a_row_of_the_sheet_is_a_factor():
    info = [Factor("x", "", (0, 2), 3), Factor("one", "", (0, 0), 1), Factor("z", "", (0, 4), 5)]
    images = np.arange(15, dtype=np.uint8).repeat(64).reshape(15, 8, 8)
    sheet = np.asarray(contact_sheet(Sequences.of_grid(images, info)))[:, :, 0]
    assert sheet.shape == (2 * 23 + 2, 5 * 10 + 2)  # over each row its name
    middles = sheet[19::23, 6::10]
    assert middles[0].tolist() == [2, 7, 12, 250, 250]  # x, with z at its middle
    assert middles[1].tolist() == [5, 6, 7, 8, 9]  # z, with x at its middle


def test_the_help_of_every_set_is_there(capsys):
    assert run("download", "--list", "--json") == 0
    listed = json.loads(capsys.readouterr().out)["sets"]
    assert listed.keys() == SETS.keys()
    assert run("download", "--help") == 0
    text = " ".join(capsys.readouterr().out.split())
    assert all(name in text for name in SETS)
