import importlib
import pkgutil
import types

import pytest

PACKAGES = ("datagen", "kitti_masks", "natsprites", "slowvae")
PUBLIC = [
    *PACKAGES,
    *(
        module.name
        for package in PACKAGES
        for module in pkgutil.walk_packages(importlib.import_module(package).__path__, f"{package}.")
        if module.ispkg
    ),
]


@pytest.mark.parametrize("name", PUBLIC)
def test_a_package_shows_its_public_names_and_nothing_else(name):
    package = importlib.import_module(name)
    shown = dir(package)
    assert shown == sorted(set(shown))
    assert {each for each in shown if not (each.startswith("__") and each.endswith("__"))} == {
        each for each in package.__all__ if each != "__version__"
    }
    assert {"__all__", "__doc__", "__name__", "__path__"} <= set(shown)
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
