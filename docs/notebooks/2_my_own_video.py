# %% [markdown]
# # My own video
#
# You have a video, and a segmentation model (SAM 2, Cutie, XMem, ...) or an annotator gave you masks of what moves in
# it. This notebook makes a dataset of them, measures how they move, and writes the files that others can load.

# %%
import numpy as np

from datagen import store
from datagen.build import build_masks
from datagen.preview import contact_sheet
from datagen.statistics import summarize
from datagen.tracks import Tracks

# %% [markdown]
# ## As an array
#
# Label maps (T, H, W) have the number of the object at every pixel, 0 where there is none. Here is a video of two discs
# that drift and now and then jump.

# %%
rng = np.random.default_rng(0)
rows, columns = np.mgrid[:240, :320]
labels = np.zeros((80, 240, 320), dtype=np.uint8)
for label, radius in ((1, 30), (2, 22)):
    steps = rng.laplace(0, 1.5, (80, 2)) + 8 * (rng.random((80, 1)) < 0.05) * rng.normal(size=(80, 2))
    y, x = np.clip(np.array([[120, 90 * label]]) + steps.cumsum(axis=0), 40, [[200, 280]] * 80).T
    for frame in range(80):
        labels[frame][(rows - y[frame]) ** 2 + (columns - x[frame]) ** 2 < radius**2] = label

tracks = Tracks.from_label_maps(labels, {1: "ball", 2: "puck"}, video="desk", frames_per_second=24)
tracks

# %% [markdown]
# ## As files
#
# Save the array, or use what your model wrote: folders of palette or grey PNGs, one PNG per object, COCO run lengths in
# JSON. `datagen formats` lists what is read; the format is found by what is in the files.

# %%
np.save("desk.npy", labels)
masks = build_masks("desk.npy", fps_of_source=24)
masks

# %%
contact_sheet(masks, rows=4, columns=12)

# %% [markdown]
# The same from a shell, and for what does not fit into memory into a `.zarr`, which goes on where it was interrupted:
#
#     datagen masks --source desk.npy --fps-of-source 24 --out desk.zarr
#
# ## How does it move?

# %%
transitions = masks.transitions()
summary = summarize(transitions)
summary.groups[0].kurtosis

# %% [markdown]
# ## Save it, and load it anywhere
#
# An `.npz` needs numpy alone to be read; `.h5` and `.zarr` can be read in parts.

# %%
store.save(masks, "desk.npz", overwrite=True)
with np.load("desk.npz") as file:
    images, latents, offsets = file["masks"], file["latents"], file["offsets"]
images.shape, latents.shape, offsets[:3]

# %% [markdown]
# As pairs for torch, as SlowVAE and others train on them:

# %%
from torch.utils.data import DataLoader

from kitti_masks import KittiMasks

pairs = KittiMasks("desk.npz", max_delta_t=5, seed=0)
first, second, latents_first, latents_second = next(iter(DataLoader(pairs, 16, collate_fn=pairs.collate)))
first.shape, latents_first[0]

# %% [markdown]
# ## As longer sequences
#
# Methods that look at several frames (TDRL, LEAP) take sequences of a fixed length in place of pairs:

# %%
sequences = KittiMasks("desk.npz", sequence_length=8, seed=0)
images, latents = sequences[0]
images.shape, latents.shape
