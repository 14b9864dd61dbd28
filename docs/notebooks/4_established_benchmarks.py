# %% [markdown]
# # Established benchmarks with natural transitions
#
# dSprites, 3D Shapes, Cars3D, small NORB and MPI3D have an image of every combination of some factors, but no time.
# The paper gives them transitions: UNI changes a random set of factors, LAP all by Laplace steps. A third kind moves
# positions and sizes as objects in video do.
#
# Small drawings in the layout of dSprites stand in for the set; `datagen download dsprites` fetches the whole.

# %%
from pathlib import Path

import numpy as np
import torch

from datagen import store
from datagen.grids import Laplace, Natural, Uniform, read_grid
from datagen.grids.samples import sample_grid
from datagen.preview import contact_sheet

if not Path("dsprites.npz").exists():
    sample_grid("dsprites", "dsprites.npz")
grid = read_grid("dsprites.npz")
store.save(grid, "dsprites.h5", overwrite=True)
grid

# %%
contact_sheet(grid)

# %% [markdown]
# ## Transitions
#
# A prior draws the second image of a pair, given the first.

# %%
first = grid.factors[np.random.default_rng(0).choice(grid.num_frames, 5)]
for prior in (Uniform(), Laplace(rate=1.0)):
    second = prior.sample(first, grid.factor_info, np.random.default_rng(1))
    print(prior, (second - first).tolist())

# %% [markdown]
# Natural ones come from a table of transitions that were measured in video, here in the synthetic sample:

# %%
from datagen.measure import measure
from datagen.samples import sample_youtube_vis

sample_youtube_vis("train.json", overwrite=True)
table = measure("train.json").transitions()
natural = Natural(table)
natural

# %%
second = natural.sample(first, grid.factor_info, np.random.default_rng(1))
dict(zip(grid.factor_names, (second - first).T.tolist(), strict=True))

# %% [markdown]
# ## Pairs for torch

# %%
from slowvae.grid_pairs import GridPairs

pairs = GridPairs("dsprites.h5", Laplace(rate=1.0), seed=0)
one, other, factors_one, factors_other = pairs[0]
one.shape, factors_one, factors_other

# %% [markdown]
# ## Train and score
#
# A few steps, to show how; [results](../results.md) has the command of the paper's table.

# %%
import slowvae
from slowvae.evaluation import evaluate_run

slowvae.train("dsprites.h5", "runs/dsprites", "quick", iterations=40, prior="laplace", prior_rate=1.0, resume=True)
result = evaluate_run("runs/dsprites", torch.device("cpu"), ["mcc", "mig", "modularity"])
print(result)
print(result.protocol.describe())
