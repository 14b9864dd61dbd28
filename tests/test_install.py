"""What must hold for the project to install and run on any machine; `make test-wheel` tries it for real."""

import ast
import re
import sys
import tomllib

import pytest
from conftest import ROOT

from datagen.errors import UsageError
from datagen.extras import ENABLES, LIBRARIES, extra, has_extra, missing_extra

PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PROJECT = PYPROJECT["project"]
PACKAGES = PYPROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
SOURCES = [path for package in PACKAGES for path in (ROOT / package).rglob("*.py")]


def requirements():
    """Return every requirement that the project's files name, with its extras left out."""
    named = [*PROJECT["dependencies"], *PYPROJECT["build-system"]["requires"]]
    for group in [*PROJECT["optional-dependencies"].values(), *PYPROJECT["dependency-groups"].values()]:
        named += group
    return named


def library(requirement):
    return re.split(r"[\s\[<>=!~;]", requirement)[0].lower().replace("_", "-")


def pins():
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def test_only_public_versions_are_asked_for():
    # A local version label (1.0+cpu) is of one machine or one index; the package index has none.
    assert [each for each in [*pins(), *requirements()] if "+" in each] == []
    assert [each for each in [*pins(), *requirements()] if "@" in each or "/" in each] == []


def test_every_pin_is_one_version():
    assert [pin for pin in pins() if not re.fullmatch(r"[\w.-]+==[\w.]+", pin)] == []
    names = [library(pin) for pin in pins()]
    assert len(set(names)) == len(names)


def test_everything_asked_for_is_pinned():
    own = {library(PROJECT["name"])} | {library(each) for each in PYPROJECT["build-system"]["requires"]}
    assert {library(each) for each in requirements()} - {library(pin) for pin in pins()} - own == set()


def test_every_extra_has_its_library():
    extras = PROJECT["optional-dependencies"]
    assert {name: [library(each) for each in extras[name]] for name in extras if name != "all"} == {
        name: [library(each)] for name, each in LIBRARIES.items()
    }
    assert ENABLES.keys() == LIBRARIES.keys()
    (everything,) = extras["all"]
    assert everything == f"{PROJECT['name']}[{','.join(sorted(LIBRARIES))}]"


@pytest.mark.parametrize("name", LIBRARIES)
def test_a_missing_library_is_one_line(name, monkeypatch):
    module = {"metrics": "sklearn"}.get(name, LIBRARIES[name])
    assert has_extra(name)
    monkeypatch.setitem(sys.modules, module, None)
    assert not has_extra(name)
    with pytest.raises(UsageError) as error, extra(name, "this"):
        __import__(module)
    assert str(error.value) == missing_extra(name, "this")
    assert str(error.value).startswith(f"this needs {LIBRARIES[name]}; pip install {LIBRARIES[name]}")


def test_the_readme_names_every_extra():
    readme = (ROOT / "README.md").read_text()
    assert [name for name in [*LIBRARIES, "all"] if f"`{name}`" not in readme and f"[{name}]" not in readme] == []


@pytest.mark.parametrize("package", PACKAGES)
def test_types_ship(package):
    assert (ROOT / package / "py.typed").is_file()


def test_one_python_is_the_oldest_everywhere():
    oldest = PROJECT["requires-python"].removeprefix(">=")
    assert PYPROJECT["tool"]["ruff"]["target-version"] == f"py{oldest.replace('.', '')}"
    assert PYPROJECT["tool"]["mypy"]["python_version"] == oldest
    versions = [name.rpartition(" ")[2] for name in PROJECT["classifiers"] if re.search(r":: 3\.\d+$", name)]
    assert versions[0] == oldest
    assert versions == [f"3.{int(oldest[2:]) + number}" for number in range(len(versions))]
    assert f"Python {oldest} or later" in (ROOT / "README.md").read_text()


def test_nothing_needs_one_operating_system():
    unix = {"fcntl", "grp", "posix", "pwd", "resource", "termios", "tty", "pty", "syslog"}
    found = []
    for path in SOURCES:
        tree = ast.parse(path.read_text())
        guarded = [
            inside
            for node in ast.walk(tree)
            if isinstance(node, ast.Try) and any("ImportError" in ast.dump(each) for each in node.handlers)
            for statement in node.body
            for inside in ast.walk(statement)
        ]
        for node in ast.walk(tree):
            if node in guarded:
                continue
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            found += [f"{path}: {name}" for name in names if name in unix]
    assert found == []


def test_templates_ship():
    """The wheel takes every file of a package that git does not ignore."""
    templates = {path.name for path in (ROOT / "datagen/templates").iterdir() if path.suffix in (".html", ".md")}
    assert templates == {"page.html", "fragment.html", "card.md", "licences.md"}
    wheel = PYPROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert "datagen" in wheel["packages"]
    assert not wheel.keys() & {"include", "exclude", "only-include"}
    ignored = (ROOT / ".gitignore").read_text().split()
    assert not [pattern for pattern in ignored if "html" in pattern or "md" in pattern or "templates" in pattern]


def test_no_html_stands_in_python():
    found = [path for path in SOURCES if re.search(r"<(html|table|tr|td|th|img|style)\b", path.read_text())]
    assert found == []
