"""How fast sprites are drawn and datasets made, beside Spriteworld, on one core.

    python benchmarks/bench_natural_sprites.py path/to/downscale_keepaspect.csv

Spriteworld is timed where it is installed: `pip install --no-deps spriteworld six dm_env`, and matplotlib.
"""

import argparse
import time

import numpy as np
import torch
from PIL import Image

from datagen.store.tables import load
from natsprites import NaturalSprites, Renderer, TorchRenderer, build
from natsprites.sampling import factor_space
from natsprites.shapes import SHAPES


def images_per_second(drawings, rounds=10):
    """Best rate of each of several (function, images drawn), timed in turn so that all meet the same machine."""
    seconds = {name: [] for name in drawings}
    for name in [*drawings, *rounds * list(drawings)]:  # the first time compiles and warms up
        begin = time.perf_counter()
        drawings[name][0]()
        seconds[name].append(time.perf_counter() - begin)
    return {name: images / min(seconds[name][1:]) for name, (_, images) in drawings.items()}


def spriteworld_drawing(factors):
    Image.ANTIALIAS = Image.Resampling.LANCZOS  # the name that Spriteworld asks for and Pillow 10 dropped
    from spriteworld import sprite
    from spriteworld.renderers import pil_renderer

    renderer = pil_renderer.PILRenderer(
        (64, 64), anti_aliasing=5, color_to_rgb=lambda color: tuple((255 * np.array(color)).astype(np.uint8))
    )
    names = list(SHAPES)

    def draw():
        for x, y, scale, angle, shape in factors:
            renderer.render([sprite.Sprite(x, y, names[int(shape)], angle, scale, 1.0, 1.0, 1.0)])

    return draw


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("transitions")
    torch.set_num_threads(1)
    transitions = load(parser.parse_args().transitions)

    frames = 4096
    space = factor_space(transitions)
    factors = space.factors(space.draw(frames, seed=0))[:, 0]
    x, y, scale, angle, shape = factors.T.copy()
    tensors = [torch.from_numpy(value) for value in (x, y, scale, angle)]
    codes = shape.astype(int)
    exact, smooth = Renderer(), TorchRenderer()

    def differentiate():
        for first in range(0, 512, 64):
            leaves = [value[first : first + 64].clone().requires_grad_() for value in tensors]
            smooth.render(*leaves, codes[first : first + 64]).sum().backward()

    def draw_smoothly():
        for first in range(0, 512, 64):
            smooth.smooth(codes[first : first + 64], *(value[first : first + 64] for value in tensors))

    def load_pairs():
        for _ in torch.utils.data.DataLoader(NaturalSprites(transitions, pairs=2048), batch_size=32):
            pass

    drawings = {
        "Renderer, RGB": (lambda: exact.render(x, y, scale, angle, codes), frames),
        "Renderer, grey": (lambda: exact.render(x, y, scale, angle, codes, grey=True), frames),
        "build(), without writing": (lambda: build(transitions, frames // 2, workers=1), frames),
        "TorchRenderer on the CPU": (lambda: smooth.render(*tensors, codes), frames),
        "the same with gradients": (differentiate, 512),
        "its smooth scene alone": (draw_smoothly, 512),
        "NaturalSprites on the fly, batches of 32 pairs": (load_pairs, 4096),
    }
    try:
        drawings = {"Spriteworld": (spriteworld_drawing(factors[:512]), 512), **drawings}
    except ImportError:
        print("Spriteworld is not installed")
    rates = images_per_second(drawings)
    for name, rate in rates.items():
        beside = f"{rate / rates['Spriteworld']:8.1f} x" if "Spriteworld" in rates else ""
        print(f"{name:48}{rate:10,.0f} images/s{beside}")

    drawn = smooth.render(*tensors, codes)[:, 0]
    chunks = [slice(first, first + 64) for first in range(0, frames, 64)]
    scene = torch.cat([smooth.smooth(codes[chunk], *(value[chunk] for value in tensors)) for chunk in chunks])
    difference = (scene[:, 0] - drawn).abs() * 255
    near = (difference <= 16).double().mean().item()
    print(f"smooth scene: mean absolute difference {difference.mean():.3f}/255, within 16/255: {near:.4%} of pixels")


if __name__ == "__main__":
    main()
