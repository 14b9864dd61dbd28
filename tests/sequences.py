"""Small datasets of masks for tests."""

import numpy as np

from datagen.datasets import Sequences


def random_masks(lengths, size=64, seed=0, **columns):
    """Sequences of noise: no mask is another's mirror image, and latents name their frame."""
    rng = np.random.default_rng(seed)
    sequences, frames = len(lengths), sum(lengths)
    numbered = np.repeat(np.arange(frames, dtype=np.float32)[:, None], 3, axis=1)
    told = {
        "source": np.full(sequences, "here"),
        "video": np.array([f"{number:04}" for number in range(sequences)]),
        "object_id": np.arange(sequences),
        "category": np.full(sequences, "pedestrian"),
        "window": np.zeros(sequences, np.int64),
        "first_frame": np.zeros(sequences, np.int64),
        **columns,
    }
    offsets = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
    return Sequences.of_masks(rng.random((frames, size, size)) < 0.3, numbered, offsets, **told)
