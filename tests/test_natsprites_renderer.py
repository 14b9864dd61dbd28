import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from natsprites_helpers import golden_arrays
from PIL import Image, ImageDraw

from datagen.errors import UsageError
from natsprites.renderer import Renderer, _add_spans, _place, lanczos_filter
from natsprites.shapes import SHAPES


def pillow_render(frames, image_size=64, anti_aliasing=5):
    """Draw frames, each a list of (x, y, scale, angle, shape, color), with Pillow itself."""
    canvas_size = image_size * anti_aliasing
    images = []
    for sprites in frames:
        canvas = Image.new("RGB", (canvas_size, canvas_size))
        for x, y, scale, angle, shape, color in sprites:
            cosine, sine = math.cos(math.radians(angle)), math.sin(math.radians(angle))
            across, up = SHAPES[shape].T
            vertices = np.stack(
                [
                    (cosine * scale) * across + (-sine * scale) * up + x,
                    (sine * scale) * across + (cosine * scale) * up + y,
                ],
                axis=1,
            )
            fill = tuple(int(255 * channel) for channel in color)
            ImageDraw.Draw(canvas).polygon([tuple(vertex) for vertex in canvas_size * vertices], fill=fill)
        images.append(np.flipud(np.array(canvas.resize((image_size, image_size), Image.Resampling.LANCZOS))))
    return np.array(images)


def render(frames, image_size=64, anti_aliasing=5):
    """The same by our renderer; all frames hold the same number of sprites."""
    x, y, scale, angle, shape, color = (
        [[sprite[part] for sprite in sprites] for sprites in frames] for part in range(6)
    )
    return Renderer(image_size, anti_aliasing).render(x, y, scale, angle, shape, np.array(color))


UNIT = st.floats(0, 1)
# Whole steps of a canvas pixel, where truncation is at its most delicate, beside any other number.
PLACE = st.one_of(st.floats(-0.5, 1.5), st.integers(-32, 96).map(lambda step: step / 64))
SPRITE = st.tuples(
    PLACE,
    PLACE,
    st.one_of(st.floats(0, 1.2), st.integers(0, 40).map(lambda step: step / 32), st.floats(0, 0.02)),
    st.one_of(st.integers(0, 39).map(lambda step: 9.0 * step), st.floats(-720, 720)),
    st.sampled_from(list(SHAPES)),
    st.one_of(st.just((1.0, 1.0, 1.0)), st.tuples(UNIT, UNIT, UNIT)),
)
FRAMES = st.integers(1, 4).flatmap(
    lambda sprites: st.lists(st.lists(SPRITE, min_size=sprites, max_size=sprites), min_size=1, max_size=4)
)


@settings(max_examples=200)
@given(FRAMES)
def test_frames_equal_those_drawn_by_pillow(frames):
    np.testing.assert_array_equal(render(frames), pillow_render(frames))


@settings(max_examples=100)
@given(FRAMES, st.integers(1, 70), st.integers(1, 7))
def test_any_image_size_and_anti_aliasing_equal_pillow(frames, image_size, anti_aliasing):
    np.testing.assert_array_equal(
        render(frames, image_size, anti_aliasing), pillow_render(frames, image_size, anti_aliasing)
    )


@pytest.mark.slow
@settings(max_examples=250)
@given(st.lists(st.lists(SPRITE, min_size=1, max_size=1), min_size=20, max_size=20))
def test_many_single_sprites_equal_pillow(frames):
    np.testing.assert_array_equal(render(frames), pillow_render(frames))


POINT = st.tuples(st.integers(-10, 40), st.integers(-10, 40))


@settings(max_examples=500)
@given(st.lists(POINT, min_size=3, max_size=12))
def test_spans_fill_any_polygon_as_pillow_does(points):
    canvas = 32
    image = Image.new("L", (canvas, canvas))
    ImageDraw.Draw(image).polygon(points, fill=1)

    edges, slopes = np.empty((1, len(points), 6), np.int64), np.empty((1, len(points)), np.float32)
    sides = _place(np.array([0, 0, 1, 0.0]), np.array(points) / canvas, canvas, edges[0], slopes[0])
    last_row = min(edges[0, :sides, 5].max(), canvas)
    filled = np.zeros((canvas, canvas), np.uint8)
    spans, crossings = np.empty((2 * sides, 3), np.int64), np.empty(2 * sides, np.float32)
    for row in range(canvas):
        found = _add_spans(edges, slopes, 0, sides, row, last_row, canvas, spans, 0, crossings)
        for first, end, _ in spans[:found]:
            filled[row, first:end] = 1
    np.testing.assert_array_equal(filled, np.array(image))


@settings(max_examples=60)
@given(st.integers(1, 30), st.integers(1, 8), st.integers(0, 2**32 - 1))
def test_filter_resizes_any_image_as_pillow_does(image_size, anti_aliasing, seed):
    canvas = image_size * anti_aliasing
    pixels = np.random.default_rng(seed).choice(np.array([0, 1, 128, 254, 255], np.uint8), size=(canvas, canvas))
    coefficients, running, _ = lanczos_filter(image_size, anti_aliasing)
    np.testing.assert_array_equal(np.diff(running, axis=0).T, coefficients)

    def filtered(image):
        return np.clip((image.astype(np.int64) @ coefficients.T + (1 << 21)) >> 22, 0, 255).astype(np.uint8)

    expected = Image.fromarray(pixels).resize((image_size, image_size), Image.Resampling.LANCZOS)
    np.testing.assert_array_equal(filtered(filtered(pixels).T).T, np.array(expected))


@pytest.mark.golden
def test_golden_sprites(golden):
    sprites = golden_arrays(golden, "sprites.npz")
    color = np.stack([sprites["c0"], sprites["c1"], sprites["c2"]], axis=1)
    images = Renderer().render(sprites["x"], sprites["y"], sprites["scale"], sprites["angle"], sprites["shape"], color)
    np.testing.assert_array_equal(images, sprites["images"])


def test_spriteworld_itself(monkeypatch):
    # Spriteworld asks for a name that Pillow 10 dropped.
    monkeypatch.setattr(Image, "ANTIALIAS", Image.Resampling.LANCZOS, raising=False)
    pil_renderer = pytest.importorskip("spriteworld.renderers.pil_renderer")
    sprite = pytest.importorskip("spriteworld.sprite")
    theirs = pil_renderer.PILRenderer(
        (64, 64), anti_aliasing=5, color_to_rgb=lambda color: tuple((255 * np.array(color)).astype(np.uint8))
    )
    rng = np.random.default_rng(0)
    names = np.array(list(SHAPES))
    frames, sprites = 300, 3
    x, y = rng.uniform(-0.2, 1.2, (2, frames, sprites))
    scale, angle = rng.uniform(0, 0.7, (frames, sprites)), rng.uniform(0, 360, (frames, sprites))
    # Half of them on whole canvas pixels and right angles.
    x[::2], y[::2], scale[::2] = (np.round(value[::2] * 64) / 64 for value in (x, y, scale))
    angle[::2] = np.round(angle[::2] / 9) * 9
    shape, color = rng.choice(names, (frames, sprites)), rng.random((frames, sprites, 3))
    expected = [
        theirs.render(
            [
                sprite.Sprite(x[n, k], y[n, k], str(shape[n, k]), angle[n, k], scale[n, k], *color[n, k])
                for k in range(sprites)
            ]
        )
        for n in range(frames)
    ]
    np.testing.assert_array_equal(Renderer().render(x, y, scale, angle, shape, color), np.array(expected))


def test_later_sprites_lie_on_top():
    red, green = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0)
    images = Renderer().render([[0.5, 0.5]], 0.5, [[0.5, 0.2]], 0, "square", np.array([red, green]))
    assert images[0, 32, 32].tolist() == [0, 255, 0]
    images = Renderer().render([[0.5, 0.5]], 0.5, [[0.2, 0.5]], 0, "square", np.array([red, green]))
    assert not images[..., 0].any()


def test_y_points_upwards_and_angles_run_counter_clockwise():
    image = Renderer().render([0.25], 0.75, 0.1, 0, "circle", grey=True)[0]
    assert image[16, 16] == 255
    assert image[48, 16] == 0
    # A triangle points up; turned by 90 degrees it points to the left.
    turned = Renderer().render([0.5], 0.5, 0.5, 90, "triangle", grey=True)[0]
    assert turned[32, 10] == 255
    assert turned[32, 54] == 0


def test_grey_is_one_channel_of_the_colour_image():
    factors = [0.3, 0.6], [0.4, 0.5], [0.3, 0.2], [10, 200], ["star_5", "spoke_6"]
    rgb = Renderer().render(*factors, color=0.6)
    grey = Renderer().render(*factors, color=0.6, grey=True)
    assert grey.shape == (2, 64, 64)
    np.testing.assert_array_equal(rgb, np.repeat(grey[..., None], 3, axis=3))


def test_floats_are_the_bytes_divided_by_255():
    factors = [0.3, 0.6], [0.4, 0.5], [0.3, 0.2], [10, 200], ["star_5", "spoke_6"], [[0.2, 0.5, 1.0]]
    images = Renderer().render(*factors, dtype=np.float32)
    assert images.dtype == np.float32
    np.testing.assert_array_equal(images, Renderer().render(*factors).astype(np.float32) / 255.0)


def test_factors_are_broadcast():
    one = Renderer().render(0.5, [0.5], 0.2, 30, "square")
    many = Renderer().render(np.full(3, 0.5), 0.5, [0.2], 30, ["square"] * 3)
    np.testing.assert_array_equal(many, np.repeat(one, 3, axis=0))


@pytest.mark.parametrize("shape", [(0,), (3, 0)], ids=["no frame", "no sprite"])
def test_nothing_to_draw(shape):
    nothing = np.zeros(shape)
    images = Renderer(image_size=16).render(nothing, nothing, nothing, nothing, nothing)
    assert images.shape == (shape[0], 16, 16, 3)
    assert not images.any()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"x": np.nan}, "x holds a value that is not finite"),
        ({"angle": [np.inf]}, "angle holds a value that is not finite"),
        ({"scale": 1e9}, "scale holds a value beyond"),
        ({"color": [0, 0, 1.1]}, "outside"),
        ({"color": [0, 0, np.nan]}, "outside"),
        ({"color": [0, 0]}, "do not fit together"),
        ({"y": [0.1, 0.2], "x": [0.1, 0.2, 0.3]}, "do not fit together"),
        ({"shape": "heart"}, "unknown shape 'heart'"),
        ({"y": np.zeros((2, 2, 2))}, r"must be \(N,\) or \(N, K\)"),
        ({"color": [0, 0, 1], "grey": True}, "grey colours"),
    ],
)
def test_bad_factors_get_one_clear_line(change, message):
    good = {"x": [0.5], "y": [0.5], "scale": 0.1, "angle": 0, "shape": "square"}
    with pytest.raises(UsageError, match=message):
        Renderer().render(**(good | change))


@pytest.mark.parametrize("arguments", [(0,), (64, 0), (10_000, 5)])
def test_bad_sizes_get_one_clear_line(arguments):
    with pytest.raises(UsageError, match="must be at least 1"):
        Renderer(*arguments)


@pytest.mark.parametrize("size", [None, True, 64.0, "64", -1, 10**30, float("nan")])
def test_sizes_that_are_no_whole_numbers(size):
    for arguments in ((size,), (64, size)):
        with pytest.raises(UsageError, match="whole"):
            Renderer(*arguments)


@pytest.mark.parametrize("value", [None, "a", b"1", 1j, [None], [[1], [1, 2]], {}, np.zeros(1, "M8[s]")])
@pytest.mark.parametrize("place", range(4))
def test_factors_that_are_no_numbers(value, place):
    factors = [0.5, 0.5, 0.1, 0]
    factors[place] = value
    with pytest.raises(UsageError, match=("x", "y", "scale", "angle")[place]):
        Renderer().render(*factors, ["square"])
    with pytest.raises(UsageError, match="color"):
        Renderer().render([0.5], [0.5], [0.1], [0], ["square"], value)


def test_the_dtype_is_the_one_asked_for():
    one = ([0.5], [0.5], [0.1], [0], ["square"])
    for dtype in (np.uint8, np.dtype("uint8")):
        assert Renderer().render(*one, dtype=dtype).max() == 255
    for dtype in (np.float64, int, None, "uint8"):
        with pytest.raises(UsageError, match="dtype"):
            Renderer().render(*one, dtype=dtype)
