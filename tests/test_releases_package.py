import json
import os
import re
import shutil
import tarfile
from dataclasses import replace

import numpy as np
import pytest
import yaml
from PIL import Image
from test_cli import run
from test_store import sprites

from datagen import store
from datagen.errors import BadInputError, DatagenError, UsageError
from datagen.readers import describe_sources
from datagen.releases import RELEASES
from datagen.releases.cards import (
    citation_file,
    dataset_card,
    describe_dataset,
    licence_id,
    licence_url,
    licences_text,
    parse_creator,
)
from datagen.releases.checksums import read_checksums, verify_folder, write_checksums
from datagen.releases.croissant import croissant
from datagen.releases.frames import frames_of, write_shards
from datagen.releases.package import package

FILES = {
    "CITATION.cff", "LICENSES.md", "README.md", "SHA256SUMS", "croissant.json", "preview.png",
    "kitti-masks.h5", "kitti-masks.npz", "kitti-masks.parquet",
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(kitti, tmp_path_factory):
    """Return a package of KITTI Masks with shards. Not to be written to."""
    folder = tmp_path_factory.mktemp("package") / "release"
    package(kitti, folder, date="2026-01-31", webdataset=True)
    return folder


def test_the_package_holds_the_dataset(kitti, folder):
    assert {path.name for path in folder.iterdir()} == FILES | {"kitti-masks-000000.tar"}
    for suffix in (".npz", ".h5"):
        back = store.load(folder / f"kitti-masks{suffix}")
        np.testing.assert_array_equal(back.images, kitti.images)
        np.testing.assert_array_equal(back.columns["object_id"], kitti.columns["object_id"])


@pytest.mark.parametrize("kind", ["masks", "sprites", "coloured sprites", "factors only"])
def test_the_same_input_gives_the_same_bytes(kitti, tmp_path, kind):
    dataset = {
        "masks": kitti,
        "sprites": sprites(),
        "coloured sprites": sprites(color=True),
        "factors only": sprites(images=False),
    }[kind]
    for name in ("a", "b"):
        package(dataset, tmp_path / name, webdataset=True)
    store.save(dataset, tmp_path / "file.npz")
    package(store.load(tmp_path / "file.npz"), tmp_path / "c", webdataset=True)
    contents = [{path.name: path.read_bytes() for path in (tmp_path / name).iterdir()} for name in ("a", "b", "c")]
    assert contents[0] == contents[1] == contents[2]
    assert ("preview.png" in contents[0]) == (kind != "factors only")


def test_the_checksums_are_those_of_sha256sum(folder, tmp_path):
    assert set(read_checksums(folder)) == {path.name for path in folder.iterdir()} - {"SHA256SUMS"}
    assert all(check.passed for check in verify_folder(folder))


def test_what_is_wrong_with_a_folder_is_named(tmp_path):
    (tmp_path / "below").mkdir()
    for name in ("a", "b", "below/c"):
        (tmp_path / name).write_bytes(name.encode())
    write_checksums(tmp_path)
    assert [check.name for check in verify_folder(tmp_path)] == ["a", "b", "below/c"]
    (tmp_path / "a").write_bytes(b"A")
    (tmp_path / "b").unlink()
    (tmp_path / "d").touch()
    (tmp_path / ".hidden").touch()
    assert [(check.name, check.passed, check.detail) for check in verify_folder(tmp_path)] == [
        ("a", False, "has another sha256 than the list says"),
        ("b", False, "is missing"),
        ("below/c", True, "as listed"),
        ("d", False, "is not listed"),
    ]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("nonsense", "line 1: is not a sha256"),
        ("0" * 64 + "  ../a", "line 1: names a file outside"),
        ("0" * 64 + " */etc/passwd", "line 1: names a file outside"),
        ("0" * 64 + "  C:\\a", "line 1: names a file outside"),
        ("0" * 64 + "  a\\..\\..\\b", "line 1: names a file outside"),
        ("0" * 64 + "  .", "line 1: names no file"),
        ("0" * 64 + "  a\0b", "line 1: names no file"),
        ("0" * 64 + "  \x1b[31m", "line 1: names no file"),
        ("\uff10" * 64 + "  a", "line 1: is not a sha256"),
        ("0" * 64 + "  a\n" + "0" * 64 + " *a", "line 2: names a a second time"),
    ],
)
def test_a_bad_list_is_refused(tmp_path, line, problem):
    (tmp_path / "SHA256SUMS").write_text(line)
    with pytest.raises(BadInputError, match=problem):
        verify_folder(tmp_path)


def test_datasets_loads_the_parquet(kitti, folder, tmp_path):
    datasets = pytest.importorskip("datasets", reason="the library datasets is not installed")
    datasets.disable_progress_bars()
    by_file = datasets.load_dataset(
        "parquet", data_files=str(folder / "kitti-masks.parquet"), cache_dir=str(tmp_path / "a")
    )["train"]
    by_card = datasets.load_dataset(str(folder), cache_dir=str(tmp_path / "b"))["train"]
    assert by_file.features == by_card.features
    assert len(by_card) == kitti.num_frames
    assert isinstance(by_card.features["image"], datasets.Image)
    for row in (0, kitti.num_frames - 1):
        for item in (by_file[row], by_card[row]):
            np.testing.assert_array_equal(np.asarray(item["image"]), kitti.images[row])
            np.testing.assert_array_equal([item["y"], item["x"], item["area"]], kitti.factors[row])
    np.testing.assert_array_equal(np.bincount(by_card["sequence"]), kitti.lengths)


def test_the_card_head_is_what_the_hub_reads(folder):
    hub = pytest.importorskip("huggingface_hub", reason="huggingface_hub is not installed")
    head = hub.DatasetCard.load(folder / "README.md").data
    assert head.license == "cc-by-nc-sa-3.0"
    assert head.size_categories == ["n<1K"]
    assert head.configs == [
        {"config_name": "default", "data_files": [{"split": "train", "path": "kitti-masks.parquet"}]}
    ]


@pytest.mark.parametrize("color", [False, True])
def test_sprites_by_frames(tmp_path, color):
    pq = pytest.importorskip("pyarrow.parquet")
    dataset = sprites(color=color)
    package(dataset, tmp_path / "out")
    table = pq.read_table(tmp_path / "out/natural-sprites.parquet")
    assert table.num_rows == 10
    np.testing.assert_array_equal(np.stack([table[name] for name in dataset.factor_names], axis=1), dataset.factors)
    assert table["sequence"].to_pylist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
    assert table["step"].to_pylist() == [0, 1] * 5
    (tmp_path / "image.png").write_bytes(table["image"][3]["bytes"].as_py())
    with Image.open(tmp_path / "image.png") as image:
        np.testing.assert_array_equal(np.asarray(image), dataset.images[3])
    assert "CC BY 4.0" in (tmp_path / "out/README.md").read_text()


def test_mlcroissant_validates_and_loads(kitti, folder):
    mlcroissant = pytest.importorskip("mlcroissant", reason="mlcroissant is not installed")
    dataset = mlcroissant.Dataset(str(folder / "croissant.json"))
    assert not dataset.metadata.ctx.issues.errors
    assert not dataset.metadata.ctx.issues.warnings
    assert dataset.metadata.ctx.is_v1_1()
    assert dataset.metadata.data_biases
    records = list(dataset.records("frames"))
    assert len(records) == kitti.num_frames
    record = records[-1]
    np.testing.assert_array_equal(np.asarray(record["frames/image"]), kitti.images[-1])
    assert record["frames/area"] == kitti.factors[-1, 2]
    assert record["frames/video"] == kitti.columns["video"][-1].encode()


def test_webdataset_reads_the_shards(kitti, folder):
    webdataset = pytest.importorskip("webdataset", reason="webdataset is not installed")
    samples = list(webdataset.WebDataset(str(folder / "kitti-masks-000000.tar"), shardshuffle=False).decode("pil"))
    assert len(samples) == kitti.num_frames
    np.testing.assert_array_equal(np.asarray(samples[5]["png"].convert("1")), kitti.images[5])
    assert samples[5]["json"]["step"] == 5
    with tarfile.open(folder / "kitti-masks-000000.tar") as archive:
        assert {(each.mtime, each.uid, each.uname) for each in archive} == {(0, 0, "")}


def test_the_texts_say_what_must_be_said(folder):
    card = (folder / "README.md").read_text()
    for words in (
        "Karlsruhe",
        "Windows overlap",
        "Cars and all other",
        "CC BY-NC-SA 3.0",
        "klindt2021towards",
        "MOTS:",
    ):
        assert words in card
    licences = (folder / "LICENSES.md").read_text()
    assert "## KITTI MOTS" in licences
    assert "commercially" in licences
    described = json.loads((folder / "croissant.json").read_text())
    assert described["license"] == ["https://creativecommons.org/licenses/by-nc-sa/3.0/"]
    assert {each["name"] for each in described["distribution"]} == {
        "kitti-masks.h5", "kitti-masks.npz", "kitti-masks.parquet", "kitti-masks-000000.tar",
    }  # fmt: skip
    assert [each["name"] for each in described["creator"]] == ["anonymous"]
    assert "url" not in described


def test_the_card_tells_how_the_factors_change(kitti, folder):
    from scipy.stats import kurtosis

    card = (folder / "README.md").read_text()
    for factor in ("area", "x", "y"):
        change = kitti.transitions().differences(factor).astype(np.float64)
        figures = (change.mean(), change.std(), kurtosis(change))
        row = [factor, str(len(change)), *(f"{figure:.4g}" for figure in figures)]
        assert f"| {' | '.join(row)} |" in card


def test_the_citation_is_yaml_of_the_format(kitti, tmp_path):
    yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")
    creators = ["Doe, Jane", "Some Institute"]
    package(kitti, tmp_path / "out", creators, version="1.2.3", date="2026-01-31")
    citation = yaml.safe_load((tmp_path / "out/CITATION.cff").read_text())
    assert citation["authors"] == [{"family-names": "Doe", "given-names": "Jane"}, {"name": "Some Institute"}]
    assert citation["license"] == ["CC-BY-NC-SA-3.0"]
    assert citation["version"] == "1.2.3"
    assert str(citation["date-released"]) == "2026-01-31"
    assert citation["preferred-citation"]["year"] == 2021
    assert len(citation["references"]) == 2


def test_what_clean_corrects_is_reported(mots, tmp_path):
    import kitti_masks

    package(kitti_masks.build(mots, "clean"), tmp_path / "out")
    assert "it corrects what was published" in (tmp_path / "out/README.md").read_text()


def test_a_file_that_does_not_say_its_sources_keeps_the_licence_of_the_release_and_says_so(kitti):
    description = describe_dataset(replace(kitti, manifest={}))
    assert [source["name"] for source in description.sources] == ["KITTI MOTS", "MOTSChallenge"]
    assert (description.date, description.title) == (None, "Mask sequences (pedestrian)")
    assert "does not say what it was made from" in description.limits[0]


def test_what_cannot_be_packaged(kitti, tmp_path):
    with pytest.raises(DatagenError, match="the licence of mine is not known"):
        package(replace(kitti, manifest={"sources": [{"id": "mine"}]}), tmp_path / "out")
    with pytest.raises(UsageError, match=r"version '1\.0'"):
        package(kitti, tmp_path / "out", version="1.0")
    with pytest.raises(UsageError, match="date 'today'"):
        package(kitti, tmp_path / "out", date="today")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/thesis.tex").touch()
    with pytest.raises(UsageError, match="is no package"):
        package(kitti, tmp_path / "mine", overwrite=True)
    shutil.rmtree(tmp_path / "mine")
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="is a file"):
        package(kitti, tmp_path / "file")
    with pytest.raises(UsageError, match="is no folder"):
        package(kitti, tmp_path / "file" / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize(
    ("licence", "spdx", "url"),
    [
        ("CC BY-NC-SA 3.0", "CC-BY-NC-SA-3.0", "https://creativecommons.org/licenses/by-nc-sa/3.0/"),
        ("CC BY 4.0", "CC-BY-4.0", "https://creativecommons.org/licenses/by/4.0/"),
        ("MIT", "MIT", "https://spdx.org/licenses/MIT.html"),
        (" cc  by 4.0 ", "CC-BY-4.0", "https://creativecommons.org/licenses/by/4.0/"),
        ("CC BY 4.0 (annotations)", "CC-BY-4.0", "https://creativecommons.org/licenses/by/4.0/"),
    ],
)
def test_licences(licence, spdx, url):
    assert (licence_id(licence), licence_url(licence)) == (spdx, url)


@pytest.mark.parametrize("licence", ["research only", "that of the repository", "CC BY-ND 4.0", "CC BY 9.0", "", "é"])
def test_what_is_no_licence_has_no_address(licence):
    for of in (licence_id, licence_url):
        with pytest.raises(UsageError, match="is no SPDX identifier"):
            of(licence)


def with_sources(dataset, *licences):
    """Return the dataset as made from sources "a", "b", ... of these licences; None is own data."""
    sources = [
        {"id": name} if licence is None else {**SOURCE, "id": name, "name": name, "licence": licence}
        for name, licence in zip("ab", licences, strict=False)
    ]
    return replace(dataset, manifest={"sources": sources})


def test_a_licence_that_is_not_known_to_allow_it_is_refused(kitti, tmp_path):
    for licence in ("BDD100K licence (research only)", "CC BY-ND 4.0"):
        problem = f"the licence of b is {licence!r}, which is not known to allow"
        with pytest.raises(DatagenError, match=re.escape(problem)):
            package(with_sources(kitti, "CC BY 4.0", licence), tmp_path / "out")
        with pytest.raises(DatagenError, match=re.escape(problem)):
            describe_dataset(with_sources(kitti, None, licence), licence="MIT")


def test_a_known_set_that_states_no_licence_is_refused_whatever_licence_is_chosen(kitti):
    davis = replace(kitti, manifest={**kitti.manifest, "sources": describe_sources(["davis-2016"])})
    for licence in (None, "CC-BY-4.0"):
        with pytest.raises(
            DatagenError, match=r"^DAVIS 2016 states no licence, .* authors' consent; if the videos are your own, "
        ):
            describe_dataset(davis, licence=licence)


def test_own_data_have_the_licence_that_is_chosen_for_them(kitti, tmp_path):
    with pytest.raises(DatagenError, match=r"^the licence of a is not known, .*--license CC-BY-4\.0$"):
        describe_dataset(with_sources(kitti, None))
    package(with_sources(kitti, None), tmp_path / "out", licence="cc-by-sa-4.0")
    found = texts(tmp_path / "out")
    assert "CC-BY-SA-4.0, https://creativecommons.org/licenses/by-sa/4.0/" in found["LICENSES.md"]
    assert "SA: what is made from it" in found["LICENSES.md"]
    assert json.loads(found["croissant.json"])["license"] == ["https://creativecommons.org/licenses/by-sa/4.0/"]
    assert yaml.safe_load(found["CITATION.cff"])["license"] == ["CC-BY-SA-4.0"]
    assert describe_dataset(with_sources(kitti, "CC BY 4.0", None), licence="CC-BY-4.0").licences == ["CC-BY-4.0"]
    for of in (with_sources(kitti, "CC BY 4.0", None), replace(kitti, manifest={}), kitti):
        with pytest.raises(UsageError, match=r"^licence MIT: .* is under CC BY.* leave out --license$"):
            describe_dataset(of, licence="MIT")
    assert describe_dataset(kitti, licence="CC-BY-NC-SA-3.0").licences == ["CC BY-NC-SA 3.0"]
    with pytest.raises(UsageError, match="licence 'mine': is no SPDX identifier"):
        describe_dataset(with_sources(kitti, None), licence="mine")


def test_the_commands(capsys, kitti, tmp_path):
    store.save(kitti, tmp_path / "kitti.npz")
    arguments = ["package", tmp_path / "kitti.npz", "--out", tmp_path / "out"]
    code, out, _ = run(capsys, *arguments)
    assert (code, "kitti-masks.parquet" in out) == (0, True)
    assert run(capsys, *arguments)[0] == 2
    code, out, _ = run(capsys, *arguments, "--overwrite", "--json", "--webdataset")
    assert (code, len(json.loads(out)["files"])) == (0, len(FILES) + 1)
    code, out, _ = run(capsys, "verify", tmp_path / "out")
    assert (code, "FAIL" in out, "as listed" in out) == (0, False, True)
    (tmp_path / "out/README.md").write_text("changed")
    code, out, _ = run(capsys, "verify", tmp_path / "out")
    assert (code, "FAIL" in out) == (1, True)
    assert run(capsys, "verify", tmp_path / "out", "--against", "release")[0] == 2
    store.save(with_sources(kitti, None), tmp_path / "lab.npz")
    arguments = ["package", tmp_path / "lab.npz", "--out", tmp_path / "lab"]
    assert run(capsys, *arguments)[0] == 1
    assert run(capsys, *arguments, "--license", "MIT")[0] == 0
    assert run(capsys, "verify", tmp_path)[2].endswith("has no SHA256SUMS to check it against\n")


def test_links_and_pipes_are_not_read(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("/etc/passwd")
    (tmp_path / "zero").symlink_to("/dev/zero")
    names = ["pipe", "link", "zero", "x" * 300, "nothere"]
    (tmp_path / "SHA256SUMS").write_text("".join(f"{'0' * 64}  {name}\n" for name in names))
    checks = {check.name: check.detail for check in verify_folder(tmp_path)}
    assert checks["pipe"] == "is no plain file"
    assert checks["link"] == checks["zero"] == "is a link, which is not followed"
    assert checks["nothere"] == "is missing"
    assert not any(check.passed for check in verify_folder(tmp_path))
    with pytest.raises(BadInputError, match="'link'"):
        write_checksums(tmp_path)


SOURCE = {"id": "mine", "name": "My videos", "url": "https://example.com/v", "licence": "CC BY 4.0", "citation": "Me."}


def texts(folder):
    return {
        name: (folder / name).read_text() for name in ("README.md", "CITATION.cff", "croissant.json", "LICENSES.md")
    }


@pytest.mark.parametrize("kind", ["own masks", "cars", "clean", "sprites"])
def test_nothing_is_said_of_the_release_where_it_does_not_hold(kitti, mots, tmp_path, kind):
    import kitti_masks

    dataset = {
        "own masks": lambda: replace(
            kitti.with_columns(category=np.full(kitti.num_sequences, "mouse")), manifest={"sources": [SOURCE]}
        ),
        "cars": lambda: kitti_masks.build(mots, include_cars=True),
        "clean": lambda: kitti_masks.build(mots, "clean"),
        "sprites": lambda: replace(sprites(), manifest={"sources": [SOURCE]}),
    }[kind]()
    description = describe_dataset(dataset)
    assert (description.published, description.date) == (False, None)
    assert [creator.name for creator in description.creators] == ["anonymous"]
    package(dataset, tmp_path / "out", ["Doe, Jane (0000-0002-1825-0097)"])
    for name, text in texts(tmp_path / "out").items():
        assert "First published" not in text, name
        assert "2020-07-21" not in text, name
    citation = yaml.safe_load((tmp_path / "out/CITATION.cff").read_text())
    assert citation["authors"] == [
        {"family-names": "Doe", "given-names": "Jane", "orcid": "https://orcid.org/0000-0002-1825-0097"}
    ]
    assert "date-released" not in citation
    card = (tmp_path / "out/README.md").read_text()
    if kind in ("own masks", "sprites"):
        assert "My videos" in card
        assert not any("Klindt" in text or "pedestrian" in text for text in texts(tmp_path / "out").values())
        assert citation["license"] == ["CC-BY-4.0"]
        assert json.loads((tmp_path / "out/croissant.json").read_text())["isBasedOn"] == ["https://example.com/v"]
    else:
        assert (
            description.title
            == {"cars": "KITTI Masks (paper, car, pedestrian)", "clean": "KITTI Masks (clean, pedestrian)"}[kind]
        )
        assert "single pedestrians" not in card
        assert "it is not that file" in card
    if kind == "own masks":
        assert description.title == "Mask sequences (mouse)"
        assert (tmp_path / "out/mask-sequences.npz").exists()


@pytest.mark.realdata
@pytest.mark.slow
def test_the_published_arrays_carry_the_published_authors(real_kitti):
    bare = replace(real_kitti, manifest={})
    description = describe_dataset(bare)
    release = RELEASES["kitti-masks"]
    assert (description.published, description.title, description.date) == (True, release.title, release.published)
    assert description.creators[0].name == "Klindt, David A."
    assert [creator.name for creator in describe_dataset(bare, ["Doe, Jane"]).creators] == ["Doe, Jane"]
    latents = real_kitti.factors.copy()
    latents[0, 0] += 1
    assert not describe_dataset(replace(bare, factors=latents)).published


HOSTILE = [
    "x\nevil: true",
    "x\n---\nevil: true\n---",
    "<script>alert(1)</script>",
    '"x',
    "a: b",
    "- x",
    "#",
    "\x1b[31m",
    "`| {@\\",
    "\ud800",
]


def test_the_columns_of_frames(kitti):
    of_sequence = ["source", "video", "object_id", "category", "window", "frame", "fps"]
    assert list(frames_of(kitti).columns) == ["sequence", "step", *of_sequence, "y", "x", "area"]
    of_run = frames_of(sprites())
    assert list(of_run.columns) == ["sequence", "step", "transition", *sprites().factor_names]
    assert of_run.columns["step"].description == "Number of the frame in its run."


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("where", ["id", "name", "url", "licence", "citation", "parameter"])
def test_texts_of_others_stay_texts(kitti, tmp_path, where, text):
    manifest = {"sources": [SOURCE if where == "parameter" else {**SOURCE, where: text}], "parameters": {}}
    if where == "parameter":
        manifest["parameters"] = {"p": text, text: 1}
    few = replace(kitti, manifest=manifest)
    try:
        description = describe_dataset(few)
    except DatagenError as error:
        assert where == "licence" or text == "\ud800"
        assert str(error).isprintable()  # noqa: PT017
        return
    frames = frames_of(few)
    card = dataset_card(description, frames, "x.parquet", (1, 1))
    head = yaml.safe_load(card.split("---\n")[1])
    citation = yaml.safe_load(citation_file(description))
    assert "evil" not in head
    assert "evil" not in citation
    assert citation["references"][0]["title"]
    written = card + licences_text(description)
    assert "<script" not in written
    assert all(each.isprintable() or each == "\n" for each in written)
    json.dumps(croissant(description, frames, tmp_path, "x.parquet"), allow_nan=False)


@pytest.mark.parametrize("url", ["https://x/<script>alert(1)</script>", 'https://x/"onclick="', "javascript:alert(1)"])
def test_what_is_no_address_is_left_out(kitti, url):
    description = describe_dataset(replace(kitti, manifest={"sources": [{**SOURCE, "url": url}]}))
    assert description.sources[0]["url"] == ""
    assert "alert" not in licences_text(description) + citation_file(description)


@pytest.mark.parametrize(
    "manifest", [{"sources": ["x"]}, {"sources": [{"id": 5}]}, {"parameters": [1]}, {"mended": "x"}, {"left_out": None}]
)
def test_a_manifest_of_another_form_is_named(capsys, kitti, tmp_path, manifest):
    with pytest.raises(BadInputError, match="manifest: is none that datagen writes"):
        describe_dataset(replace(kitti, manifest=manifest))


@pytest.mark.parametrize(
    "date",
    [
        "2020-99-99",
        "0000-00-00",
        "\uff12\uff10\uff12\uff10-\uff10\uff11-\uff10\uff11",
        "2020-01-01\n",
        "2021-02-29",
        "",
    ],
)
def test_a_date_is_a_day(kitti, date):
    with pytest.raises(UsageError, match="must be a day"):
        describe_dataset(kitti, date=date)


@pytest.mark.parametrize("version", ["\uff11.0.0", "1.0.0\n", "9" * 5000 + ".0.0", "-1.0.0"])
def test_a_version_is_three_numbers(kitti, version):
    with pytest.raises(UsageError, match="three numbers"):
        describe_dataset(kitti, version=version)


@pytest.mark.parametrize(
    "text",
    [
        "",
        ",",
        ", ",
        "Doe,",
        "a\nb",
        "A, B\n- name: evil",
        "\x1b[31m",
        "\udcff",
        "A, B, C",
        "Doe, J (0000-0002-1825-0098)",
    ],
)
def test_who_is_no_creator(text):
    with pytest.raises(UsageError, match="creator") as error:
        parse_creator(text)
    assert str(error.value).isprintable()


def test_json_in_shards_has_no_nan(tmp_path):
    dataset = sprites()
    dataset.factors[0, 0] = np.nan
    write_shards(frames_of(dataset), tmp_path, "x")
    with tarfile.open(tmp_path / "x-000000.tar") as archive:
        row = archive.extractfile("000000-00000.json").read()
    assert json.loads(row, parse_constant=pytest.fail)["x"] is None
