import copy
import json
import re
import shutil
import warnings
import zipfile
from contextlib import suppress
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from annotations import FIRST, HEIGHT, WIDTH, as_text, coco_vid, write, youtube_vis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_bdd100k import scalabel
from test_burst import burst, sequence
from test_cli import run
from test_label_maps import LABELS, davis, lay, youtube_vos
from test_label_maps import sa_v as sa_v_maps
from test_label_maps import step as step_maps
from test_sa_v import sa_v
from test_video_results import RESULTS

import datagen.readers as readers_package
from datagen.errors import BadInputError, DatagenError, DatagenWarning, UsageError
from datagen.measure import measure
from datagen.readers import annotated_sets, describe_sources, find_videos, readers

DOCS = Path(__file__).parent.parent / "docs"

FILES = {
    "bdd100k": scalabel(),
    "burst": burst(sequence(), sequence("b")),
    "coco-vid": coco_vid(),
    "results": RESULTS,
    "sa-v": sa_v(),
    "youtube-vis": youtube_vis(),
}


def test_every_reader_says_all_of_itself():
    for name, each in readers().items():
        assert re.fullmatch(r"[a-z0-9-]+", name)
        assert each.title
    for each in annotated_sets().values():
        unstated = {"licence"} if each.id.startswith("davis-") else set()  # whose authors state none
        assert {name for name, text in each.described().items() if not text} == unstated
        assert each.how_to_get
        assert each.url.startswith("https://")
    ids = [each.id for reader in readers().values() for each in reader.sets]
    assert len(set(ids)) == len(ids)
    assert describe_sources(["ovis", "mine"]) == [annotated_sets()["ovis"].described(), {"id": "mine"}]


def test_the_files_the_command_and_the_docs_have_the_same_formats(capsys):
    files = [path for path in Path(readers_package.__file__).parent.glob("*.py") if "\nREADER = " in path.read_text()]
    table = (DOCS / "transitions.md").read_text().partition("| `--format` |")[2].partition("\n\n")[0]
    documented = re.findall(r"^\| `([^`]+)` \|", table, re.MULTILINE)
    listed = json.loads(run(capsys, "formats", "--json")[1])["formats"]
    assert documented == sorted(readers()) == [each["name"] for each in listed]
    assert len(files) == len(documented)  # no two of one name


def test_a_format_that_is_named_is_the_only_one_asked(tmp_path):
    path = write(tmp_path / "train.json", youtube_vis())
    assert len(find_videos(path, format="youtube-vis")) == 3
    assert len(measure(path, format="youtube-vis").videos) == 3
    for name in ("coco-vid", "mots", "sa-v", "burst", "bdd100k", "results"):
        with pytest.raises(DatagenError, match=f"nothing here is of format {name} "):
            find_videos(path, format=name)
        with pytest.raises(DatagenError, match=f"nothing here is of format {name} "):
            find_videos(tmp_path, format=name)
    assert find_videos(write(path, coco_vid()), format="coco-vid")
    with pytest.raises(
        UsageError, match=r"unknown format 'Youtube_VOS'; did you mean 'youtube-v.s'\? There are .*sa-v"
    ):
        find_videos(path, format="Youtube_VOS")
    with pytest.raises(UsageError, match="unknown format 7; there are"):
        find_videos(path, format=7)


def test_a_folder_of_several_formats(tmp_path, mots):
    shutil.copytree(mots, tmp_path / "mots")
    write(tmp_path / "sav_000001_manual.json", sa_v())
    assert {video.source for video in find_videos(tmp_path)} == {"kitti-mots", "motschallenge", "sa-v"}
    assert len(find_videos(tmp_path, format="sa-v")) == 1
    with pytest.warns(DatagenWarning, match="holds SA-V's annotations in JSON"):
        assert len(find_videos(tmp_path, format="mots")) == 4


IN_ONE_FILE = sorted(FILES.keys() - {"bdd100k", "sa-v"})


@pytest.mark.parametrize("name", IN_ONE_FILE)
@pytest.mark.filterwarnings("ignore:.*masks that a machine made")
def test_json_of_a_whole_set_is_read_in_a_folder(tmp_path, name):
    path = write(tmp_path / "set/annotations/file.json", FILES[name])
    write(tmp_path / "set/notes.json", {"about": "this set"})
    alone = [(video.source, video.name, video.path) for video in find_videos(path)]
    for format in (None, name):
        with warnings.catch_warnings():
            warnings.filterwarnings("error", message=".*not all that lies there")
            found = find_videos(tmp_path, format=format)
        assert [(video.source, video.name, video.path) for video in found] == alone


def test_several_json_files_of_one_format_are_named(tmp_path):
    write(tmp_path / "train.json", youtube_vis())
    valid = write(tmp_path / "valid.json", youtube_vis() | {"annotations": None})
    both = r"train\.json and .*valid\.json are both of format youtube-vis; give the one to read"
    for format in (None, "youtube-vis"):
        with pytest.raises(UsageError, match=both):
            find_videos(tmp_path, format=format)
    valid.unlink()
    write(tmp_path / "more/burst.json", FILES["burst"])
    with pytest.warns(DatagenWarning, match="that a machine made"):
        assert len(find_videos(tmp_path)) == 5  # one of each format
    with pytest.warns(DatagenWarning, match=r"more holds annotations in JSON; give the file itself, .*burst\.json"):
        assert len(find_videos(tmp_path, format="youtube-vis")) == 3


def test_what_is_not_read_beside_json_is_named_but_for_stores(tmp_path):
    write(tmp_path / "train.json", youtube_vis())
    write(tmp_path / "built.zarr/zarr.json", {"attributes": {"sequences": ["a"]}})
    with warnings.catch_warnings():
        warnings.simplefilter("error", DatagenWarning)
        assert len(find_videos(tmp_path)) == 3
    coco = {"images": [{"id": 1}], "annotations": [], "categories": []}
    write(tmp_path / "z.json", coco)
    with pytest.warns(DatagenWarning, match=r"give the file itself, .*z\.json"):
        assert len(find_videos(tmp_path)) == 3
    write(tmp_path / "z.json", '{"videos": [')
    with pytest.raises(BadInputError, match=r"z\.json.* is damaged"):
        find_videos(tmp_path)
    write(tmp_path / "y.json", '{"videos": [')
    with pytest.raises(BadInputError, match=r"y\.json.* is damaged"):
        find_videos(tmp_path)
    write(tmp_path / "coco/z.json", coco)
    with pytest.raises(BadInputError, match=r"z\.json: is COCO's form for single pictures"):
        find_videos(tmp_path / "coco")
    with pytest.raises(DatagenError, match=r"built\.zarr: no annotations here; "):
        find_videos(tmp_path / "built.zarr")


@pytest.mark.realdata
@pytest.mark.parametrize("name", ["ovis-labelformat", "youtube-vis-tfds", "youtube-vis-mmtracking"])
def test_real_folders_of_one_json_file(realdata, name):
    (path,) = (realdata / name).glob("*.json")
    for format in (None, "youtube-vis" if name != "youtube-vis-mmtracking" else "coco-vid"):
        assert [(each.source, each.name, each.path) for each in find_videos(realdata / name, format=format)] == [
            (each.source, each.name, path) for each in find_videos(path)
        ]


def test_formats_are_listed(capsys):
    code, output, _ = run(capsys, "formats")
    assert code == 0
    for name in [*readers(), *annotated_sets()]:
        assert name in output
    code, output, _ = run(capsys, "formats", "--json")
    listed = json.loads(output)["formats"]
    assert [each["name"] for each in listed] == sorted(readers())
    sets = {known["id"]: known for each in listed for known in each["sets"]}
    assert sets["sa-v"]["frames_per_second"] == 6
    assert sets["ovis"]["frames_per_second"] is None
    assert set(sets) == set(annotated_sets())


def test_the_command_takes_the_name_of_a_format(capsys, tmp_path):
    path, out = write(tmp_path / "train.json", youtube_vis()), tmp_path / "table.csv"
    arguments = ["transitions", "--source", path, "--table", out, "--format"]
    assert run(capsys, *arguments, "youtube-vis", "--quiet")[0] == 0
    code, _, err = run(capsys, *arguments, "youtube-vois", "--overwrite")
    assert code == 2
    assert "unknown format 'youtube-vois'; did you mean 'youtube-v" in err


def arrays(root):
    np.save(root / "own.npy", LABELS)
    return root / "own.npy"


def mots_texts(root):
    mask = as_text(FIRST)["counts"]
    lines = [f"{frame} {number} 2 {HEIGHT} {WIDTH} {mask}" for frame in range(3) for number in (2001, 10000)]
    write(root / "instances_txt/0000.txt", "\n".join(lines))
    return root


SAMPLES = {
    **{name: partial(lambda content, root: write(root / "file.json", content), FILES[name]) for name in FILES},
    **{
        name: partial(lambda form, root: lay(root, form) and root, form)
        for name, form in {
            "png-objects": davis,
            "youtube-vos": youtube_vos,
            "png-per-object": sa_v_maps,
            "panoptic-pngs": step_maps,
        }.items()
    },
    "arrays": arrays,
    "mots": mots_texts,
}
"""A source of every format, by its name."""

scalars = st.none() | st.integers(-2, 2**70) | st.text(max_size=3) | st.booleans() | st.floats(allow_nan=False)
places = st.lists(st.integers(0, 10), min_size=1, max_size=6)


def read_changed(path, content, skip_bad):
    """Read a file; what goes wrong is an error of ours, or else nothing does."""
    with suppress(DatagenError), warnings.catch_warnings():
        warnings.simplefilter("ignore", DatagenWarning)
        for video in find_videos(write(path / "file.json", content)):
            tracks = video.read(skip_bad=skip_bad)
            assert len(tracks.masks) == len(tracks.frame)
            assert skip_bad or not tracks.left_out


@given(st.sampled_from(sorted(FILES)), places, scalars | st.just([]) | st.just({}), st.booleans())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=600)
def test_any_value_changed_gives_tracks_or_an_error_of_ours(tmp_path, name, path, value, skip_bad):
    content = copy.deepcopy(FILES[name])
    at = content
    for step in path:
        keys = list(at) if isinstance(at, dict) else list(range(len(at)))
        if not keys:
            break
        key = keys[step % len(keys)]
        if not isinstance(at[key], dict | list) or step is path[-1]:
            at[key] = value
            break
        at = at[key]
    read_changed(tmp_path, content, skip_bad)


@pytest.mark.parametrize("name", sorted(readers()))
def test_every_reader_has_a_source_that_it_alone_reads(tmp_path, name):
    source = SAMPLES[name](tmp_path)
    alone = find_videos(source, format=name)
    assert [type(video) for video in find_videos(source)] == [type(video) for video in alone]
    assert sum(len(video.read()) for video in alone)
    for other in readers().keys() - {name}:
        with pytest.raises(DatagenError):
            find_videos(source, format=other)


@pytest.mark.parametrize("name", sorted(readers()))
@pytest.mark.filterwarnings("ignore::datagen.errors.DatagenWarning")
@given(
    st.integers(0, 9), st.integers(0, 5000), st.integers(0, 255), st.booleans(), st.booleans(), st.sampled_from("zf")
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
def test_any_byte_of_any_format_changed_gives_tracks_or_an_error_of_ours(
    tmp_path, name, file, place, byte, cut, skip_bad, packed
):
    """Also in a zip, whose other files are whole."""
    source = SAMPLES[name](tmp_path)
    files = sorted(path for path in tmp_path.rglob("*.*") if path.is_file() and path.suffix != ".zip")
    path = files[file % len(files)]
    data = bytearray(path.read_bytes())
    data[place % len(data)] = byte
    path.write_bytes(data[: place % len(data)] if cut else data)
    if packed == "z":
        source = tmp_path / "all.zip"
        with zipfile.ZipFile(source, "w") as archive:
            for each in files:
                archive.write(each, each.relative_to(tmp_path))
    with suppress(DatagenError), warnings.catch_warnings():
        warnings.simplefilter("ignore", DatagenWarning)
        for video in find_videos(source):
            tracks = video.read(skip_bad=skip_bad)
            assert len(tracks) == len(tracks.masks) == len(tracks.object_id)
            assert skip_bad or not tracks.left_out


@given(st.sampled_from(sorted(FILES)), st.integers(0, 5000), st.integers(0, 255), st.booleans(), st.booleans())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
def test_any_byte_changed_gives_tracks_or_an_error_of_ours(tmp_path, name, place, byte, cut, skip_bad):
    data = bytearray(json.dumps(FILES[name]).encode())
    data[place % len(data)] = byte
    if cut:
        del data[place % len(data) :]
    read_changed(tmp_path, bytes(data), skip_bad)
