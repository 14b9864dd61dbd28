import importlib.util
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).parent.parent
_SPEC = importlib.util.spec_from_file_location("execute", ROOT / "docs" / "notebooks" / "execute.py")
notebooks = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(notebooks)

each = pytest.mark.parametrize("script", notebooks.SCRIPTS, ids=lambda script: script.stem)


def test_there_are_four():
    assert [script.stem[0] for script in notebooks.SCRIPTS] == list("1234")


@each
def test_the_notebook_beside_a_script_is_of_it(script):
    made, shown = notebooks.read(script), nbformat.read(script.with_suffix(".ipynb"), as_version=4)
    assert [(cell.cell_type, cell.source) for cell in shown.cells] == [(c.cell_type, c.source) for c in made.cells]
    assert all(cell.outputs for cell in shown.cells[-1:] if cell.cell_type == "code")
    assert not any(output.output_type == "error" for cell in shown.cells for output in cell.get("outputs", []))


@pytest.mark.slow
@each
def test_a_notebook_runs_from_an_empty_folder(script, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    notebooks.execute(notebooks.read(script), tmp_path)
