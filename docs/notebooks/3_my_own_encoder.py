# %% [markdown]
# # Score my own encoder
#
# You have an encoder, trained with whatever you like, and want a number that others can compare with. A score depends
# on more than the encoder: on the split, on the checkpoint, on how the correlation is taken. All of that is the score's
# *protocol*, which has a short id; only scores of one id compare.

# %%
from pathlib import Path

import torch
from torch import nn

import kitti_masks
import slowvae
from datagen import store
from datagen.samples import sample_mots

if not Path("mots").exists():
    sample_mots("mots", sequences=4, frames=60)
store.save(kitti_masks.build("mots"), "kitti.npz", overwrite=True)

# %% [markdown]
# ## An encoder
#
# Anything that turns images, float32 (B, C, H, W) in 0 to 1, into latents (B, Z): a torch module, or a function of
# numpy arrays or tensors. This one is a small network that sees pairs of neighbouring frames and is trained to tell
# true pairs from pairs of two sequences.

# %%
torch.manual_seed(0)
encoder = nn.Sequential(
    nn.Conv2d(1, 16, 4, 4), nn.ReLU(), nn.Conv2d(16, 32, 4, 4), nn.ReLU(), nn.Flatten(), nn.Linear(512, 8)
)

# %% [markdown]
# The pairs come from the training part of a split by object, so that nobody who is scored was seen before.

# %%
from torch.utils.data import DataLoader

from kitti_masks import KittiMasks

pairs = KittiMasks("kitti.npz", max_delta_t=5, split="train", protocol="by-object", seed=0)
optimizer = torch.optim.Adam(encoder.parameters(), 1e-3)
for number, (first, second, _, _) in enumerate(DataLoader(pairs, 64, shuffle=True, collate_fn=pairs.collate)):
    one, other = (nn.functional.normalize(encoder(images)) for images in (first, second))
    loss = nn.functional.cross_entropy(10 * one @ other.T, torch.arange(len(one)))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if number == 20:
        break

# %% [markdown]
# ## Its score
#
# On the test part of the same split. The interval draws whole sequences, and seeds too where several are given.

# %%
result = slowvae.evaluate(encoder, "kitti.npz", ["mcc", "r2", "block-mcc"], "by-object", name="contrastive")
print(result)
print(result.protocol.describe())
print("95 %", result.interval(), result.seeds["0"]["r2"])

# %% [markdown]
# The same from a shell, where the module is imported, and from saved latents, a row for every frame:
#
#     datagen evaluate kitti.npz --encoder my_package.models:encoder --protocol by-object
#     datagen evaluate kitti.npz --latents z.npy --protocol by-object --metrics all
#
# ## By every published protocol
#
# What a name says of the training cannot be seen from outside, so it is taken as given, and noted.

# %%
for name in ("klindt2021-0.15s", "leap2022", "held-out-object"):
    scored = slowvae.evaluate(encoder, "kitti.npz", protocol=name)
    print(f"{name:17} id {scored.protocol.id}  mcc {float(scored):.3f}")

# %% [markdown]
# ## Beside floors
#
# What scores a network that learned nothing? Principal components?

# %%
from slowvae.baselines import evaluate_baseline

floors = [evaluate_baseline(name, "kitti.npz", protocol="by-object", z_dim=8) for name in ("untrained", "pca")]
{entry.name: round(float(entry), 3) for entry in [result, *floors]}

# %% [markdown]
# `datagen leaderboard` makes a page of such results, ranked within each protocol.
#
# ## With Lightning
#
# A dataset is an ordinary torch dataset, so it goes into a `LightningModule` as any other:
#
# ```python
# import lightning
#
# class Contrastive(lightning.LightningModule):
#     def __init__(self, encoder):
#         super().__init__()
#         self.encoder = encoder
#
#     def training_step(self, batch, number):
#         first, second, _, _ = batch
#         one, other = (nn.functional.normalize(self.encoder(images)) for images in (first, second))
#         return nn.functional.cross_entropy(10 * one @ other.T, torch.arange(len(one), device=one.device))
#
#     def on_train_epoch_start(self):
#         self.trainer.train_dataloader.dataset.set_epoch(self.current_epoch)  # new partners in every epoch
#
#     def configure_optimizers(self):
#         return torch.optim.Adam(self.parameters(), 1e-3)
#
# loader = DataLoader(pairs, 64, shuffle=True, collate_fn=pairs.collate, num_workers=4, persistent_workers=True)
# lightning.Trainer(max_epochs=10).fit(Contrastive(encoder), loader)
# ```
#
# ## Sequences
#
# Methods that look at several frames (TDRL, LEAP) take sequences of a fixed length:

# %%
sequences = KittiMasks("kitti.npz", sequence_length=8, split="train", protocol="by-object", seed=0)
images, factors = next(iter(DataLoader(sequences, 16, shuffle=True)))
images.shape, factors.shape
