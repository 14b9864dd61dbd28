"""The torch renderer: batches of sprites as tensors, on any device, differentiable in everything but the shape.

On the CPU a batch is drawn by the exact renderer. Elsewhere, and for gradients, a smooth scene stands in for Pillow's
canvas: each canvas row is covered by trapezoids with real-valued sides, and the same filter is applied to them.
Vertices are truncated to whole canvas pixels, as Pillow does; gradients pass as if they were not.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch.autograd.function import once_differentiable
from torch.nn import functional

from datagen.errors import UsageError, shown
from natsprites.renderer import Renderer, lanczos_filter
from natsprites.shapes import SHAPES, shape_codes

__all__ = ["TorchRenderer"]

_CORNERS = np.array([len(vertices) for vertices in SHAPES.values()])


class TorchRenderer:
    """Renders one sprite a frame into float tensors.

    Parameters
    ----------
    device : str or torch.device
        Where to render.
    image_size : int
        Height and width of the images in pixels.
    anti_aliasing : int
        How many times larger the canvas is on which the exact renderer draws.

    Raises
    ------
    UsageError
        For sizes that `natsprites.Renderer` does not take, and for a device that is not there.

    Examples
    --------
    >>> half = torch.tensor([0.5])
    >>> TorchRenderer().render(half, half, half, torch.tensor([0.0]), ["square"]).shape
    torch.Size([1, 3, 64, 64])
    """

    def __init__(self, device: str | torch.device = "cpu", image_size: int = 64, anti_aliasing: int = 5) -> None:
        self.exact = Renderer(image_size, anti_aliasing)
        try:
            self.device = torch.empty(0, device=device).device
        except (RuntimeError, AssertionError, TypeError, ValueError) as error:
            raise UsageError(f"device {shown(device)} cannot be used: {str(error).splitlines()[0]:.200}") from None
        coefficients, running, _ = lanczos_filter(image_size, anti_aliasing)
        one = 1 << 22
        self._rows = torch.from_numpy(coefficients[::-1] / one).float().to(self.device)  # y points upwards
        self._running = torch.from_numpy(running / one).float().to(self.device)
        # Shapes of fewer corners repeat their last one: an edge without length covers nothing.
        vertices = [np.pad(path, ((0, _CORNERS.max() - len(path)), (0, 0)), mode="edge") for path in SHAPES.values()]
        self._vertices = torch.from_numpy(np.stack(vertices)).to(self.device)

    def __repr__(self) -> str:
        size = f"image_size={self.exact.image_size}, anti_aliasing={self.exact.anti_aliasing}"
        return f"TorchRenderer(device={str(self.device)!r}, {size})"

    def render(
        self,
        x: torch.Tensor,
        y: torch.Tensor,
        scale: torch.Tensor,
        angle: torch.Tensor,
        shape: Any,
        color: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Draw N frames of one sprite each.

        Parameters
        ----------
        x, y, scale, angle : tensor of float, shape (N,)
            Centre and square root of the area, as fractions of the frame with y upwards, and the rotation in degrees,
            counter-clockwise.
        shape : tensor or array_like of int, or sequence of str, shape (N,)
            Codes or names (`natsprites.shapes.SHAPES`).
        color : tensor of float, shape (N, 3), optional
            Red, green and blue in [0, 1]; white by default.

        Returns
        -------
        tensor of float32, shape (N, 3, H, W)
            The frames in [0, 1] on a black ground; the channels of white sprites share memory.

        Raises
        ------
        UsageError
            As `natsprites.Renderer.render` does (of values on another device than the CPU, only for unknown shapes).
        """
        codes = shape_codes(shape.cpu().numpy() if isinstance(shape, torch.Tensor) else shape)
        given = (x, y, scale, angle) if color is None else (x, y, scale, angle, color)
        try:
            factors = [torch.as_tensor(value, device=self.device) for value in given]
        except (TypeError, ValueError, RuntimeError):
            raise UsageError("factors and colours must be tensors of numbers") from None
        shapes = [tuple(value.shape) for value in factors]
        if codes.ndim != 1 or shapes != [codes.shape] * 4 + [(len(codes), 3)] * (len(factors) - 4):
            frames = len(codes) if codes.ndim == 1 else codes.shape
            raise UsageError(f"factors of {shapes}, but shapes of {frames}; they must be (N,), and colours (N, 3)")
        if self.device.type == "cpu":
            return _ExactDrawing.apply(self, codes, *factors)
        return self.smooth(codes, *factors)

    def smooth(
        self,
        codes: np.ndarray[Any, np.dtype[np.int64]],
        x: torch.Tensor,
        y: torch.Tensor,
        scale: torch.Tensor,
        angle: torch.Tensor,
        color: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Draw frames of the smooth scene; arguments and result as of `render`, with shapes as codes."""
        size, canvas = self._rows.shape
        corners = int(_CORNERS[codes].max(initial=0))
        outline = self._vertices[torch.from_numpy(codes).to(self.device), :corners]  # (N, V, 2)
        turn = angle.double() * (math.pi / 180)
        across, up = (scale.double() * turn.cos())[:, None], (scale.double() * turn.sin())[:, None]
        place_x = across * outline[..., 0] - up * outline[..., 1] + x.double()[:, None]
        place_y = up * outline[..., 0] + across * outline[..., 1] + y.double()[:, None]
        x0, y0 = (_keep_gradient(canvas * place, torch.trunc).float() for place in (place_x, place_y))  # (N, V)
        x1, y1 = x0.roll(-1, dims=1), y0.roll(-1, dims=1)

        # Pillow fills the rows of horizontal edges whole, half a row further than the edge.
        beyond = torch.where(y0 == y1, 0.5 * torch.sign(x0 - x1), 0.0)
        y0 = y0 + (beyond + beyond.roll(1, dims=1)).clamp(-0.5, 0.5)
        y1 = y0.roll(-1, dims=1)

        # Rising edges are right sides and falling ones left sides, of which Pillow fills both pixels.
        rises = y1 > y0
        low, high = torch.minimum(y0, y1)[:, None], torch.maximum(y0, y1)[:, None]  # (N, 1, V)
        row = torch.arange(canvas, device=self.device)[:, None]  # (C, 1)
        bottom, top = torch.maximum(low, row - 0.5), torch.minimum(high, row + 0.5)  # (N, C, V)
        covered = (top - bottom).clamp(min=0)
        slope = (x1 - x0) / torch.where(y0 == y1, 1.0, y1 - y0)
        side = x0[:, None] + slope[:, None] * ((bottom + top) / 2 - y0[:, None]) + rises[:, None]
        side = side.clamp(0, canvas)
        before = side.detach().floor().clamp(max=canvas - 1)
        weight = torch.where(rises[:, None], covered, -covered)
        beside = weight * (side - before)
        weights = torch.cat([weight - beside, beside], dim=2)  # (N, C, 2 V)
        places = torch.cat([before, before + 1], dim=2).long()
        rows = functional.embedding_bag(
            places.flatten(0, 1), self._running, per_sample_weights=weights.flatten(0, 1), mode="sum"
        ).reshape(len(codes), 1, canvas, size)
        if color is not None:
            rows = rows * _keep_gradient(255 * color.float(), torch.floor)[:, :, None, None] / 255
        return (self._rows @ rows.clamp(0, 1)).clamp(0, 1).expand(-1, 3, -1, -1)


def _keep_gradient(value: torch.Tensor, rounding: Any) -> torch.Tensor:
    """Round a tensor and let gradients pass as if it were not rounded."""
    return value + (rounding(value) - value).detach()


class _ExactDrawing(torch.autograd.Function):
    """Draws exactly, and takes the gradient of the smooth scene."""

    @staticmethod
    def forward(ctx: Any, renderer: TorchRenderer, codes: Any, *factors: torch.Tensor) -> torch.Tensor:
        ctx.renderer, ctx.codes = renderer, codes
        ctx.save_for_backward(*factors)
        x, y, scale, angle, *color = [value.detach().numpy() for value in factors]
        if not color:
            images = renderer.exact.render(x, y, scale, angle, codes, grey=True, dtype=np.float32)
            return torch.from_numpy(images)[:, None].expand(-1, 3, -1, -1)
        images = renderer.exact.render(x, y, scale, angle, codes, color[0], dtype=np.float32)
        return torch.from_numpy(images).permute(0, 3, 1, 2)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        with torch.enable_grad():
            factors = [value.detach().requires_grad_() for value in ctx.saved_tensors]
            images = ctx.renderer.smooth(ctx.codes, *factors)
        return (None, None, *torch.autograd.grad(images, factors, gradients[0]))
