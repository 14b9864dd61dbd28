"""Make the pictures of the README and of the pages: `make figures`, or `python docs/figures.py NAME...` for some.

Every picture is made from code and gives the same bytes each time on one machine. They show data whose licence allows
it: what is drawn here, and the example of SA-V (CC BY 4.0, Meta AI; its annotations are taken from DATAGEN_REALDATA).
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from datagen.build import build_masks
from datagen.datasets import Sequences
from datagen.grids import read_grid
from datagen.grids.samples import sample_grid
from datagen.measure import measure
from datagen.preview import contact_sheet
from datagen.samples import sample_mots
from datagen.statistics import summarize
from datagen.statistics.atlas import build_atlas
from datagen.statistics.figures import draw, draw_atlas
from datagen.store import tables
from natsprites import build

HERE = Path(__file__).parent
IMAGES = HERE / "images"
REALDATA = Path(os.environ.get("DATAGEN_REALDATA", HERE.parent.parent / "shared" / "realdata"))
SA_V = REALDATA / "sav-example" / "sav_000001_manual.json"

_WIDTH = 900
_STEPS = 500
"""Steps of training before traversals are drawn."""


def masks() -> Image.Image:
    """Sequences of masks of an annotated video."""
    return contact_sheet(build_masks(SA_V, min_length=14), rows=5, columns=14)


def kitti_masks() -> Image.Image:
    """Sequences of KITTI Masks made from the synthetic annotations of `datagen sample mots`."""
    import kitti_masks

    with tempfile.TemporaryDirectory() as folder:
        sample_mots(f"{folder}/mots", seed=0)
        return contact_sheet(kitti_masks.build(f"{folder}/mots"), rows=5, columns=14)


def sprites() -> Image.Image:
    """Sprites that move as objects in video do: eight runs, from left to right."""
    return contact_sheet(_sprites(runs=8, length=14), rows=5, columns=14)


def grid() -> Image.Image:
    """A grid of factors, one factor a row."""
    with tempfile.TemporaryDirectory() as folder:
        sample_grid("shapes3d", f"{folder}/3dshapes.h5")
        return contact_sheet(read_grid(f"{folder}/3dshapes.h5"))


def histograms() -> Image.Image:
    """Changes of position and area between neighbouring frames, with fitted densities, on a logarithmic scale."""
    return _statistics("histograms")


def joint() -> Image.Image:
    """Which changes between neighbouring frames come together."""
    return _statistics("joint")


def metrics() -> Image.Image:
    """Four made-up latents of real factors: two that know one factor each, a mixture of two, and noise."""
    import numpy as np

    from slowvae.figures import scatters
    from slowvae.metrics import mcc

    dataset = build_masks(SA_V)
    y, x, area = (dataset.factors - dataset.factors.mean(axis=0)).T / dataset.factors.std(axis=0)[:, None]
    rng = np.random.default_rng(0)
    latents = np.stack([-x, area + 0.5 * rng.normal(size=len(area)), x + y, rng.normal(size=len(area))], axis=1)
    found = mcc(latents, dataset.factors, protocol="rectangular", intervals=False)
    caption = f"MCC {found.score:.2f}: the mean of the framed correlations"
    return _picture(
        scatters(latents, dataset.factors, dataset.factor_names, found.correlation, found.assignment, caption)
    )


def atlas() -> Image.Image:
    """The shapes of six sets of annotations over 200 ms."""
    names = {
        "kitti": "kitti-mots/instances_txt",
        "mots": "motschallenge/instances_txt",
        "davis": "davis2016-val-gt",
        "sav": "sav-example/sav_000001_manual.json",
        "bdd": "bdd100k-segtrack-scalabel/seg_track_sample.json",
        "ytvis": "youtube-vis-tfds/train.json",
    }
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder, f"{name}.csv") for name in names]
        for path, source in zip(paths, names.values(), strict=True):
            tables.save(measure(REALDATA / source, view="frame").transitions(), path)
        picture = Path(folder, "atlas.png")
        draw_atlas(build_atlas(paths, delta_ms=200), [picture])
        with Image.open(picture) as opened:
            return opened.copy()


def traversals() -> Image.Image:
    """What each latent of a SlowVAE does that was trained for a short time on sprites."""
    import torch

    import slowvae
    from datagen import store
    from slowvae.evaluation import encode_all, load_frames
    from slowvae.figures import label_latents, sheet
    from slowvae.figures import traversals as decode
    from slowvae.metrics import mcc

    with tempfile.TemporaryDirectory() as folder:
        store.save(_sprites(runs=10_000, length=2), f"{folder}/sprites.h5")
        networks = slowvae.train(
            f"{folder}/sprites.h5", f"{folder}/run", "quick", iterations=_STEPS, max_delta_t=1, device="cpu"
        )
        frames, _ = load_frames(f"{folder}/sprites.h5", torch.device("cpu"))
        latents = encode_all(networks[0], frames)
        moved = decode(networks[0], latents, latents[:1])[:, 0]  # (steps, Z, H, W, C)
        factors, names = frames.dataset.changing_factors()
        score = mcc(latents, factors, protocol="rectangular", intervals=False)
    labels = label_latents(score.correlation, names, score.assignment)
    return sheet(moved[:: len(moved) // 10].transpose(1, 0, 2, 3, 4), labels, by="row")


def overview() -> Image.Image:
    """The picture of the README: four others, each under its title."""
    titles = {
        "masks": "Masks of annotated video (SA-V, CC BY 4.0)",
        "sprites": "Sprites that move as measured",
        "histograms": "How sparse is it? Changes and their fits",
        "traversals": "SlowVAE: one latent a row",
    }
    width, gap, title = 640, 20, 34
    parts = []
    for name, text in titles.items():
        picture = Image.open(IMAGES / f"{name}.png").convert("RGB")
        picture = picture.resize((width, round(picture.height * width / picture.width)), Image.Resampling.LANCZOS)
        parts.append((text, picture))
    rows = [max(picture.height for _, picture in parts[row : row + 2]) + title + gap for row in (0, 2)]
    whole = Image.new("RGB", (2 * width + 3 * gap, sum(rows) + gap), "white")
    pen, font = ImageDraw.Draw(whole), ImageFont.load_default(20)
    for place, (text, picture) in enumerate(parts):
        x, y = gap + (place % 2) * (width + gap), gap + (place // 2) * rows[0]
        pen.text((x, y), text, fill="black", font=font)
        whole.paste(picture, (x, y + title))
    return whole


PICTURES: dict[str, Callable[[], Image.Image]] = {
    each.__name__: each
    for each in (masks, kitti_masks, sprites, grid, histograms, joint, atlas, metrics, traversals, overview)
}


def _sprites(runs: int, length: int) -> Sequences:
    """Return Natural Sprites with the motion of SA-V's example."""
    return build(measure(SA_V).transitions().runs(length), runs, seed=0)


def _statistics(name: str) -> Image.Image:
    """Return a figure of the changes in SA-V's example."""
    table = build_masks(SA_V).transitions()
    return _picture(next(figure for each, _, figure in draw(table, summarize(table)) if each == name))


def _picture(figure: object) -> Image.Image:
    """Return a figure of matplotlib as a picture."""
    from io import BytesIO

    buffer = BytesIO()
    figure.savefig(buffer, format="png", dpi=150, metadata={"Software": None})  # type: ignore[attr-defined]
    return Image.open(buffer)


def save(name: str, folder: Path = IMAGES) -> Path:
    """Make one picture and save it, no wider than a page and in few colours, so that it loads at once."""
    picture = PICTURES[name]().convert("RGB")
    if picture.width > _WIDTH:
        size = (_WIDTH, round(picture.height * _WIDTH / picture.width))
        picture = picture.resize(size, Image.Resampling.LANCZOS)
    path = folder / f"{name}.png"
    picture.quantize(64, dither=Image.Dither.NONE).save(path, optimize=True)
    return path


def main() -> None:
    if not SA_V.exists():
        sys.exit(f"{SA_V}: is not here; set DATAGEN_REALDATA to the folder of the real annotations")
    IMAGES.mkdir(exist_ok=True)
    for name in sys.argv[1:] or PICTURES:
        path = save(name)
        print(f"{path}: {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
