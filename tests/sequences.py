"""Small datasets of masks for tests."""

from dataclasses import replace

import numpy as np

from datagen.datasets import Sequences


def random_masks(lengths, size=64, seed=0, **columns):
    """Sequences of noise: no mask is another's mirror image, and latents name their frame."""
    rng = np.random.default_rng(seed)
    sequences, frames = len(lengths), sum(lengths)
    numbered = np.repeat(np.arange(frames, dtype=np.float32)[:, None], 3, axis=1)
    described = {
        "source": np.full(sequences, "here"),
        "video": np.array([f"{number:04}" for number in range(sequences)]),
        "object_id": np.arange(sequences),
        "category": np.full(sequences, "pedestrian"),
        "window": np.zeros(sequences, np.int64),
        "first_frame": np.zeros(sequences, np.int64),
        **columns,
    }
    offsets = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
    return Sequences.of_masks(rng.random((frames, size, size)) < 0.3, numbered, offsets, **described)


def walks(sequences=40, length=25, size=16, seed=0) -> Sequences:
    """Return rectangles whose place and size take sparse steps, as objects of a video do."""
    rng = np.random.default_rng(seed)
    masks = np.zeros((sequences * length, size, size), dtype=bool)
    for s in range(sequences):
        y, x, height = rng.integers(0, size - 8), rng.integers(0, size - 5), rng.integers(3, 8)
        for t in range(length):
            masks[s * length + t, y : y + height, x : x + 4] = True
            y, x = (
                int(np.clip(v + rng.choice([-3, -1, 0, 1, 3], p=[0.02, 0.08, 0.8, 0.08, 0.02]), 0, size - 8))
                for v in (y, x)
            )
    rows, columns = np.mgrid[:size, :size]
    area = masks.sum((1, 2))
    latents = np.stack([(masks * rows).sum((1, 2)) / area, (masks * columns).sum((1, 2)) / area, area], axis=1)
    text, number = np.full(sequences, "walk"), np.arange(sequences)
    offsets = np.arange(sequences + 1) * length
    columns = {"source": text, "video": text, "object_id": number, "category": text}
    columns |= {"window": number * 0, "first_frame": number * 0}
    return Sequences.of_masks(masks, latents.astype(np.float32), offsets, **columns)


def shuffled(dataset: Sequences, within: bool, seed: int = 1) -> Sequences:
    """Return the dataset with its frames in another order, in their sequences or over all."""
    rng = np.random.default_rng(seed)
    sequence = np.repeat(np.arange(dataset.num_sequences), dataset.lengths)
    order = np.lexsort((rng.random(len(sequence)), sequence * within))
    return replace(dataset, images=dataset.images[order], factors=dataset.factors[order])
