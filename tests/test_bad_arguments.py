"""Arguments of a wrong type or shape get one clear line, never what torch, scikit-learn or numpy say of them."""

import numpy as np
import pytest
import torch

import datagen
import kitti_masks
import natsprites
import slowvae
from datagen import releases, store
from datagen.errors import DatagenError
from slowvae import metrics


class Odd:
    def __repr__(self):
        raise RuntimeError("has no repr")


BAD = [
    *(None, 1.5, -1, 10**30, "", "a\0b", b"x", [], {}, [["a"]], [[1], [2, 3]], float("nan"), Odd()),
    *(np.zeros(3), np.full((5, 2), np.nan), np.array(["a", "b"])),
]
Z, Y = np.random.default_rng(0).normal(size=(60, 4)), np.random.default_rng(0).integers(0, 3, (60, 2))
MASKS = np.ones((4, 32, 32), dtype=bool)
DATA = datagen.Sequences.from_masks([MASKS, MASKS])
TABLE = DATA.transitions()
NETWORK = slowvae.SlowVAE(z_dim=2, image_size=16)

CALLS = {
    "load": datagen.load,
    "store.load": store.load,
    "store.save, dataset": lambda bad: store.save(bad, "out.npz"),
    "store.save, path": lambda bad: store.save(DATA, bad),
    "read_grid": datagen.read_grid,
    "build_masks, sources": datagen.build_masks,
    "build_masks, view": lambda bad: datagen.build_masks("none", view=bad),
    "build_masks, windows": lambda bad: datagen.build_masks("none", windows=bad),
    "build_masks, categories": lambda bad: datagen.build_masks("none", categories=bad),
    "build_masks, frames_per_second": lambda bad: datagen.build_masks("none", frames_per_second=bad),
    "build_masks, workers": lambda bad: datagen.build_masks("none", workers=bad),
    "summarize, table": datagen.summarize,
    "summarize, by": lambda bad: datagen.summarize(TABLE, "x" if bad is None else bad),
    "summarize, bootstrap": lambda bad: datagen.summarize(TABLE, fits=(), bootstrap=bad),
    "summarize, delta_t": lambda bad: datagen.summarize(TABLE, fits=(), delta_t=bad),
    "summarize, delta_ms": lambda bad: datagen.summarize(TABLE, fits=(), delta_ms=([bad],)),
    "kitti_masks.build, sources": kitti_masks.build,
    "kitti_masks.build, preset": lambda bad: kitti_masks.build("none", bad),
    "kitti_masks.build, min_area": lambda bad: kitti_masks.build("none", min_area=bad),
    "kitti_masks.build, image_size": lambda bad: kitti_masks.build("none", image_size=bad),
    "kitti_masks.build, annotations": lambda bad: kitti_masks.build("none", annotations=bad),
    "kitti_masks.find_sources": kitti_masks.find_sources,
    "kitti_masks.transitions": kitti_masks.transitions,
    "kitti_masks.count_by_video": kitti_masks.count_by_video,
    "kitti_masks.split_sequences": lambda bad: kitti_masks.split_sequences(bad, "train"),
    "KittiMasks": kitti_masks.KittiMasks,
    "natsprites.build": natsprites.build,
    "natsprites.build, pairs": lambda bad: natsprites.build(TABLE, bad),
    "natsprites.build, seed": lambda bad: natsprites.build(TABLE, 1, bad),
    "TorchRenderer": lambda bad: natsprites.TorchRenderer("x" if bad is None else bad),
    "fetch": releases.fetch,
    "fetch_set": releases.fetch_set,
    "slowvae.load": slowvae.load,
    "slowvae.evaluate, encoder": lambda bad: slowvae.evaluate(bad, DATA),
    "slowvae.evaluate, dataset": lambda bad: slowvae.evaluate(Z, bad),
    "slowvae.evaluate, metrics": lambda bad: slowvae.evaluate(np.ones((8, 3)), DATA, bad),
    "slowvae.evaluate, protocol": lambda bad: slowvae.evaluate(np.ones((8, 3)), DATA, protocol=bad),
    "slowvae.evaluate, device": lambda bad: slowvae.evaluate(np.ones((8, 3)), DATA, device=bad),
    "slowvae.train, file": lambda bad: slowvae.train(bad, "none", device="cpu"),
    "slowvae.train, folder": lambda bad: slowvae.train("none.npz", bad, device="cpu"),
    "slowvae.train, preset": lambda bad: slowvae.train("none.npz", "none", bad),
    "slowvae.train, model": lambda bad: slowvae.train("none.npz", "none", model=bad),
    "slowvae.train, device": lambda bad: slowvae.train("none.npz", "none", device=bad),
    "slowvae.train, seeds": lambda bad: slowvae.train("none.npz", "none", seeds=bad),
    "slowvae.train, unknown": lambda bad: slowvae.train("none.npz", "none", iterationz=bad),
    "SlowVAE, z_dim": lambda bad: slowvae.SlowVAE(bad),
    "SlowVAE, image_size": lambda bad: slowvae.SlowVAE(image_size=bad),
    "SlowVAE, channels": lambda bad: slowvae.PCL(channels=bad),
    "encode": lambda bad: NETWORK.encode(bad),
    "decode": lambda bad: NETWORK.decode(bad),
    "mcc, latents": lambda bad: metrics.mcc(bad, Y),
    "mig, factors": lambda bad: metrics.mig(Z, bad),
    "dci, latents": lambda bad: metrics.dci(bad, Y, Z, Y),
    "sap, factors": lambda bad: metrics.sap(Z, bad, Z, bad),
    "udr": metrics.udr,
}


@pytest.mark.parametrize("name", CALLS)
def test_a_wrong_argument_is_refused_in_one_line(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for bad in BAD:
        with pytest.raises(DatagenError) as caught:
            CALLS[name](bad)
        assert "\n" not in str(caught.value)
        assert len(str(caught.value)) < 500
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "images",
    [torch.zeros(2, 1, 16, 16, dtype=torch.uint8), torch.zeros(2, 1, 32, 32), torch.zeros(1, 16, 16), MASKS],
)
def test_images_that_a_network_does_not_take(images):
    with pytest.raises(DatagenError, match=r"images are .*; they must be"):
        NETWORK.encode(images)


@pytest.mark.parametrize("latents", [torch.zeros(2, 3), torch.zeros(2), torch.zeros(2, 2, dtype=torch.int64), Z])
def test_latents_that_a_network_does_not_take(latents):
    with pytest.raises(DatagenError, match=r"latents are .*; they must be"):
        NETWORK.decode(latents)


@pytest.mark.parametrize("chosen", [None, 1, 0.5, "x", [[0]], [[1], [2, 3]], [0.5], np.zeros(2)])
def test_sequences_that_cannot_be_selected(chosen):
    with pytest.raises(DatagenError, match="must be their numbers"):
        DATA.select(chosen)


def test_sequences_are_selected_by_number_or_by_mask():
    assert DATA.select([1, 0]).num_sequences == 2
    assert DATA.select([]).num_sequences == 0
