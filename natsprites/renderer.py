"""The exact renderer: byte for byte what Spriteworld's PILRenderer draws on today's Pillow, some hundred times faster.

Spriteworld draws polygons on a canvas `anti_aliasing` times larger than the image, resizes it with Pillow's LANCZOS
filter and turns it upside down. Here neither the canvas nor the sums over its pixels exist. Pillow's polygon fill gives
each canvas row as a few spans of one colour; its filter is a sum of whole numbers over pixels, hence over spans a
difference of two running sums. Only the frame's part around the sprites is computed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from datagen.arguments import is_whole
from datagen.errors import UsageError
from datagen.jit import njit
from natsprites.shapes import SHAPES, shape_codes

__all__ = ["Renderer", "lanczos_filter"]

_PRECISION = np.int32(22)
"""Bits after the point of Pillow's filter coefficients for 8-bit images."""

_HALF = np.int32(1 << 21)
"""Half of a grey level, for rounding."""

_CORNERS = np.array([len(vertices) for vertices in SHAPES.values()])
_VERTICES = np.zeros((len(SHAPES), _CORNERS.max(), 2))
for _code, _shape_vertices in enumerate(SHAPES.values()):
    _VERTICES[_code, : len(_shape_vertices)] = _shape_vertices

_REACH = 100.0
"""Largest x, y and scale: far beyond any frame, yet every canvas coordinate stays exact in Pillow's float32."""


class Renderer:
    """Renders sprites as Spriteworld's ``PILRenderer((image_size, image_size), anti_aliasing)`` does.

    Parameters
    ----------
    image_size : int
        Height and width of the images in pixels.
    anti_aliasing : int
        How many times larger the canvas is on which Spriteworld draws.

    Raises
    ------
    UsageError
        If either is less than 1 or the canvas is larger than 16,384 pixels.

    Examples
    --------
    >>> frames = Renderer(image_size=32).render([0.5, 0.6], 0.5, 0.25, 45, "star_5")
    >>> frames.shape, frames.dtype
    ((2, 32, 32, 3), dtype('uint8'))
    """

    def __init__(self, image_size: int = 64, anti_aliasing: int = 5) -> None:
        sizes = (image_size, anti_aliasing)
        if not all(is_whole(size, 1, 1 << 14) for size in sizes) or image_size * anti_aliasing > 1 << 14:
            raise UsageError(
                f"image size {image_size!r:.60}, anti-aliasing {anti_aliasing!r:.60}: both must be at least 1, whole, "
                f"their product at most {1 << 14}"
            )
        self.image_size = image_size
        self.anti_aliasing = anti_aliasing

    def __repr__(self) -> str:
        return f"Renderer(image_size={self.image_size}, anti_aliasing={self.anti_aliasing})"

    def render(
        self,
        x: ArrayLike,
        y: ArrayLike,
        scale: ArrayLike,
        angle: ArrayLike,
        shape: ArrayLike | Sequence[str],
        color: ArrayLike = 1.0,
        *,
        grey: bool = False,
        dtype: type[np.uint8] | type[np.float32] = np.uint8,
    ) -> NDArray[Any]:
        """Draw frames of one sprite, or of several.

        The factors are broadcast together to (N,), one sprite a frame, or to (N, K), K sprites a frame drawn in
        order, so that later ones lie on top. Arithmetic is in float64; the last bit counts, as vertices are
        truncated to whole canvas pixels.

        Parameters
        ----------
        x, y : array_like of float
            Centre, as fractions of the frame; y points upwards.
        scale : array_like of float
            Square root of the sprite's area, as a fraction of the frame's side.
        angle : array_like of float
            Rotation in degrees, counter-clockwise.
        shape : array_like of str or int
            Names or codes (`natsprites.shapes.SHAPES`).
        color : array_like of float, shape (..., 3) or ()
            Red, green and blue in [0, 1], broadcast to the factors' shape and 3 channels; white by default.
        grey : bool
            Give one channel instead of three equal ones; needs grey colours.
        dtype : {numpy.uint8, numpy.float32}
            Whether values are whole numbers from 0 to 255, or the same divided by 255.

        Returns
        -------
        ndarray of uint8 or float32, shape (N, H, W, 3), or (N, H, W) when `grey`
            The frames on a black ground.

        Examples
        --------
        >>> frames = Renderer().render([0.5, 0.6], 0.5, 0.25, 45, "square", grey=True)
        >>> frames.shape, (frames[0] > 127).sum()
        ((2, 64, 64), np.int64(264))

        Raises
        ------
        UsageError
            For an unknown shape, a factor that is no number, not finite or beyond ±100, a colour outside [0, 1] or one
            that is not grey though `grey` was asked for, another dtype, and for arrays that do not fit together.
        """
        if dtype not in (np.uint8, np.float32):
            raise UsageError("dtype must be numpy.uint8 or numpy.float32")
        factors = []
        for name, given in {"x": x, "y": y, "scale": scale, "angle": angle}.items():
            factors.append(value := _floats(name, given))
            if not np.isfinite(value).all():
                raise UsageError(f"{name} holds a value that is not finite")
            if name != "angle" and (np.abs(value) > _REACH).any():
                raise UsageError(f"{name} holds a value beyond ±{_REACH:g} frames")
        colors = _floats("color", color)
        if not ((colors >= 0) & (colors <= 1)).all():
            raise UsageError("color holds a value outside [0, 1]")
        try:
            *factors, codes = np.broadcast_arrays(*factors, shape_codes(shape))
            colors = np.broadcast_to(colors, (*codes.shape, 3))
        except ValueError as error:
            raise UsageError(f"factors and colours of shapes that do not fit together: {error}") from None
        if codes.ndim not in (1, 2):
            raise UsageError(f"factors must be (N,) or (N, K), but are {codes.shape}")
        if grey and (colors != colors[..., :1]).any():
            raise UsageError("grey images need grey colours")
        sprites = (len(codes), codes.size // max(len(codes), 1))
        size = self.image_size
        levels = (
            np.arange(256, dtype=np.uint8) if dtype == np.uint8 else np.arange(256, dtype=np.float32) / np.float32(255)
        )
        images = np.zeros((len(codes), size, size, 1 if grey else 3), dtype=levels.dtype)
        _draw_frames(
            np.stack([value.reshape(sprites) for value in factors], axis=-1),
            np.array(codes.reshape(sprites)),  # a copy: what is broadcast is read-only
            (255 * colors).astype(np.uint8).reshape(*sprites, 3),
            *lanczos_filter(size, self.anti_aliasing),
            levels,
            images,
        )
        return images[..., 0] if grey else images


def _floats(name: str, values: ArrayLike) -> NDArray[np.float64]:
    """Return numbers as float64, or say that they are none."""
    try:
        given = np.asarray(values)
    except ValueError:
        raise UsageError(f"{name} is not in rows of equal length") from None
    if given.dtype.kind not in "biuf":
        raise UsageError(f"{name} holds {given.dtype}, not numbers")
    return given.astype(np.float64, copy=False)


@lru_cache(maxsize=8)
def lanczos_filter(
    image_size: int, anti_aliasing: int
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int64]]:
    """Return Pillow's LANCZOS filter from the canvas to the image, the same for rows and columns.

    Returns
    -------
    coefficients : ndarray of int32, shape (S, C)
        Weight of each canvas pixel C in each image pixel S, times ``2 ** 22``.
    running : ndarray of int32, shape (C + 1, S)
        Sum of the weights of the canvas pixels before each one.
    support : ndarray of int64, shape (S, 2)
        First canvas pixel that an image pixel depends on, and the one after the last.
    """
    canvas = image_size * anti_aliasing
    coefficients = np.zeros((image_size, canvas), dtype=np.int32)
    support = np.empty((image_size, 2), dtype=np.int64)

    def sinc(value: float) -> float:
        return math.sin(value * math.pi) / (value * math.pi) if value else 1.0

    def lanczos(value: float) -> float:
        return sinc(value) * sinc(value / 3) if -3 <= value < 3 else 0.0

    for pixel in range(image_size):
        centre = (pixel + 0.5) * anti_aliasing
        first = max(int(centre - 3 * anti_aliasing + 0.5), 0)
        end = min(int(centre + 3 * anti_aliasing + 0.5), canvas)
        weights = [lanczos((place - centre + 0.5) * (1 / anti_aliasing)) for place in range(first, end)]
        # Summed one by one, as Pillow does: another order may differ in the last bit.
        total = 0.0
        for weight in weights:
            total += weight
        for place, weight in enumerate(weights, first):
            scaled = weight / total * (1 << int(_PRECISION))
            coefficients[pixel, place] = int(scaled + math.copysign(0.5, scaled))
        support[pixel] = first, end
    running = np.zeros((canvas + 1, image_size), dtype=np.int32)
    np.cumsum(coefficients.T, axis=0, out=running[1:])
    return coefficients, running, support


# The functions below take whole arrays and places in them: each view that is made costs as much as filtering a row.


@njit(cache=True, nogil=True)
def _round_half_away(value: float) -> int:
    """Round a float32 to the nearest whole number, halves away from zero (C's roundf)."""
    nearest = math.floor(abs(float(value)) + 0.5)
    return int(nearest if value >= 0 else -nearest)


@njit(cache=True, nogil=True)
def _round_half_to_zero(value: float) -> int:
    """Round a float32 to the nearest whole number, halves towards zero."""
    nearest = math.ceil(abs(float(value)) - 0.5)
    return int(nearest if value >= 0 else -nearest)


@njit(cache=True, nogil=True)
def _clip(value: Any) -> Any:
    """Drop the bits after the point and clip to a byte; int32 throughout, which a CPU does many at a time."""
    return np.uint8(min(max(value >> _PRECISION, np.int32(0)), np.int32(255)))


@njit(cache=True, nogil=True)
def _sort(values: Any, count: int) -> None:
    """Sort the first `count` values in place, by insertion: the fastest way for so few."""
    for place in range(1, count):
        value = values[place]
        while place > 0 and values[place - 1] > value:
            values[place] = values[place - 1]
            place -= 1
        values[place] = value


@njit(cache=True, nogil=True)
def _place(factors: Any, vertices: Any, canvas: int, edges: Any, slopes: Any) -> int:
    """Place a sprite's vertices on the canvas and list its edges; return their number.

    An edge is x and y of its start, least and greatest x, least and greatest y; slopes are float32 as in Pillow.
    """
    x, y, scale, angle = factors
    # The order of the operations is that of the matplotlib transforms that Spriteworld uses.
    cosine, sine = scale * math.cos(angle * (math.pi / 180)), scale * math.sin(angle * (math.pi / 180))
    corners = len(vertices)
    for corner in range(corners):
        across, up = vertices[corner]
        edges[corner, 0] = int(canvas * (cosine * across + -sine * up + x))
        edges[corner, 1] = int(canvas * (sine * across + cosine * up + y))
    for corner in range(corners):
        x0, y0 = edges[corner, 0], edges[corner, 1]
        following = corner + 1 if corner + 1 < corners else 0
        x1, y1 = edges[following, 0], edges[following, 1]
        edges[corner, 2], edges[corner, 3] = min(x0, x1), max(x0, x1)
        edges[corner, 4], edges[corner, 5] = min(y0, y1), max(y0, y1)
        slopes[corner] = np.float32(x1 - x0) / np.float32(y1 - y0) if y0 != y1 else np.float32(0)
    # Pillow closes a polygon only where its last vertex is not its first.
    closed = edges[corners - 1, 0] == edges[0, 0] and edges[corners - 1, 1] == edges[0, 1]
    return corners - 1 if closed else corners


@njit(cache=True, nogil=True)
def _at(edges: Any, slopes: Any, sprite: int, edge: int, row: int) -> Any:
    """Return where the line through an edge of a sprite crosses a row, float32."""
    return np.float32(row - edges[sprite, edge, 1]) * slopes[sprite, edge] + np.float32(edges[sprite, edge, 0])


@njit(cache=True, nogil=True)
def _joined(edges: Any, slopes: Any, sprite: int, edge: int, row: int, crossing: Any) -> Any:
    """Return an edge's crossing of a row in which it begins or ends, moved so that thin corners are not torn off.

    Where an earlier edge begins or ends in the same pixel, and both run to the same side by more than a pixel a row,
    the crossing goes next to where the nearer of them is in the row beside.
    """
    beside = row - 1 if row == edges[sprite, edge, 5] else row + 1
    one = np.float32(1)
    for other in range(edge):
        if slopes[sprite, other] == 0 or (row != edges[sprite, other, 4] and row != edges[sprite, other, 5]):
            continue  # also leaves out horizontal edges, whose slope is 0
        if _round_half_away(crossing) != _round_half_away(_at(edges, slopes, sprite, other, row)):
            continue
        if beside < edges[sprite, other, 4] or beside > edges[sprite, other, 5]:
            continue
        first, second = _at(edges, slopes, sprite, edge, beside), _at(edges, slopes, sprite, other, beside)
        if crossing > first + one and crossing > second + one:
            return np.float32(_round_half_away(max(first, second)) + 1)
        if crossing < first - one and crossing < second - one:
            return np.float32(_round_half_away(min(first, second)) - 1)
        break
    return crossing


@njit(cache=True, nogil=True)
def _add_span(spans: Any, count: int, first: int, last: int, canvas: int, sprite: int) -> int:
    """Clip the pixels `first` to `last` to the canvas, add them as a span (first, end, sprite), return the count."""
    first, end = max(first, 0), min(last + 1, canvas)
    if first < end:
        spans[count, 0], spans[count, 1], spans[count, 2] = first, end, sprite
        count += 1
    return count


@njit(cache=True, nogil=True)
def _add_spans(
    edges: Any,
    slopes: Any,
    sprite: int,
    sides: int,
    row: int,
    last_row: int,
    canvas: int,
    spans: Any,
    count: int,
    crossings: Any,
) -> int:
    """Add the spans that a sprite fills of a row, by the rules of Pillow's polygon fill; return the count.

    A horizontal edge is a span. Else the row is filled between every second two of its crossings with edges. An edge
    that ends in this row counts twice unless the row is the polygon's last.
    """
    found = 0
    for edge in range(sides):
        top, bottom = edges[sprite, edge, 4], edges[sprite, edge, 5]
        if row < top or row > bottom:
            continue
        if top == bottom:
            count = _add_span(spans, count, edges[sprite, edge, 2], edges[sprite, edge, 3], canvas, sprite)
            continue
        crossing = _at(edges, slopes, sprite, edge, row)
        if row == bottom and row < last_row:
            crossings[found] = crossing
            found += 1
        elif row in (top, bottom) and slopes[sprite, edge] != 0:
            crossing = _joined(edges, slopes, sprite, edge, row, crossing)
        crossings[found] = crossing
        found += 1
    _sort(crossings, found)
    for pair in range(1, found, 2):
        first, last = _round_half_away(crossings[pair - 1]), _round_half_to_zero(crossings[pair])
        count = _add_span(spans, count, first, last, canvas, sprite)
    return count


@njit(cache=True, nogil=True)
def _filter_row(
    spans: Any,
    count: int,
    colors: Any,
    frame: int,
    channels: int,
    running: Any,
    column: int,
    columns: int,
    sums: Any,
    cuts: Any,
) -> None:
    """Filter the canvas row that `spans` paint, later ones over earlier ones, into `sums`, int32 (channels, S).

    Of the S columns, `columns` from `column` on are computed and stored at the front. spans int64 (count, 3), colors
    uint8 (N, K, 3), running int32 (C + 1, S).
    """
    for channel in range(channels):
        sums[channel, :columns] = _HALF
    for span in range(count):
        cuts[2 * span], cuts[2 * span + 1] = spans[span, 0], spans[span, 1]
    _sort(cuts, 2 * count)
    for cut in range(2 * count - 1):
        first, end = cuts[cut], cuts[cut + 1]
        if first == end:
            continue
        for span in range(count - 1, -1, -1):
            if spans[span, 0] <= first < spans[span, 1]:
                before, after = running[first, column:], running[end, column:]
                for channel in range(channels):
                    value = np.int32(colors[frame, spans[span, 2], channel])
                    for place in range(columns):
                        sums[channel, place] += value * (after[place] - before[place])
                break


@njit(cache=True, nogil=True)
def _draw_frames(
    factors: Any, codes: Any, colors: Any, coefficients: Any, running: Any, support: Any, levels: Any, images: Any
) -> None:
    """Draw all frames of a batch into `images`, (N, S, S, channels), which must be zero.

    factors float64 (N, K, 4), codes int64 (N, K), colors uint8 (N, K, 3); the filter is that of `lanczos_filter`;
    `levels`, (256,), says what is written for each value of a byte.
    """
    frames, sprites = codes.shape
    size, canvas = coefficients.shape
    most = _VERTICES.shape[1]
    edges = np.empty((sprites, most, 6), dtype=np.int64)
    slopes = np.empty((sprites, most), dtype=np.float32)
    sides = np.empty(sprites, dtype=np.int64)
    tops, bottoms = np.empty(sprites, dtype=np.int64), np.empty(sprites, dtype=np.int64)
    crossings = np.empty(2 * most, dtype=np.float32)
    spans = np.empty((2 * most * sprites, 3), dtype=np.int64)
    cuts = np.empty(2 * len(spans), dtype=np.int64)
    sums = np.empty((3, size), dtype=np.int32)
    rows = np.empty((canvas, 3, size), dtype=np.uint8)
    for frame in range(frames):
        # Only the box around all sprites is filtered: beyond it the canvas is black, and black adds nothing. Right and
        # bottom are exclusive. As long as all colours are grey, one channel is computed and written to all.
        left, right, top, bottom = canvas, 0, canvas, 0
        channels = 1
        for sprite in range(sprites):
            vertices = _VERTICES[codes[frame, sprite], : _CORNERS[codes[frame, sprite]]]
            count = _place(factors[frame, sprite], vertices, canvas, edges[sprite], slopes[sprite])
            sides[sprite] = count
            tops[sprite], bottoms[sprite] = edges[sprite, :count, 4].min(), edges[sprite, :count, 5].max()
            left, right = min(left, edges[sprite, :count, 2].min()), max(right, edges[sprite, :count, 3].max() + 1)
            top, bottom = min(top, tops[sprite]), max(bottom, bottoms[sprite] + 1)
            red, green, blue = colors[frame, sprite]
            if red != green or green != blue:
                channels = images.shape[3]
        left, right, top, bottom = max(left, 0), min(right, canvas), max(top, 0), min(bottom, canvas)
        if left >= right or top >= bottom:
            continue
        column, end_column = 0, size
        while support[column, 1] <= left:
            column += 1
        while support[end_column - 1, 0] >= right:
            end_column -= 1
        # Whole blocks of 32 columns fill the CPU's vector registers, which is faster than fewer columns.
        column = column // 32 * 32
        columns = min((end_column + 31) // 32 * 32, size) - column

        # The horizontal pass over the rows of the canvas, none of which is ever filled: a row is a few spans.
        for row in range(top, bottom):
            count = 0
            for sprite in range(sprites):
                if tops[sprite] <= row <= bottoms[sprite]:
                    last_row = min(bottoms[sprite], canvas)
                    count = _add_spans(
                        edges, slopes, sprite, sides[sprite], row, last_row, canvas, spans, count, crossings
                    )
            _filter_row(spans, count, colors, frame, channels, running, column, columns, sums, cuts)
            for channel in range(channels):
                for place in range(columns):
                    rows[row, channel, place] = _clip(sums[channel, place])

        # The vertical pass. Sums begin at one half, so that the shift in `_clip` rounds as Pillow does.
        for line in range(size):
            first, end = max(support[line, 0], top), min(support[line, 1], bottom)
            if first >= end:
                continue
            for channel in range(channels):
                sums[channel, :columns] = _HALF
                for row in range(first, end):
                    weight = coefficients[line, row]
                    for place in range(columns):
                        sums[channel, place] += weight * np.int32(rows[row, channel, place])
            # The picture is turned upside down: y points upwards.
            for channel in range(images.shape[3]):
                given = min(channel, channels - 1)
                for place in range(columns):
                    images[frame, size - 1 - line, column + place, channel] = levels[_clip(sums[given, place])]
