"""What is said of a name that is none of those there are."""

import numpy as np
import pytest

from datagen import statistics
from datagen.datasets import Sequences
from datagen.errors import UsageError, did_you_mean, unknown_choice
from datagen.grids.priors import make_prior
from datagen.grids.sets import find_set
from datagen.views import make_view
from slowvae import metrics
from slowvae.scores import check_names
from slowvae.settings import make_settings


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("kitti_Mask", "kitti-masks"), ("MIG SUP", "mig-sup"), ("miig-sup", "mig-sup"), ("zzz", None), ("", None)],
)
def test_the_name_that_was_meant(typed, meant):
    assert did_you_mean(typed, ["kitti-masks", "natural-sprites", "mig-sup"]) == meant


@pytest.mark.parametrize("value", [None, 1, ["mcc"], "a\nb", "x" * 10**6, np.zeros(9)])
def test_whatever_is_given_is_answered_in_one_short_line(value):
    text = str(unknown_choice("metric", value, ["mcc", "mig"]))
    assert text.startswith("unknown metric ")
    assert text.endswith("; there are mcc, mig")
    assert "\n" not in text
    assert len(text) < 120


Z = np.random.default_rng(0).normal(size=(50, 3))
CALLS = {
    "preset": (lambda: make_settings("Quick "), "quick"),
    "model": (lambda: make_settings("quick", "betavae"), "beta-vae"),
    "metric": (lambda: check_names(["mccc"]), "mcc"),
    "protocol": (lambda: metrics.mcc(Z, Z, protocol="heldout"), "held-out"),
    "method": (lambda: metrics.mcc(Z, Z, method="spearmen"), "spearman"),
    "view": (lambda: make_view("youtub"), "youtube"),
    "prior": (lambda: make_prior("laplac"), "laplace"),
    "set": (lambda: find_set("shapes_3d"), "shapes3d"),
    "grouping": (lambda: statistics.summarize(None, "categories"), "category"),
    "distribution": (lambda: statistics.summarize(None, fits=("gennrom",)), "gennorm"),
    "column": (lambda: Sequences.from_masks([Z[None] > -9]).with_columns(categry=Z), "category"),
}


@pytest.mark.parametrize("what", CALLS)
def test_every_choice_says_what_was_meant(what):
    call, meant = CALLS[what]
    with pytest.raises(UsageError, match=rf"unknown {what} .*; did you mean '{meant}'\? There are "):
        call()
