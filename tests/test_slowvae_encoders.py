"""Anybody's encoders and latents: what they may be, and one line for what they may not."""

import io
import sys
import zipfile

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from test_slowvae_trainer import bars
from torch import nn

from datagen.datasets import Sequences
from datagen.errors import BadInputError, DatagenError, UsageError
from slowvae.encoders import encode, find_encoder, load_latents

N = 26


@pytest.fixture(scope="module")
def dataset() -> Sequences:
    return bars()


def moments(images):
    """Return the centres and areas of masks, of numpy arrays alone."""
    area = images.sum(axis=(1, 2, 3))
    y, x = np.mgrid[:16, :16]
    return np.stack([(images[:, 0] * y).sum((1, 2)) / area, (images[:, 0] * x).sum((1, 2)) / area, area], 1)


# Encoders


def test_a_function_of_arrays_gets_images_in_order(dataset):
    np.testing.assert_allclose(encode(moments, dataset, batch_size=7), dataset.factors, rtol=1e-6)
    rows = np.array([3, 11, 20])
    np.testing.assert_allclose(encode(moments, dataset, rows), dataset.factors[rows], rtol=1e-6)


def test_a_module_is_in_evaluation_without_gradients_and_comes_back_as_it_was(dataset):
    seen = []

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = nn.Linear(256, 2).eval()

        def forward(self, x):
            seen.append((x.dtype, tuple(x.shape), self.training, torch.is_grad_enabled()))
            return self.inner(x.flatten(1))

        def means(self, x):
            return self(x)

    net = Net()
    z = encode(net, dataset, batch_size=20)
    assert z.shape == (N, 2)
    assert z.dtype == np.float32
    assert seen == [(torch.float32, (20, 1, 16, 16), False, False), (torch.float32, (6, 1, 16, 16), False, False)]
    assert net.training
    assert not net.inner.training
    np.testing.assert_array_equal(encode(net.means, dataset, batch_size=20), z)


def test_a_function_of_tensors_is_given_tensors(dataset):
    weights = torch.randn(256, 4)
    z = encode(lambda images: torch.flatten(images, 1) @ weights, dataset)
    np.testing.assert_allclose(z, dataset.images.reshape(N, -1).astype(np.float32) @ weights.numpy(), rtol=1e-4)


@pytest.mark.parametrize("shape", [(6, 8, 8), (6, 8, 12, 3)])
def test_bytes_are_in_0_to_1_and_colours_come_first(shape):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, shape, dtype=np.uint8)
    factors = rng.random((6, 5)).astype(np.float32)
    sprites = Sequences.of_sprites(
        images.reshape(3, 2, *shape[1:]), factors.reshape(3, 2, 5), np.zeros(5, int), np.arange(3)
    )
    z = encode(lambda x: x.reshape(len(x), -1), sprites)
    expected = images[:, None] if images.ndim == 3 else np.moveaxis(images, 3, 1)
    np.testing.assert_allclose(z, expected.reshape(6, -1) / 255, rtol=1e-6)


class Unwilling:
    def __array__(self, dtype=None, copy=None):
        raise OSError("no array")


def leaving(images):
    raise GeneratorExit


def raising(images):
    raise RuntimeError("no\nway \x1b[31m")


@pytest.mark.parametrize(
    ("encoder", "message"),
    [
        (
            raising,
            "^enc: raised at frames 0 to 25, images float32 .26, 1, 16, 16. on cpu: of an array RuntimeError: no; ",
        ),
        (lambda x: x, "^enc: gave .26, 1, 16, 16. for frames 0 to 25"),
        (lambda x: x[:-1].reshape(25, -1), "^enc: gave .25, 256. .* must give one row of latents an image"),
        (lambda x: (moments(x), 1), "^enc: gave a tuple of 2; it must give the latents alone"),
        (lambda x: None, "^enc: gave a NoneType; it must give latents"),
        (lambda x: sys.exit(3), "^enc: raised at frames 0 to 25, .* SystemExit: 3"),
        (lambda x: np.array([["a"]] * len(x)), "^enc: <U1 .26, 1.; latents are real numbers"),
        (lambda x: moments(x) * 1j, "latents are real numbers"),
        (lambda x: np.full((len(x), 2), 1e300), "^enc: 26 of 26 rows are not finite in float32, first frame 0"),
        (lambda x: np.where(np.arange(len(x))[:, None] == 4, np.nan, moments(x)), "1 of 26 rows .* first frame 4"),
        (lambda x: np.zeros((len(x), 0)), "^enc: 0 latents"),
        (lambda x: torch.zeros(len(x), 2).to_sparse(), "^enc: a Tensor cannot be taken as an array of latents"),
        (lambda x: torch.zeros(len(x), 2, device="meta"), "^enc: a Tensor cannot be taken as an array of latents"),
        (lambda x: Unwilling(), "^enc: a Unwilling cannot be taken as an array of latents, .* .OSError: no array"),
        (lambda x: np.ma.masked_less(moments(x), np.inf), "^enc: holds masked values"),
        (leaving, "GeneratorExit"),
    ],
)
def test_what_gives_no_latents_is_refused_in_one_line(dataset, encoder, message):
    with pytest.raises(DatagenError, match=message) as caught:
        encode(encoder, dataset, name="enc")
    assert "\n" not in str(caught.value)
    assert "\x1b" not in str(caught.value)


def test_batches_must_agree(dataset):
    with pytest.raises(DatagenError, match=r"gave \(6, 6\) for frames 20 to 25.* \(6, 20\)"):
        encode(lambda x: np.zeros((len(x), len(x))), dataset, name="enc", batch_size=20)


def test_a_file_of_factors_has_nothing_to_encode():
    empty = Sequences.of_sprites(None, np.zeros((2, 2, 5), np.float32), np.zeros(5, int), np.arange(2))
    with pytest.raises(UsageError, match="factors only"):
        encode(moments, empty)


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    for name in [name for name in sys.modules if name.startswith("mine_")]:
        monkeypatch.delitem(sys.modules, name)
    return tmp_path


def test_an_encoder_is_found_from_the_current_folder(here):
    (here / "mine_package").mkdir()
    (here / "mine_package/models.py").write_text(
        "class Box:\n    @staticmethod\n    def encode(x):\n        return x\n"
    )
    assert find_encoder("mine_package.models:Box.encode")(3) == 3


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("mine_none:f", UsageError, "there is no module 'mine_none'"),
        ("mine_none.sub:f", UsageError, "there is no module 'mine_none.sub'"),
        ("mine_broken:f", DatagenError, "cannot be imported .ZeroDivisionError"),
        (
            "mine_wanting:f",
            DatagenError,
            "cannot be imported .ModuleNotFoundError: No module named 'nothing_of_the_kind'",
        ),
        ("mine_syntax:f", DatagenError, "cannot be imported .SyntaxError"),
        ("mine_good:g", UsageError, "there is no 'g' in mine_good"),
        ("mine_good:Class", UsageError, "is a class; name a torch module or a function"),
        ("mine_good:number", UsageError, "cannot be called"),
        ("mine_leaving:f", DatagenError, "cannot be imported .SystemExit: 0"),
        ("mine_mute:f", DatagenError, "cannot be imported .Mute"),
        ("mine_lazy:f", DatagenError, "'f' cannot be looked up .KeyError"),
        ("mine_good", UsageError, "name it as module:function"),
        ("mine_good:", UsageError, "name it as module:function"),
        ("../mine_good:f", UsageError, "name it as module:function"),
        ("mine_good:f()", UsageError, "name it as module:function"),
    ],
)
def test_names_of_no_encoder_are_refused_in_one_line(here, name, error, message):
    (here / "mine_good.py").write_text("number = 3\nclass Class: pass\ndef f(x): return x\n")
    (here / "mine_broken.py").write_text("1 / 0\n")
    (here / "mine_wanting.py").write_text("import nothing_of_the_kind\n")
    (here / "mine_syntax.py").write_text("def f(:\n")
    (here / "mine_leaving.py").write_text("import sys; sys.exit(0)\n")
    (here / "mine_mute.py").write_text("class Mute(Exception):\n def __str__(self): return 1 / 0\nraise Mute\n")
    (here / "mine_lazy.py").write_text("def __getattr__(name): raise KeyError(name)\n")
    with pytest.raises(error, match=message) as caught:
        find_encoder(name)
    assert "\n" not in str(caught.value)


# Saved latents


def saved(path, array, **others):
    np.savez(path, latents=array, **others) if path.suffix == ".npz" else np.save(path, array)
    return path


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", ">f8", "int16", "bool"])
@pytest.mark.parametrize("suffix", [".npy", ".npz"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_saved_latents_come_back(tmp_path, dtype, suffix, order):
    z = np.asarray(np.random.default_rng(0).integers(0, 2, (N, 3)), dtype=dtype, order=order)
    found, indices = load_latents(saved(tmp_path / f"z{suffix}", z), N)
    np.testing.assert_array_equal(found, z.astype(np.float32))
    assert indices is None


@given(st.sets(st.integers(0, N - 1), min_size=1), st.randoms())
def test_indices_say_which_frames_rows_are_of(tmp_path_factory, frames, random):
    order = list(frames)
    random.shuffle(order)
    z = np.array(order)[:, None] * [1.0, -1.0]
    path = saved(tmp_path_factory.mktemp("z") / "z.npz", z, indices=np.array(order))
    found, indices = load_latents(path, N)
    assert indices.tolist() == sorted(frames)
    np.testing.assert_array_equal(found[:, 0], indices)


def test_the_only_array_may_have_any_name(tmp_path):
    np.savez(tmp_path / "z.npz", mu=np.zeros((N, 2)), indices=np.arange(N))
    assert load_latents(tmp_path / "z.npz", N)[0].shape == (N, 2)


@pytest.mark.parametrize(
    ("held", "message"),
    [
        ({"latents": np.zeros((N - 1, 2))}, "has 25 rows, and the dataset 26 frames; give a row for each"),
        ({"latents": np.zeros((N + 1, 2))}, "has 27 rows, and the dataset 26 frames"),
        ({"latents": np.zeros((300, N))}, "26 frames; pass array.T"),
        ({"latents": np.zeros(N)}, r"latents are real numbers \(N, Z\)"),
        ({"latents": np.zeros((N, 2, 2))}, "latents are real numbers"),
        ({"latents": np.zeros((N, 2), complex)}, "latents are real numbers"),
        ({"latents": np.full((N, 2), "a")}, "latents are real numbers"),
        ({"latents": np.zeros((N, 5000))}, "5,000 latents"),
        ({"latents": np.zeros((N, 0))}, "0 latents"),
        ({"latents": np.where(np.arange(N)[:, None] == 7, np.inf, np.zeros((N, 2)))}, "first frame 7"),
        ({"a": np.zeros((N, 2)), "b": np.zeros((N, 2))}, "or the only one; it holds a, b"),
        ({"latents": np.zeros((2, 2)), "indices": np.array([0, 0])}, "name a frame twice"),
        ({"latents": np.zeros((2, 2)), "indices": np.array([0, N])}, "numbers of frames, from 0 to 25"),
        ({"latents": np.zeros((2, 2)), "indices": np.array([-1, 0])}, "numbers of frames"),
        ({"latents": np.zeros((2, 2)), "indices": np.array([0.0, 1.0])}, "whole numbers"),
        ({"latents": np.zeros((2, 2)), "indices": np.array([0, 1, 2])}, "one a row"),
        ({"latents": np.zeros((0, 2)), "indices": np.zeros(0, int)}, "one at least"),
    ],
)
def test_what_holds_no_latents_of_the_dataset_is_refused(tmp_path, held, message):
    np.savez(tmp_path / "z.npz", **held)
    with pytest.raises(BadInputError, match=message) as caught:
        load_latents(tmp_path / "z.npz", N)
    assert str(caught.value).count(str(tmp_path)) == 1
    assert "\n" not in str(caught.value)


def test_nothing_is_unpickled_and_no_size_is_believed(tmp_path):
    np.save(tmp_path / "o.npy", np.array([[{}]], dtype=object), allow_pickle=True)
    with pytest.raises(BadInputError, match="no npy file of numbers"):
        load_latents(tmp_path / "o.npy", N)
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f4", "fortran_order": False, "shape": (N, 2)})
    (tmp_path / "short.npy").write_bytes(header.getvalue() + b"\0" * 10)
    with pytest.raises(BadInputError, match="not as long as its header says"):
        load_latents(tmp_path / "short.npy", N)
    with zipfile.ZipFile(tmp_path / "short.npz", "w") as archive:
        archive.writestr("latents.npy", header.getvalue() + b"\0" * 10)
    with pytest.raises(BadInputError, match="not as long as its header says"):
        load_latents(tmp_path / "short.npz", N)
    (tmp_path / "text.npy").write_text("no array")
    with pytest.raises(BadInputError, match="no npy file"):
        load_latents(tmp_path / "text.npy", N)
    with pytest.raises(UsageError, match=r"read from \.npy and \.npz"):
        load_latents(saved(tmp_path / "z.npy", np.zeros((N, 2))).rename(tmp_path / "z.txt"), N)


@given(
    arrays.arrays(
        st.sampled_from([np.float32, np.float64, np.int64, np.uint8]), arrays.array_shapes(max_dims=3, max_side=30)
    )
)
def test_any_array_is_latents_or_one_line(tmp_path_factory, array):
    path = saved(tmp_path_factory.mktemp("any") / "z.npy", array)
    good = array.ndim == 2 and len(array) == N and np.isfinite(array.astype(np.float32)).all()
    if good and array.shape[1]:
        assert load_latents(path, N)[0].shape == array.shape
    else:
        with pytest.raises(BadInputError) as caught:
            load_latents(path, N)
        assert "\n" not in str(caught.value)
