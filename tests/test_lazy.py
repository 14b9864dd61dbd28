import importlib
import types

import pytest


@pytest.mark.parametrize("name", ["datagen", "kitti_masks", "natsprites", "slowvae", "slowvae.metrics"])
def test_a_package_shows_its_public_names_and_nothing_else(name):
    package = importlib.import_module(name)
    assert dir(package) == sorted(package.__all__)
    assert all(hasattr(package, each) for each in package.__all__)
    with pytest.raises(AttributeError, match=f"module '{name}' has no attribute 'nothing'"):
        getattr(package, "nothing")  # noqa: B009


@pytest.mark.parametrize("name", ["kitti_masks", "natsprites", "slowvae", "slowvae.metrics"])
def test_no_function_has_the_name_of_a_module(name):
    package = importlib.import_module(name)
    for each in package.__all__:
        found = getattr(package, each)
        if not isinstance(found, types.ModuleType):
            assert importlib.util.find_spec(f"{name}.{each}") is None, each
