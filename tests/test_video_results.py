import numpy as np
import pytest
from annotations import FIRST, HEIGHT, SECOND, WIDTH, as_list, as_text, write

from datagen.errors import BadInputError, DatagenError
from datagen.readers import find_videos


def entry(video, category, *segmentations, **changes):
    return {"video_id": video, "score": 0.5, "category_id": category, "segmentations": list(segmentations)} | changes


RESULTS = [
    entry(5, 3, None, as_text(FIRST)),
    entry(6, 1, as_list(SECOND)),
    entry(5, 1, as_text(SECOND), as_list(FIRST)),
]


def read(path, content, **options):
    return [video.read(**options) for video in find_videos(write(path / "results.json", content))]


def test_tracks_of_results(tmp_path):
    first, second = read(tmp_path, RESULTS)
    assert (first.source, first.video, second.video) == ("results", "5", "6")
    assert first.frame.tolist() == [0, 1, 1]
    assert first.object_id.tolist() == [2, 0, 2]
    assert first.category_id.tolist() == [1, 3, 1]
    assert np.array_equal(first.masks.paint(), [SECOND, FIRST, FIRST])
    assert first.objects.tolist() == [[0, 3, 2], [2, 1, 2]]
    assert first.category_names == {1: "1", 3: "3"}
    assert first.frames_per_second is None


BAD = {
    "no category": ({"video_id": 5, "segmentations": []}, "entry 3: .*category_id"),
    "null": (None, "entry 3: .*null"),
    "no size": (entry(7, 1, None, [[1, 1, 5, 1, 5, 5]]), "entry 3: none of its segmentations is of run lengths"),
    "an impossible size": (entry(7, 1, {"counts": "", "size": [10**9, 1]}), "entry 3: no frame has 1000000000 x 1"),
    "too few frames": (entry(5, 1, None), "entry 3: it has 1 segmentations, one before it of video 5 2"),
    "another size": (entry(5, 1, None, as_text(FIRST.T)), "entry 3, frame 1: its segmentation is of 30 x 20"),
    "a bad mask": (entry(5, 1, None, {"counts": "~", "size": [HEIGHT, WIDTH]}), "entry 3, frame 1: the run-length"),
}


@pytest.mark.parametrize(("bad", "problem"), BAD.values(), ids=BAD)
def test_bad_entries_are_named_or_left_out(tmp_path, bad, problem):
    with pytest.raises(BadInputError, match=problem) as caught:
        read(tmp_path, [*RESULTS, bad])
    assert "--skip-bad" in str(caught.value)
    first, _ = read(tmp_path, [*RESULTS, bad], skip_bad=True)
    assert len(first) == 3
    with pytest.raises(DatagenError, match=problem):
        raise DatagenError(first.left_out[0])


def test_results_of_which_none_can_be_read(tmp_path):
    with pytest.raises(BadInputError, match="entry 0: none of its segmentations is of run lengths"):
        read(tmp_path, [entry(5, 1, None)])
