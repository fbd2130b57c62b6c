"""Examples in module docstrings call what is there, with arguments that it takes."""

import ast
import builtins
import importlib
import inspect
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.helpers import ROOT

MODULES = sorted((ROOT / "gelu").rglob("*.py"))
# What examples may call without saying where it comes from, besides the module's own names.
KNOWN = {*dir(builtins), "Path", "model"}


# A line that is meant as Python, in a block that may stand at the margin.
CODE = re.compile(r"(\w+ = .*\(.*|with .*:|for .* in .*:|\w+\(.*\))( *#.*)?")


def parsed(text: str) -> Iterator[tuple[str, ast.Module | None]]:
    """Yield the blocks of a docstring that are Python, or are meant as such: then with None."""
    for block in text.split("\n\n"):
        code = textwrap.dedent(block).strip("\n")
        try:
            yield code, ast.parse(code)
        except SyntaxError:
            lines = block.strip("\n").splitlines()
            indented = all(line.startswith("    ") for line in lines)
            if lines and (indented or any(CODE.fullmatch(line.strip()) for line in lines)):
                yield code, None


def blocks(text: str) -> Iterator[str]:
    """Yield the blocks of a docstring that are Python and call something."""
    for code, tree in parsed(text):
        if tree is not None and any(isinstance(node, ast.Call) for node in ast.walk(tree)):
            yield code


def names_of(path: Path) -> dict[str, Any]:
    """Return what a module's own example may name: its own, and what it imports."""
    dotted = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    return vars(importlib.import_module(dotted))


def everything() -> dict[str, list[Any]]:
    """Return the public functions and classes of the package by name."""
    found: dict[str, list[Any]] = {}
    for path in MODULES:
        for name, value in names_of(path).items():
            own = getattr(value, "__module__", "").startswith("gelu")
            if own and callable(value) and value not in found.get(name, []):
                found.setdefault(name, []).append(value)
    return found


EVERYTHING = everything()


def calls(code: str) -> Iterator[tuple[str, ast.Call]]:
    """Yield the calls of plain names, and of methods by their class where it is said."""
    made: dict[str, str] = {}
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
            function = node.value.func
            if isinstance(function, ast.Name):
                made |= {t.id: function.id for t in node.targets if isinstance(t, ast.Name)}
        if isinstance(node, ast.withitem) and isinstance(node.context_expr, ast.Call):
            function, variable = node.context_expr.func, node.optional_vars
            if isinstance(function, ast.Name) and isinstance(variable, ast.Name):
                made[variable.id] = function.id
    for node in ast.walk(ast.parse(code)):
        if not isinstance(node, ast.Call):
            continue
        if isinstance(node.func, ast.Name):
            yield node.func.id, node
        elif (owner := _owner(node.func, made)) is not None:
            yield owner, node


def _owner(function: ast.expr, made: dict[str, str]) -> str | None:
    if not isinstance(function, ast.Attribute) or not isinstance(function.value, ast.Name):
        return None
    owner = made.get(function.value.id)
    return None if owner is None else f"{owner}.{function.attr}"


def takes(function: Any, call: ast.Call, bound: bool) -> bool:
    """Whether a function's signature takes a call's arguments; `...` may stand for any."""
    if any(isinstance(a, ast.Starred) or is_open(a) for a in call.args):
        return True
    if any(word.arg is None for word in call.keywords):
        return True
    signature = inspect.signature(function)
    first = [None] if bound else []
    try:
        signature.bind(*first, *call.args, **{str(w.arg): w.value for w in call.keywords})
    except TypeError:
        return False
    return True


def is_open(argument: ast.expr) -> bool:
    return isinstance(argument, ast.Constant) and argument.value is ...


def faults(path: Path, text: str) -> list[str]:
    """Return the calls in a docstring's examples that name nothing or do not fit."""
    own = names_of(path)
    wrong = [f"{code!r} is no Python" for code, tree in parsed(text) if tree is None]
    for code in blocks(text):
        imported = {
            name.asname or name.name
            for node in ast.walk(ast.parse(code))
            if isinstance(node, ast.ImportFrom | ast.Import)
            for name in node.names
        }
        local = stored(code)
        for name, call in calls(code):
            owner, _, method = name.partition(".")
            candidates = [own[owner]] if owner in own else EVERYTHING.get(owner, [])
            candidates = [c for c in candidates if callable(c)]
            if not candidates and owner not in KNOWN | imported | local:
                wrong.append(f"{name} is nowhere")
            if method:
                classes = [c for c in candidates if inspect.isclass(c)]
                if classes and not any(hasattr(c, method) for c in classes):
                    wrong.append(f"{name} is nowhere")
                candidates = [getattr(c, method) for c in classes if hasattr(c, method)]
            if candidates and not any(takes(c, call, bool(method)) for c in candidates):
                wrong.append(f"{ast.unparse(call)} does not fit {name}")
    return wrong


def stored(code: str) -> set[str]:
    """Return the names that the code gives a value."""
    names = [node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Name)]
    return {name.id for name in names if isinstance(name.ctx, ast.Store)}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_examples_fit_what_they_call(path: Path) -> None:
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    assert faults(path, text) == []


def test_enough_examples_are_read() -> None:
    texts = [ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) for path in MODULES]
    assert sum(len(list(blocks(text or ""))) for text in texts) >= 25


@pytest.mark.parametrize(
    ("example", "said"),
    [
        ("x = find_model()", "does not fit find_model"),
        ("x = find_model('gpt2', 3, 4)", "does not fit find_model"),
        ("x = find_no_model('gpt2')", "find_no_model is nowhere"),
        ("    rows = [find_model(name) for ...]", "is no Python"),
        ("rows = find_model(name for", "is no Python"),
        ("    a table\n    of words", "is no Python"),
        ("with GeluRecorder(m) as r:\n    r.give()", "GeluRecorder.give is nowhere"),
    ],
)
def test_what_does_not_fit_is_noticed(example: str, said: str) -> None:
    wrong = faults(ROOT / "gelu" / "model" / "source.py", f"Words.\n\n{example}\n")
    assert len(wrong) == 1 and said in wrong[0]
