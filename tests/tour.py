"""Run docs/tour.ipynb cell by cell; a notebook is JSON, and its cells are Python.

python -m tests.tour        # runs it and writes what came out into it
"""

import ast
import json
import os
import shutil
import sys
import tempfile
from contextlib import chdir
from pathlib import Path
from typing import Any

import pandas as pd

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOK = ROOT / "docs" / "tour.ipynb"
NEEDED = ("docs", "models", "parcellation_datasets")


def read_notebook() -> dict[str, Any]:
    """Return the notebook as it is in the repository."""
    notebook: dict[str, Any] = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    return notebook


def run_cells(notebook: dict[str, Any], folder: Path) -> list[str]:
    """Run all cells in a new folder that looks like the repository; return what each shows.

    A cell shows its last expression, as text.
    """
    for name in NEEDED:
        if name == "docs":
            (folder / name).mkdir()
        else:
            (folder / name).symlink_to(ROOT / name)
    names: dict[str, Any] = {"__name__": "__main__"}
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    with chdir(folder / "docs"), pd.option_context("display.width", 100, "display.max_columns", 12):
        return [_run("".join(cell["source"]), names) for cell in cells]


def _run(code: str, names: dict[str, Any]) -> str:
    tree = ast.parse(code)
    last = tree.body[-1] if tree.body else None
    if not isinstance(last, ast.Expr):
        exec(compile(tree, "cell", "exec"), names)
        return ""
    exec(compile(ast.Module(tree.body[:-1], []), "cell", "exec"), names)
    value = eval(compile(ast.Expression(last.value), "cell", "eval"), names)
    return "" if value is None else str(value)


def shown(notebook: dict[str, Any]) -> list[str]:
    """Return what the notebook says that each of its cells shows."""
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    return ["".join(_texts(cell)) for cell in cells]


def _texts(cell: dict[str, Any]) -> list[str]:
    return [line for output in cell["outputs"] for line in output["data"]["text/plain"]]


def write_outputs(notebook: dict[str, Any], texts: list[str]) -> None:
    """Write the notebook with these texts as what its cells show."""
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    for number, (cell, text) in enumerate(zip(cells, texts, strict=True), start=1):
        data = {"text/plain": text.splitlines(keepends=True)}
        result = {
            "output_type": "execute_result",
            "execution_count": number,
            "metadata": {},
            "data": data,
        }
        cell |= {"execution_count": number, "outputs": [result] if text else []}
    content = json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"
    NOTEBOOK.write_text(content, encoding="utf-8")


def main() -> None:
    """Run the notebook and keep what came out."""
    notebook, folder = read_notebook(), Path(tempfile.mkdtemp())
    sys.path.insert(0, str(ROOT))
    os.environ["OMP_NUM_THREADS"] = "1"
    write_outputs(notebook, run_cells(notebook, folder))
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
