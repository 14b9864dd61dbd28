# %% [markdown]
# # The paper in twenty minutes
#
# Klindt et al. (ICLR 2021) found that objects in natural video move sparsely, mostly in small steps and sometimes by a
# large jump, and that this is enough to find their factors without labels. This notebook goes through all of it: masks
# from annotated video, the statistics of how they move, a SlowVAE that is trained on them, and its score.
#
# It runs on a small synthetic input, which moves in the same way. Put the annotations of KITTI MOTS and MOTSChallenge
# into a folder `mots/` beside it ([where they are](../kitti-masks.md)), and it runs on the real ones.

# %%
from pathlib import Path

from datagen import store
from datagen.preview import contact_sheet
from datagen.samples import sample_mots
from datagen.statistics import summarize

source = Path("mots")
if not source.exists():
    source = Path("sample")
    sample_mots(source, sequences=3, frames=60, overwrite=True)

# %% [markdown]
# ## Masks
#
# Every pedestrian becomes sequences of masks of 64 × 64 pixels, one for each of six windows into the frame. With the
# real annotations this is the published dataset, bit for bit.

# %%
import kitti_masks

masks = kitti_masks.build(source)
store.save(masks, "kitti.npz", overwrite=True)
masks

# %%
contact_sheet(masks, rows=4, columns=12)

# %% [markdown]
# The factors are measured from the pixels: the centre of mass and the area of each mask.

# %%
first, last = masks.offsets[:2]
dict(zip(masks.factor_names, masks.factors[first:last][:3].T.round(2).tolist(), strict=True))

# %% [markdown]
# ## How do they move?
#
# A normal distribution has a kurtosis of 3 and a generalised normal of shape 2; shapes below 1 are sparse. Intervals
# draw whole objects, since the frames of one object say much the same.

# %%
transitions = masks.transitions()
summary = summarize(transitions, bootstrap=100, seed=0)
for factor, kurtosis in summary.groups[0].kurtosis.items():
    fit = summary.groups[0].fits[factor]["gennorm"]
    print(f"{factor:5} kurtosis {kurtosis:6.1f}, shape {fit.parameters['shape']:.2f}")

# %%
# %matplotlib inline
from datagen.statistics.figures import draw

figures = {name: figure for name, caption, figure in draw(transitions, summary)}
figures["histograms"]

# %% [markdown]
# The same as a report: `datagen stats kitti.npz --fit-laplace --report stats.html`.
#
# ## SlowVAE
#
# A beta-VAE that sees two frames at a time and expects each latent to change sparsely between them. The published run
# takes 300,000 steps of ten networks; here it is a few steps of one, which shows how it is done and not how well it
# does.

# %%
import slowvae

networks = slowvae.train("kitti.npz", "runs/kitti", "quick", iterations=40, resume=True)

# %%
network = networks[0]
network

# %% [markdown]
# ## Does it find the factors?
#
# The mean correlation coefficient assigns latents to factors one to one and averages the correlations. On all of KITTI
# Masks the paper has 0.80 and this project, after a fifteenth of the training, 0.73; see [results](../results.md).

# %%
slowvae.evaluate({0: lambda images: network.encode(images)[0]}, "kitti.npz", name="SlowVAE")
