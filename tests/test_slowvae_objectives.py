import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from slowvae.ada_gvae import share_latents
from slowvae.objectives import beta_vae_loss, laplace_cross_entropy, slowvae_loss


@pytest.mark.golden
def test_terms_equal_the_release(golden):
    data = np.load(golden / "loss_public.npz")
    x, logits, mu, logvar = (torch.from_numpy(data[name]).float() for name in ("x", "logits", "mu", "logvar"))
    terms = slowvae_loss(x, logits, mu, logvar, *(float(data[name]) for name in ("beta", "gamma", "rate")))
    for name, value in terms.items():
        assert value.item() == pytest.approx(float(data[name]), rel=1e-6), name
    assert len(terms) == 5


@given(
    mean=st.floats(-3, 3), sigma=st.floats(0.05, 2), rate=st.floats(0.5, 10), shift=st.floats(-3, 3)
)  # fmt: skip
def test_laplace_cross_entropy_is_the_integral(mean, sigma, rate, shift):
    mu = torch.tensor([[mean + shift], [shift]], dtype=torch.float64)
    logvar = torch.full((2, 1), 2 * math.log(sigma), dtype=torch.float64)
    z = np.linspace(mean - 12 * sigma, mean + 12 * sigma, 200_001)
    density = np.exp(-((z - mean) ** 2) / (2 * sigma**2)) / (sigma * math.sqrt(2 * math.pi))
    integral = np.trapezoid(density * (rate * np.abs(z) - math.log(rate / 2)), z)
    # Both directions have the same value here: the mirror image of m is -m.
    assert laplace_cross_entropy(mu, logvar, rate).item() == pytest.approx(2 * integral, rel=1e-5, abs=1e-5)


def test_leading_dimensions_are_kept():
    torch.manual_seed(0)
    x, logits = torch.rand(3, 8, 1, 16, 16), torch.randn(3, 8, 1, 16, 16)
    mu, logvar = torch.randn(3, 8, 4), torch.randn(3, 8, 4)
    together = slowvae_loss(x, logits, mu, logvar)
    for i in range(3):
        alone = slowvae_loss(x[i], logits[i], mu[i], logvar[i])
        for name in together:
            torch.testing.assert_close(together[name][i], alone[name])


def test_without_temporal_prior_slowvae_is_beta_vae():
    torch.manual_seed(0)
    x, logits, mu, logvar = torch.rand(8, 1, 16, 16), torch.randn(8, 1, 16, 16), torch.randn(8, 4), torch.randn(8, 4)
    slow, beta = slowvae_loss(x, logits, mu, logvar, beta=8, gamma=0), beta_vae_loss(x, logits, mu, logvar, beta=8)
    torch.testing.assert_close(slow["total"], beta["total"])


def test_closer_pairs_cost_less():
    torch.manual_seed(0)
    mu, logvar = torch.randn(64, 10), torch.full((64, 10), -4.0)
    near = mu.clone()
    near[1::2] = near[::2] + 0.01
    assert laplace_cross_entropy(near, logvar, 6.0) < laplace_cross_entropy(mu, logvar, 6.0)


def test_ada_gvae_shares_the_latents_that_differ_least():
    mu = torch.tensor([[0.0, 1.0, 5.0], [0.2, 1.1, -5.0]])
    logvar = torch.tensor([[0.0, 0.0, 0.0], [0.0, math.log(3.0), 0.0]])
    shared_mu, shared_logvar = share_latents(mu, logvar)
    torch.testing.assert_close(shared_mu, torch.tensor([[0.1, 1.05, 5.0], [0.1, 1.05, -5.0]]))
    torch.testing.assert_close(shared_logvar.exp(), torch.tensor([[1.0, 2.0, 1.0], [1.0, 2.0, 1.0]]))


def test_ada_gvae_compares_the_first_posterior_with_the_second():
    # The first latent: KL(N(0, 1) || N(0, 4)) = 0.32, the other way round 0.81. The second: 1 either way, the third 0.
    mu = torch.tensor([[0.0, 0.0, 0.0], [0.0, math.sqrt(2), 0.0]])
    logvar = torch.tensor([[0.0, 0.0, 0.0], [math.log(4.0), 0.0, 0.0]])
    shared = share_latents(mu, logvar)[1].exp()
    torch.testing.assert_close(shared[:, 0], torch.tensor([2.5, 2.5]))
    apart = share_latents(mu.flip(0), logvar.flip(0))[1].exp()
    torch.testing.assert_close(apart[:, 0], torch.tensor([4.0, 1.0]))


def test_sure_pixels_cost_and_pull_as_in_torch_but_never_by_subnormal_numbers():
    values = torch.tensor([-200.0, -88.0, -60.0, -46.0, -45.0, -1.0, 0.0, 1.0, 45.0, 88.0, 200.0])
    x = torch.tensor([0.0, 1e-3, 0.5, 1.0]).repeat_interleave(len(values)).view(1, 1, 1, -1)
    mine, theirs = (values.repeat(4).view(1, 1, 1, -1).requires_grad_() for _ in range(2))
    terms = beta_vae_loss(x, mine, torch.zeros(1, 1), torch.zeros(1, 1), beta=0)
    expected = torch.nn.functional.binary_cross_entropy_with_logits(theirs, x, reduction="sum")
    assert terms["reconstruction"].item() == expected.item()
    terms["reconstruction"].sum().backward()
    expected.backward()
    torch.testing.assert_close(mine.grad, theirs.grad, rtol=0, atol=1e-19)
    smallest = torch.finfo(torch.float32).tiny
    assert (theirs.grad[theirs.grad != 0].abs() < smallest).any()
    assert not (mine.grad[mine.grad != 0].abs() < smallest).any()
