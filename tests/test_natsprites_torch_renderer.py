import numpy as np
import pytest
import torch
from natsprites_helpers import golden_transitions, random_transitions

from datagen.errors import UsageError
from natsprites.renderer import Renderer
from natsprites.sampling import factor_space
from natsprites.shapes import SHAPES
from natsprites.torch_renderer import TorchRenderer


def natural_factors(frames, transitions, shapes=("square", "triangle", "star_4", "spoke_4")):
    space = factor_space(transitions, shapes=shapes)
    x, y, scale, angle, shape = space.factors(space.draw(frames, seed=1))[:, 0].T
    return [torch.from_numpy(value.copy()) for value in (x, y, scale, angle)], shape.astype(int)


def exact(factors, codes, color=1.0):
    return Renderer().render(*[value.numpy() for value in factors], codes, color).transpose(0, 3, 1, 2) / np.float32(
        255
    )


def test_on_the_cpu_frames_are_exact():
    factors, codes = natural_factors(100, random_transitions(), list(SHAPES))
    images = TorchRenderer().render(*factors, codes)
    assert images.dtype == torch.float32
    np.testing.assert_array_equal(images.numpy(), exact(factors, codes))
    color = torch.rand(100, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    images = TorchRenderer().render(*factors, codes, color)
    np.testing.assert_array_equal(images.numpy(), exact(factors, codes, color.numpy()))


def assert_close(images, expected):
    difference = np.abs(images.numpy() - expected) * 255
    assert difference.mean() < 0.5
    assert (difference <= 16).mean() > 0.999


@pytest.mark.golden
def test_the_smooth_scene_is_close_on_natural_factors(golden):
    factors, codes = natural_factors(1000, golden_transitions(golden))
    assert_close(TorchRenderer().smooth(codes, *factors), exact(factors, codes))


@pytest.mark.parametrize("name", SHAPES)
def test_the_smooth_scene_is_close_for_every_shape(name):
    factors, codes = natural_factors(200, random_transitions(), [name])
    color = torch.rand(200, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    assert_close(TorchRenderer().smooth(codes, *factors, color), exact(factors, codes, color.numpy()))


def test_the_smooth_scene_is_close_where_sprites_leave_the_frame():
    factors, codes = natural_factors(200, random_transitions())
    factors[0] = factors[0] * 1.4 - 0.2
    factors[1] = factors[1] * 1.4 - 0.2
    assert_close(TorchRenderer().smooth(codes, *factors), exact(factors, codes))


def test_sizes():
    factors, codes = natural_factors(20, random_transitions())
    renderer = TorchRenderer(image_size=96, anti_aliasing=4)
    images = renderer.render(*factors, codes)
    assert images.shape == (20, 3, 96, 96)
    assert_close(renderer.smooth(codes, *factors), images.numpy())
    assert renderer.render(*[value[:0] for value in factors], codes[:0]).shape == (0, 3, 96, 96)


# On a canvas so fine that truncation to its pixels is small beside the steps.
@pytest.mark.parametrize(("argument", "step"), [(0, 0.002), (1, 0.002), (2, 0.002), (3, 0.8)])
def test_gradients_agree_with_differences_of_exact_frames(argument, step):
    renderer = TorchRenderer(image_size=16, anti_aliasing=512)
    rng = np.random.default_rng(argument)
    frames = 24
    factors = [rng.uniform(0.3, 0.7, frames), rng.uniform(0.3, 0.7, frames), rng.uniform(0.2, 0.4, frames)]
    factors = [torch.from_numpy(value) for value in (*factors, rng.uniform(0, 360, frames))]
    codes = rng.choice(4, frames)
    # The overlap with the same sprite, moved, grown and turned.
    other = renderer.render(factors[0] + 0.05, factors[1] - 0.05, factors[2] * 1.1, factors[3] + 20, codes)

    def score(factors):
        return (renderer.render(*factors, codes) * other).sum(dim=(1, 2, 3)).double()

    leaves = [value.clone().requires_grad_() for value in factors]
    score(leaves).sum().backward()
    gradient = leaves[argument].grad
    above, below = [*factors], [*factors]
    above[argument], below[argument] = factors[argument] + step, factors[argument] - step
    difference = (score(above) - score(below)) / (2 * step)
    assert np.corrcoef(gradient, difference)[0, 1] > 0.95
    assert (gradient @ difference / (difference @ difference)).item() == pytest.approx(1, abs=0.1)


def test_gradient_of_the_colour():
    factors, codes = natural_factors(10, random_transitions())
    color = torch.full((10, 3), 0.5, dtype=torch.float64, requires_grad=True)
    images = TorchRenderer().render(*factors, codes, color)
    images[:, 1].sum().backward()
    assert (color.grad[:, [0, 2]] == 0).all()
    # Each grey level a sprite gains is spread over its area.
    torch.testing.assert_close(color.grad[:, 1], images[:, 1].sum(dim=(1, 2)).double() / 0.5, rtol=0.02, atol=0)


def test_a_sprite_is_found_by_descent():
    target = TorchRenderer().render(*[torch.tensor([value]) for value in (0.55, 0.45, 0.32, 20.0)], ["star_4"])
    found = [torch.tensor([value], requires_grad=True) for value in (0.45, 0.52, 0.25, 5.0)]
    optimizer = torch.optim.Adam(
        [{"params": found[:2], "lr": 0.005}, {"params": found[2:3], "lr": 0.003}, {"params": found[3:], "lr": 0.7}]
    )
    for _ in range(150):
        optimizer.zero_grad()
        loss = ((TorchRenderer().render(*found, ["star_4"]) - target) ** 2).sum()
        loss.backward()
        optimizer.step()
    assert [value.item() for value in found] == pytest.approx([0.55, 0.45, 0.32, 20], abs=0.5)
    assert [value.item() for value in found[:3]] == pytest.approx([0.55, 0.45, 0.32], abs=0.01)


@pytest.mark.parametrize(
    ("shape", "message"), [(["heart"], "unknown shape 'heart'"), (["square", "square"], "shapes of 2")]
)
def test_bad_arguments_get_one_clear_line(shape, message):
    one = torch.tensor([0.5])
    with pytest.raises(UsageError, match=message):
        TorchRenderer().render(one, one, one, one, shape)


@pytest.mark.gpu
def test_a_gpu_draws_the_smooth_scene(gpu):
    factors, codes = natural_factors(100, random_transitions())
    images = TorchRenderer(str(gpu)).render(*factors, codes)
    torch.testing.assert_close(images.cpu(), TorchRenderer().smooth(codes, *factors), rtol=0, atol=0.1)


@pytest.mark.parametrize("device", ["x", "", "cuda:99", 5.5])
def test_devices_that_are_not_there(device):
    with pytest.raises(UsageError, match="cannot be used") as caught:
        TorchRenderer(device)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("value", [None, "a", torch.zeros(2), torch.tensor(0.5), torch.zeros(1, 1)])
def test_factors_that_do_not_fit(value):
    one = torch.tensor([0.5])
    for factors in ([value, one, one, one], [one, one, one, value]):
        with pytest.raises(UsageError, match="must be"):
            TorchRenderer().render(*factors, ["square"])
