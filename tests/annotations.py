"""Small annotation files for the tests of several modules."""

import json

import numpy as np
from pycocotools import mask as coco

HEIGHT, WIDTH = 20, 30


def box(top, bottom, left, right):
    """Paint a mask, bool (HEIGHT, WIDTH)."""
    mask = np.zeros((HEIGHT, WIDTH), dtype=bool)
    mask[top:bottom, left:right] = True
    return mask


def as_list(mask):
    """Encode a mask as a list of run lengths."""
    flat = np.concatenate([[0], mask.T.ravel().astype(int), [0]])
    edges = np.flatnonzero(np.diff(flat))
    return {"counts": np.diff(edges, prepend=0, append=mask.size).tolist(), "size": list(mask.shape)}


def as_text(mask):
    """Encode a mask as COCO's text."""
    encoded = coco.encode(np.asfortranarray(mask.astype(np.uint8)))
    return {"counts": encoded["counts"].decode(), "size": list(mask.shape)}


FIRST, SECOND = box(2, 9, 3, 12), box(4, 15, 8, 29)


def youtube_vis():
    """Return a file of two videos and three annotations, of which the second has no mask at all."""
    return {
        "videos": [
            {"id": 5, "height": HEIGHT, "width": WIDTH, "length": 3, "file_names": ["a/0.jpg", "a/1.jpg", "a/2.jpg"]},
            {"id": 6, "height": HEIGHT, "width": WIDTH, "length": 2, "file_names": ["b/0.jpg", "b/1.jpg"]},
        ],
        "categories": [{"id": 1, "name": "person"}, {"id": 7, "name": "ape"}],
        "annotations": [
            annotation(11, 5, 7, [as_list(FIRST), as_text(SECOND), None]),
            annotation(12, 6, 1, [None, None]),
            annotation(13, 5, 1, [None, as_list(FIRST), as_list(FIRST)]),
        ],
    }


def annotation(number, video, category, segmentations):
    return {"id": number, "video_id": video, "category_id": category, "segmentations": segmentations}


def coco_vid():
    """Return a file of one video of three frames with two instances, listed frame by frame."""
    segmentations = [(0, 3, as_text(FIRST)), (1, 3, as_list(SECOND)), (1, 9, as_list(FIRST)), (2, 9, as_list(FIRST))]
    return {
        "videos": [{"id": 5, "name": "a", "height": HEIGHT, "width": WIDTH}],
        "categories": [{"id": 1, "name": "person"}],
        "images": [{"id": 100 + frame, "video_id": 5, "frame_id": frame} for frame in range(3)],
        "annotations": [
            {
                "id": number,
                "image_id": 100 + frame,
                "instance_id": instance,
                "category_id": 1,
                "segmentation": segmentation,
            }
            for number, (frame, instance, segmentation) in enumerate(segmentations)
        ],
    }


def write(path, content):
    """Write a file: JSON, or text or bytes as they are."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path
