"""The examples in docstrings give what they say."""

import doctest
import importlib
import pkgutil

import pytest

PACKAGES = ("datagen", "kitti_masks", "natsprites", "slowvae")
MOST_USED = {
    "datagen.load",
    "datagen.datasets.Sequences",
    "datagen.statistics.summary.summarize",
    "datagen.views.make_view",
    "kitti_masks.dataset.KittiMasks",
    "kitti_masks.pipeline.build",
    "natsprites.dataset.NaturalSprites",
    "natsprites.renderer.Renderer.render",
    "slowvae.metrics._dci.dci",
    "slowvae.metrics._mcc.mcc",
    "slowvae.runs.load",
}


def examples():
    """Return the examples of all modules by the names of what they are of."""
    names = [
        module.name
        for package in PACKAGES
        for module in pkgutil.walk_packages(importlib.import_module(package).__path__, f"{package}.")
    ]
    modules = [importlib.import_module(name) for name in (*PACKAGES, *names) if not name.endswith("__main__")]
    return {test.name: test for module in modules for test in doctest.DocTestFinder().find(module) if test.examples}


EXAMPLES = examples()


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_gives_what_it_says(name):
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    runner.run(EXAMPLES[name])
    assert runner.failures == 0, "see above"


def test_what_is_used_most_has_an_example():
    assert set(EXAMPLES) >= MOST_USED
