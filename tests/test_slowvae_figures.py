import numpy as np
import torch
from PIL import Image
from scipy.stats import norm

from slowvae import SlowVAE, figures


def test_traversals_move_one_latent_through_its_range():
    torch.manual_seed(0)
    network = SlowVAE(z_dim=3, channels=3, image_size=16)
    rng = np.random.default_rng(0)
    latents = (rng.normal(size=(500, 3)) * [1, 2, 0] + [0, 1, 5]).astype(np.float32)
    start = latents[:2]
    images = figures.traversals(network, latents, start)
    assert images.shape == (40, 2, 3, 16, 16, 3)
    z = torch.tensor(start[1])
    z[1] = float(norm.ppf(0.95, latents[:, 1].mean(), latents[:, 1].std()))
    expected = torch.sigmoid(network.decode(z[None])[0]).permute(1, 2, 0) * 255
    np.testing.assert_allclose(images[-1, 1, 1], expected.detach().numpy(), atol=1)
    # A latent that never varied does not move.
    assert (images[:, :, 2] == images[:1, :, 2]).all()


def test_labels_stand_over_columns_or_before_rows_and_leave_the_images_as_they_are():
    images = np.random.default_rng(0).integers(0, 256, (2, 3, 64, 64, 1), dtype=np.uint8)
    bare = np.asarray(figures.sheet(images))
    labels = ["latent 0\nx\n+0.90", "latent 1\n(y)\n-0.10", "latent 2\ny\n+0.50"]
    above = np.asarray(figures.sheet(images, labels))
    assert above.shape[1:] == (*bare.shape[1:], 3)
    top = len(above) - len(bare)
    assert (above[top:] == bare[..., None]).all()
    each = [above[:top, 66 * i : 66 * i + 66] for i in range(3)]
    assert all((part < 100).any() for part in each)
    assert (each[0] != each[1]).any()
    before = np.asarray(figures.sheet(images, labels[:2], "row"))
    left = before.shape[1] - bare.shape[1]
    assert before.shape[0] == len(bare)
    assert (before[:, left:] == bare[..., None]).all()
    assert (before[:, :left] < 100).any()


def test_columns_are_as_wide_as_their_labels():
    small = np.zeros((1, 2, 8, 8, 3), dtype=np.uint8)
    picture = figures.sheet(small, ["latent 0\norientation\n+0.90"] * 2)
    assert picture.width > 2 * 40


def test_the_assigned_latent_of_a_factor_is_framed():
    rng = np.random.default_rng(0)
    latents, factors = rng.normal(size=(2, 50, 2)).astype(np.float32)
    figure = figures.scatters(latents, factors, ("x", "y"), np.array([[0.1, 0.9], [0.8, 0.2]]), np.array([1, 0]))
    widths = [axis.spines["left"].get_linewidth() for axis in figure.axes]
    assert [width == 2 for width in widths] == [False, True, True, False]


def test_gif_shows_rows_of_images_and_columns_of_latents(tmp_path):
    images = np.zeros((40, 2, 3, 8, 8, 1), dtype=np.uint8)
    images[:, 1, 2] = np.linspace(0, 255, 40, dtype=np.uint8)[:, None, None, None]
    figures.save_traversals(images, tmp_path / "t.gif")
    with Image.open(tmp_path / "t.gif") as gif:
        assert gif.size == (30, 20)
        assert gif.n_frames == 78
        gif.seek(39)
        assert np.asarray(gif.convert("L"))[15, 25] == 255
        gif.seek(40)
        assert np.asarray(gif.convert("L"))[15, 25] < 255
