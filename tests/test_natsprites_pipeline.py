import json

import numpy as np
import pytest
from natsprites_helpers import random_transitions

import natsprites
from datagen import store
from datagen.errors import UsageError
from natsprites.pipeline import build
from natsprites.renderer import Renderer
from natsprites.sampling import factor_space


def test_images_are_those_of_the_exact_renderer():
    transitions = random_transitions(length=3)
    dataset = build(transitions, pairs=30, seed=2)
    space = factor_space(transitions)
    factors = space.factors(space.draw(30, seed=2))
    images = Renderer().render(*factors.reshape(-1, 5).T, grey=True)
    np.testing.assert_array_equal(dataset.images, images)
    np.testing.assert_array_equal(dataset.factors, factors.reshape(-1, 5).astype(np.float32))
    assert dataset.factors.dtype == np.float32
    assert dataset.factor_sizes.tolist() == [0, 0, 0, 40, 4]


def test_each_run_names_its_transition():
    transitions = random_transitions()
    dataset = build(transitions, pairs=100, factors_only=True)
    row, factors = dataset.columns["transition"], dataset.factors.reshape(100, 2, 5)
    np.testing.assert_array_equal(factors[..., 0], (transitions.x / 64)[row].astype(np.float32))
    np.testing.assert_array_equal(factors[..., 1], (transitions.y / 64)[row].astype(np.float32))
    scale = np.sqrt(transitions.area / 64**2)[row]
    np.testing.assert_array_equal(factors[..., 2], scale.astype(np.float32))


def test_the_result_does_not_depend_on_the_number_of_workers():
    one, three = (build(random_transitions(), pairs=2500, seed=1, workers=workers) for workers in (1, 3))
    np.testing.assert_array_equal(one.images, three.images)
    np.testing.assert_array_equal(one.factors, three.factors)


def test_a_longer_dataset_begins_with_the_shorter_one():
    short, long = (build(random_transitions(), pairs=pairs, image_size=16) for pairs in (10, 1500))
    np.testing.assert_array_equal(long.images[:20], short.images)


def test_colours_are_drawn_once_a_run():
    dataset = build(random_transitions(), pairs=200, colors=[(1, 0, 0), (0, 0, 1)], image_size=32)
    assert dataset.images.shape == (400, 32, 32, 3)
    assert not dataset.images[..., 1].any()
    red, blue = (dataset.images[..., channel].any(axis=(1, 2)).reshape(200, 2) for channel in (0, 2))
    np.testing.assert_array_equal(red, ~blue)
    assert (red[:, 0] == red[:, 1]).all()
    assert 0.3 < red[:, 0].mean() < 0.7


def test_one_grey_gives_grey_images():
    dataset = build(random_transitions(), pairs=5, colors=[(0.5, 0.5, 0.5)])
    assert dataset.images.shape == (10, 64, 64)
    assert np.bincount(dataset.images.ravel())[1:].argmax() + 1 == 127


def test_factors_only_leaves_out_the_images_alone():
    whole, bare = (build(random_transitions(), pairs=20, factors_only=only) for only in (False, True))
    assert bare.images is None
    np.testing.assert_array_equal(bare.factors, whole.factors)


def test_the_manifest_tells_how_it_was_made_and_is_json():
    dataset = build(random_transitions(), pairs=3, seed=7, discrete=True, inputs={"t.csv": "abc"}, image_size=16)
    manifest = json.loads(json.dumps(dataset.manifest))
    assert manifest["command"] == "natural-sprites"
    assert manifest["parameters"]["seed"] == 7
    assert manifest["inputs"] == {"t.csv": "abc"}
    assert manifest["sources"][0]["id"] == "youtube-vis"
    assert manifest["shape_codes"] == {"square": 0, "triangle": 1, "star_4": 2, "spoke_4": 3}
    assert [len(values) for values in manifest["factor_values"].values()] == dataset.factor_sizes.tolist()


@pytest.mark.parametrize("suffix", [".npz", ".h5"])
def test_files_give_back_what_was_built(tmp_path, suffix):
    dataset = build(random_transitions(), pairs=12, image_size=16)
    store.save(dataset, tmp_path / f"sprites{suffix}")
    loaded = store.load(tmp_path / f"sprites{suffix}")
    arrays, expected = store.arrays_of(loaded), store.arrays_of(dataset)
    assert arrays.keys() == {"images", "factors", "factor_sizes", "transition", "factor_names"}
    for name, array in expected.items():
        np.testing.assert_array_equal(arrays[name], array)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pairs": 0}, "0 pairs"),
        ({"seed": -1}, "seed -1"),
        ({"workers": 0}, "0 workers"),
        ({"image_size": 0}, "image size 0"),
        ({"factors_only": True, "colors": [(1, 0, 0)]}, "cannot hold colours"),
        ({"colors": [(2, 0, 0)]}, "outside"),
    ],
)
def test_bad_arguments_get_one_clear_line(options, message):
    with pytest.raises(UsageError, match=message):
        build(random_transitions(), **options)


def test_the_package_gives_its_names_lazily():
    assert natsprites.build is build
    assert natsprites.Renderer is Renderer
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        natsprites.Nothing  # noqa: B018
