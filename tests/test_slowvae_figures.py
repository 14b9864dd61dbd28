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
