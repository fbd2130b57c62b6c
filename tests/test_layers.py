"""Imports point down: scripts, studies, statistics and samples, artifacts and model, the ground."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.helpers import ROOT

GROUND = {"errors", "limits", "neurons", "packed", "places", "progress", "provenance"}
# Each part of the house, with the parts that it may import; the ground is everybody's.
BELOW: dict[str, set[str]] = {
    "errors": set(),
    "limits": {"errors"},
    "neurons": set(),
    "packed": set(),
    "progress": set(),
    "provenance": set(),
    "places": {"errors"},
    "streams": set(),
    "cli": {"errors", "limits", "streams"},
    "html": set(),
    "page": {"html", "plots"},
    "artifacts": GROUND,
    "model": GROUND | {"artifacts"},
    "samples": GROUND | {"artifacts", "model"},
    "statistics": GROUND | {"samples"},
    "graph": GROUND | {"artifacts", "model", "statistics"},
    "generation": GROUND | {"artifacts", "graph", "model"},
    "plots": GROUND | {"artifacts", "graph", "samples", "statistics"},
}
STUDY = GROUND | {"artifacts", "graph", "html", "model", "page", "plots", "samples", "statistics"}
STUDIES = {"analysis", "drawing", "learning", "patterns", "temperatures"}
BELOW |= {study: STUDY for study in STUDIES}
BELOW |= {"temperatures": STUDY | {"generation"}, "findings": STUDY | STUDIES}
MODULES = sorted((ROOT / "gelu").rglob("*.py"))


def room(path: Path) -> str:
    """Return which part of the house a module of gelu is in."""
    return path.relative_to(ROOT / "gelu").with_suffix("").parts[0]


def imported(path: Path) -> Iterator[str]:
    """Yield the modules of gelu that a file imports, at its top or within its functions."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module == "gelu":
            yield from (f"gelu.{name.name}" for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
        elif isinstance(node, ast.Import):
            yield from (name.name for name in node.names)


@cache
def of_gelu(path: Path) -> set[str]:
    return {name.split(".")[1] for name in imported(path) if name.startswith("gelu.")}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_imports_from_below_alone(path: Path) -> None:
    if room(path) == "__init__":
        assert not of_gelu(path)
        return
    above = of_gelu(path) - BELOW[room(path)] - {room(path)}
    assert not above, f"{path.relative_to(ROOT)} imports {', '.join(sorted(above))}"


def test_there_is_no_circle_between_rooms() -> None:
    above = {
        part: {room(p) for p in MODULES if room(p) != part and part in of_gelu(p)} for part in BELOW
    }
    left = set(BELOW)
    while free := {part for part in left if not above[part] & left}:
        left -= free
    assert not left


def test_only_scripts_import_the_command_line() -> None:
    for path in MODULES:
        assert "cli" not in of_gelu(path) or room(path) == "cli", path


def test_a_rule_that_is_broken_is_noticed() -> None:
    assert "cli" not in BELOW["samples"] and "generation" not in BELOW["artifacts"]
    assert "artifacts" in of_gelu(ROOT / "gelu" / "samples" / "reading.py")


def prints(path: Path) -> list[str]:
    """Return what of a module's code writes to a standard stream."""
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    called = [ast.unparse(node.func) for node in nodes if isinstance(node, ast.Call)]
    named = [ast.unparse(node) for node in nodes if isinstance(node, ast.Attribute)]
    # A bar's `write` goes to standard output.
    loud = re.compile(r"(pprint|print|input|warnings\.warn|(\w+\.)*(bar|tqdm)\.write)")
    streams = re.compile(r"sys\.(__)?(stdout|stderr)(__)?")
    return [*filter(loud.fullmatch, called), *filter(streams.fullmatch, named)]


def test_only_the_command_line_prints() -> None:
    # `__init__` ends Pythons that are too old to import anything else; `streams` replaces the
    # streams, and `progress` draws its bars.
    loud = {room(path) for path in MODULES if prints(path)}
    assert loud == {"__init__", "cli", "progress", "streams"}


def test_a_script_is_its_arguments_and_a_call() -> None:
    """Beside `main` a script has types of arguments alone: functions of one text."""
    for path in ROOT.glob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        nodes = list(ast.walk(tree))
        assert not [node for node in nodes if isinstance(node, ast.ClassDef)], path
        for function in [node for node in nodes if isinstance(node, ast.FunctionDef)]:
            taken = [argument.arg for argument in function.args.args]
            assert taken == ([] if function.name == "main" else ["text"]), (
                f"{path}: {function.name}"
            )
        said = {ast.unparse(it) for it in nodes if isinstance(it, ast.Raise)}
        assert not [it for it in said if "UserError" in it], path


def test_names_of_files_stand_in_one_module() -> None:
    """Of our own files; those of a model are named by others."""
    ending = re.compile(r"\w+\.(csv|el|gexf|graphml|html|json|npz|pickle|pkl|png|safetensors|txt)")
    for path in [it for it in MODULES if room(it) != "model"]:
        named = [
            node.value.value
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if isinstance(node, ast.Assign)
            and isinstance(node.value, ast.Constant)
            and ending.fullmatch(str(node.value.value))
        ]
        assert bool(named) == (path.name == "names.py"), f"{path}: {named}"


def test_only_neurons_turns_ids_into_layers() -> None:
    source = {path: path.read_text(encoding="utf-8") for path in MODULES if room(path) != "neurons"}
    turned = re.compile(r"(?<!MOST_VALUES) (//|%) (\w+\.)*d_mlp\b")
    assert [path.name for path, text in source.items() if turned.search(text)] == []
