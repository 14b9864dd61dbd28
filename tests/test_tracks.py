import numpy as np
import pytest

from datagen.errors import UsageError
from datagen.tracks import Tracks

LABELS = np.zeros((3, 6, 8), np.int64)
LABELS[0, 1:4, 2:5] = 7
LABELS[1, 1:4, 3:6] = 7
LABELS[1, 5, :] = 1 << 31
LABELS[2, 0, 0] = 3


def test_label_maps_in_memory():
    tracks = Tracks.from_label_maps(LABELS, {7: "dog", 3: "ape"}, source="mine", video="v", frames_per_second=5)
    assert (tracks.source, tracks.video, tracks.frames_per_second) == ("mine", "v", 5)
    assert tracks.frame.tolist() == [0, 1, 1, 2]
    assert tracks.object_id.tolist() == [7, 7, 1 << 31, 3]
    assert [tracks.category_names[each] for each in tracks.category_id.tolist()] == ["dog", "dog", "object", "ape"]
    for row, mask in enumerate(tracks.masks.paint()):
        np.testing.assert_array_equal(mask, LABELS[tracks.frame[row]] == tracks.object_id[row])
    same = Tracks.from_label_maps(np.minimum(LABELS, 200).astype(np.uint8))
    assert same.masks.areas().tolist() == tracks.masks.areas().tolist()
    assert len(Tracks.from_label_maps(LABELS[:0])) == 0


def test_masks_in_memory_may_overlap():
    first, second = LABELS == 7, LABELS >= 3
    tracks = Tracks.from_masks({4: second, 2: first})
    assert tracks.frame.tolist() == [0, 0, 1, 1, 2]
    assert tracks.object_id.tolist() == [4, 2, 4, 2, 4]
    assert tracks.masks.find_overlaps(tracks.frame)[0] == (0, 1)


@pytest.mark.parametrize(
    ("labels", "problem"),
    [
        (LABELS[0], "give whole numbers of shape"),
        (LABELS.astype(float), "float64"),
        (-LABELS, "labels from -2147483648 to 0"),
        (LABELS << 2, "labels from 0 to"),
        (LABELS[:, :0], "give whole numbers of shape"),
    ],
)
def test_what_is_no_label_map(labels, problem):
    with pytest.raises(UsageError, match=problem):
        Tracks.from_label_maps(labels)


@pytest.mark.parametrize("masks", [{}, {1: LABELS}, {1: LABELS[0] > 0}, {1: LABELS > 0, 2: LABELS[:2] > 0}])
def test_what_is_no_mask(masks):
    with pytest.raises(UsageError, match="masks of"):
        Tracks.from_masks(masks)
