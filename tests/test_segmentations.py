import json

import msgspec
import numpy as np
import pytest
from annotations import FIRST, HEIGHT, SECOND, WIDTH, as_list, as_text
from hypothesis import given
from hypothesis import strategies as st
from pycocotools import mask as coco

from datagen.readers.segmentations import decode_segmentations

SIZE = [HEIGHT, WIDTH]


def decode(*segmentations):
    raws = [msgspec.Raw(each if isinstance(each, bytes) else json.dumps(each).encode()) for each in segmentations]
    return decode_segmentations(raws, HEIGHT, WIDTH)


def test_all_forms_in_one_video_keep_their_places():
    polygons = [[3, 2, 12, 2, 12, 9, 3, 9], [20, 10, 25, 10, 25, 15]]
    masks, problems = decode(as_list(FIRST), None, as_text(SECOND), polygons, as_list(SECOND), [], as_text(FIRST))
    assert problems == {}
    drawn = coco.decode(coco.merge(coco.frPyObjects(polygons, HEIGHT, WIDTH))).astype(bool)
    nothing = np.zeros_like(FIRST)
    assert np.array_equal(masks.paint(), [FIRST, nothing, SECOND, drawn, SECOND, nothing, FIRST])


@given(st.lists(st.integers(0, 2**32), max_size=4), st.booleans())
def test_lists_and_texts_are_the_same_masks(seeds, fill):
    drawn = [np.random.default_rng(seed).random((HEIGHT, WIDTH)) < 0.4 for seed in seeds]
    drawn += [np.full((HEIGHT, WIDTH), fill)]
    for encode in (as_list, as_text):
        masks, problems = decode(*map(encode, drawn))
        assert problems == {}
        assert np.array_equal(masks.paint(), drawn)


def test_white_space_and_empty_runs_in_a_list():
    masks, problems = decode(b'{"size": [20, 30], "counts": [ 40,\n0 , 3,\t7,0,3,547 ] }')
    assert problems == {}
    assert masks.areas().tolist() == [10]
    assert np.flatnonzero(masks.paint()[0].T.ravel()).tolist() == list(range(43, 53))


BAD = {
    "a size of another video": ({"counts": [600], "size": [30, 20]}, "of 30 x 20 pixels, its video of 20 x 30"),
    "no size": ({"counts": [600]}, "missing required field `size`"),
    "no counts": ({"size": SIZE}, "missing required field `counts`"),
    "counts that are a number": ({"counts": 600, "size": SIZE}, "Expected `str`, got `int`"),
    "counts that are null": ({"counts": None, "size": SIZE}, "Expected `str`, got `null`"),
    "a text": ("rle", "no run-length encoding, list of polygons or null"),
    "true": (True, "no run-length encoding, list of polygons or null"),
    "runs that end early": ({"counts": [10, 20], "size": SIZE}, "do not fill"),
    "runs that go on": ({"counts": [10, 20, 600], "size": SIZE}, "do not fill"),
    "a run that no integer holds": ({"counts": [10, 10**30], "size": SIZE}, "do not fill"),
    "an empty list of runs": ({"counts": [], "size": SIZE}, "do not fill"),
    "a negative run": ({"counts": [610, -10], "size": SIZE}, "do not fill|negative run"),
    "a negative run at first": ({"counts": [-10, 610], "size": SIZE}, "negative run"),
    "a run with a fraction": ({"counts": [10.5, 589.5], "size": SIZE}, "no whole number"),
    "a run that is a list": ({"counts": [[600]], "size": SIZE}, "no whole number"),
    "a run that is a text": ({"counts": ["600"], "size": SIZE}, "no whole number"),
    "a text that breaks off": ({"counts": as_text(FIRST)["counts"][:-1], "size": SIZE}, "breaks off|do not fill"),
    "a text of other letters": ({"counts": "!!", "size": SIZE}, "none of its alphabet"),
    "a polygon of two points": ([[1, 1, 5, 5]], "has 4 numbers"),
    "a polygon without its last y": ([[1, 1, 5, 5, 8, 1, 3]], "has 7 numbers"),
    "a polygon far off": ([[1, 1, 1e9, 5, 8, 1]], "leaves the frame"),
    "a flat polygon": ([1, 1, 5, 5, 8, 1], "no run-length encoding, list of polygons or null"),
}


@pytest.mark.parametrize(("bad", "problem"), BAD.values(), ids=BAD)
def test_a_bad_one_is_named_and_spoils_no_other(bad, problem):
    masks, problems = decode(as_list(FIRST), bad, as_text(SECOND))
    assert list(problems) == [1]
    with pytest.raises(ValueError, match=problem):
        raise ValueError(problems[1])
    assert np.array_equal(masks.paint(), [FIRST, np.zeros_like(FIRST), SECOND])


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text("0AZ`o[", max_size=9),
        lambda inner: st.lists(inner, max_size=7) | st.fixed_dictionaries({"counts": inner, "size": st.just(SIZE)}),
    )
)
def test_any_json_gives_a_mask_or_a_problem(value):
    masks, problems = decode(value)
    assert len(masks) == 1
    assert masks.areas()[0] == 0 or not problems
    assert (masks.starts < masks.stops).all()
    assert (masks.stops <= HEIGHT * WIDTH).all()
