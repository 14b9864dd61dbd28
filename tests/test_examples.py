"""The examples in docstrings give what they say."""

import doctest
import importlib
import inspect
import pkgutil
import re
from pathlib import Path

import pytest

PAGES = Path(__file__).parents[1] / "docs/api"
PACKAGES = ("datagen", "kitti_masks", "natsprites", "slowvae")


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


def _public():
    """Return the functions and classes that tab completion shows in a package, by their full names."""
    found = {}
    for package in PACKAGES:
        modules = pkgutil.walk_packages(importlib.import_module(package).__path__, f"{package}.")
        for name in (package, *(module.name for module in modules if module.ispkg)):
            members = vars(importlib.import_module(name))["__all__"]
            each = {member: getattr(importlib.import_module(name), member) for member in members}
            found |= {
                f"{name}.{member}": value
                for member, value in each.items()
                if inspect.isfunction(value) or inspect.isclass(value)
            }
    return found


@pytest.mark.parametrize(("name", "of"), _public().items())
def test_whatever_a_package_shows_has_an_example(name, of):
    homes = {f"{of.__module__}.{of.__qualname__}"} | {
        f"{of.__module__}.{of.__qualname__}.{member}" for member in (vars(of) if inspect.isclass(of) else ())
    }
    assert homes & EXAMPLES.keys(), name
    assert "Examples\n" in inspect.getdoc(of), name


def test_what_is_used_most_beside_them_has_one_too():
    assert set(EXAMPLES) >= {"datagen.views.make_view", "natsprites.renderer.Renderer.render"}


def test_whatever_a_package_shows_is_on_one_page_of_the_docs():
    listed = [name for page in PAGES.glob("*.md") for name in re.findall(r"^::: (\S+)$", page.read_text(), re.M)]
    homes = {of.__module__.partition("._")[0] for of in _public().values()}
    assert homes <= set(listed)
    assert len(listed) == len(set(listed))


def test_the_page_of_contents_names_the_others():
    linked = re.findall(r"\]\(([\w-]+\.md)\)", (PAGES / "index.md").read_text())
    assert sorted([*linked, "index.md"]) == sorted(page.name for page in PAGES.glob("*.md"))
