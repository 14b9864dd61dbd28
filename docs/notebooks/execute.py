"""Run the notebooks: each script becomes an .ipynb with its outputs beside it. `make notebooks` calls this.

A notebook works in an empty folder, so it begins as for somebody who has just downloaded it.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient

HERE = Path(__file__).parent
SCRIPTS = sorted(HERE.glob("[0-9]_*.py"))


def read(script: Path) -> nbformat.NotebookNode:
    """Return the notebook of a script, with nothing run."""
    notebook = jupytext.read(script)
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number}"  # else drawn at random
        cell.metadata = {}
    return notebook


def execute(notebook: nbformat.NotebookNode, folder: Path) -> None:
    """Run a notebook in a folder; its cells get their outputs. An error in a cell is raised."""
    NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(folder)}}, record_timing=False).execute()
    for cell in notebook.cells:
        # What goes to standard error is progress and notes of libraries, other ones on every machine.
        kept = [output for output in cell.get("outputs", []) if output.get("name") != "stderr"]
        if "outputs" in cell:
            cell.outputs = kept


def main() -> None:
    for script in SCRIPTS:
        if len(sys.argv) > 1 and script.stem not in sys.argv[1:]:
            continue
        notebook = read(script)
        with tempfile.TemporaryDirectory() as folder:
            execute(notebook, Path(folder))
        script.with_suffix(".ipynb").write_text(nbformat.writes(notebook) + "\n")
        print(script.with_suffix(".ipynb"))


if __name__ == "__main__":
    main()
