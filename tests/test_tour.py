"""docs/tour.ipynb runs, and shows what it says it shows."""

from pathlib import Path

from tests.tour import read_notebook, run_cells, shown


def test_the_tour_shows_what_it_says(tmp_path: Path) -> None:
    notebook = read_notebook()
    said = shown(notebook)
    assert sum(map(bool, said)) >= 6
    assert run_cells(notebook, tmp_path) == said
