"""Imports point down: scripts, studies, statistics and samples, artifacts and model, the ground.

Each rule is a function of a source text that returns what breaks it; the last test plants a breach
of every rule and sees it found.
"""

import ast
import re
from collections.abc import Callable, Iterator
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
SCRIPTS = sorted(ROOT.glob("*.py"))
LONGEST = 54
# Who opens files outside artifacts/, and which.
OPENERS = {
    "model/config.py": "a model's configuration",
    "model/download.py": "what comes from the hub",
    "model/gguf.py": "what is kept of a file of llama.cpp",
    "model/hub.py": "the hub's cache",
    "model/loading.py": "a model's weights",
    "model/tokenizer.py": "a model's tokenizer",
    "places.py": "a nameless file, to see whether a folder can be written to",
    "streams.py": "the null device, in place of a stream that is closed",
}


def source_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def inside(path: Path) -> str:
    """Return where in gelu a module is."""
    return path.relative_to(ROOT / "gelu").as_posix()


def room(path: Path) -> str:
    """Return which part of the house a module of gelu is in."""
    return path.relative_to(ROOT / "gelu").with_suffix("").parts[0]


def nodes(source: str) -> list[ast.AST]:
    return list(ast.walk(ast.parse(source)))


def calls(source: str) -> list[ast.Call]:
    return [node for node in nodes(source) if isinstance(node, ast.Call)]


# Imports


def imported(source: str) -> Iterator[str]:
    """Yield the modules of gelu that a file imports, at its top or within its functions."""
    for node in nodes(source):
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            # What is imported may be a module itself.
            yield from (f"{node.module}.{name.name}" for name in node.names)
        elif isinstance(node, ast.Import):
            yield from (name.name for name in node.names)


def rooms_imported(source: str) -> set[str]:
    return {it.split(".")[1] for it in imported(source) if it.startswith("gelu.")} & {*BELOW}


@cache
def of_gelu(path: Path) -> set[str]:
    return rooms_imported(source_of(path))


def hidden_imports(source: str) -> list[str]:
    """Return imports that `imported` cannot tell: relative, by a string, of the whole package."""
    hidden = [
        ast.unparse(node)
        for node in nodes(source)
        if (isinstance(node, ast.ImportFrom) and (node.level or node.names[0].name == "*"))
        or (isinstance(node, ast.Import) and "gelu" in [name.name for name in node.names])
    ]
    by_string = re.compile(r"__import__|exec|eval|(\w+\.)*(import_module|run_path|run_module)")
    found = [it for it in calls(source) if by_string.fullmatch(ast.unparse(it.func))]
    return [*hidden, *map(ast.unparse, found)]


def first_circle(imports: dict[str, set[str]]) -> list[str]:
    """Return modules that import one another in a circle, in order; none where there is none."""
    left = {module: {it for it in found if it in imports} for module, found in imports.items()}
    while free := [module for module, found in left.items() if not found & left.keys()]:
        for module in free:
            del left[module]
    way: list[str] = []
    step = min(left, default="")
    while step and step not in way:
        way.append(step)
        step = min(left[step] & left.keys())
    return way[way.index(step) :] if way else []


def dotted(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def modules_imported(source: str, known: set[str]) -> set[str]:
    """Return which of these are imported; of `from package import module` the module alone."""
    found: set[str] = set()
    for node in nodes(source):
        if isinstance(node, ast.ImportFrom) and node.module:
            names = {f"{node.module}.{name.name}" for name in node.names}
            found |= names if names <= known else names | {node.module}
        elif isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
    return found & known


@pytest.mark.parametrize("path", MODULES, ids=inside)
def test_a_module_imports_from_below_alone(path: Path) -> None:
    assert hidden_imports(source_of(path)) == []
    if room(path) == "__init__":
        assert not of_gelu(path)
        return
    above = of_gelu(path) - BELOW[room(path)] - {room(path)}
    assert not above, f"{inside(path)} imports {', '.join(sorted(above))}"


def test_there_is_no_circle_between_rooms() -> None:
    above = {
        part: {room(p) for p in MODULES if room(p) != part and part in of_gelu(p)} for part in BELOW
    }
    assert first_circle(above) == []


def test_there_is_no_circle_between_modules() -> None:
    known = {dotted(path) for path in MODULES}
    assert first_circle({dotted(p): modules_imported(source_of(p), known) for p in MODULES}) == []


def test_only_scripts_import_the_command_line() -> None:
    for path in MODULES:
        assert "cli" not in of_gelu(path) or room(path) == "cli", path


# Printing


def prints(source: str) -> list[str]:
    """Return what of a module's code writes to a standard stream."""
    called = [ast.unparse(call.func) for call in calls(source)]
    named = [ast.unparse(node) for node in nodes(source) if isinstance(node, ast.Attribute)]
    # A bar's `write` goes to standard output.
    loud = re.compile(r"(pprint|print|input|warnings\.warn|(\w+\.)*(bar|tqdm)\.write)")
    streams = re.compile(r"sys\.(__)?(stdout|stderr)(__)?")
    return [*filter(loud.fullmatch, called), *filter(streams.fullmatch, named)]


def test_only_the_command_line_prints() -> None:
    # `__init__` ends Pythons that are too old to import anything else; `streams` replaces the
    # streams, and `progress` draws its bars.
    loud = {room(path) for path in MODULES if prints(source_of(path))}
    assert loud == {"__init__", "cli", "progress", "streams"}


# Scripts


def script_faults(source: str) -> list[str]:
    """Return what a script has beside its arguments and one call of the library.

    `main` and `parsed` take nothing; other functions are types of arguments, of one text.
    """
    wrong = [f"class {node.name}" for node in nodes(source) if isinstance(node, ast.ClassDef)]
    for node in nodes(source):
        if isinstance(node, ast.FunctionDef):
            taken = [argument.arg for argument in node.args.args]
            if taken != ([] if node.name in ("main", "parsed") else ["text"]):
                wrong.append(f"{node.name}({', '.join(taken)})")
        if isinstance(node, ast.Raise) and "UserError" in ast.unparse(node):
            wrong.append(ast.unparse(node))
    called = library_calls(source)
    return wrong if len(called) == 1 else [*wrong, f"calls of the library: {called}"]


def library_calls(source: str) -> list[str]:
    """Return the calls of what is imported from gelu, types of arguments and of values apart."""
    own = [
        name.asname or name.name
        for node in nodes(source)
        if isinstance(node, ast.ImportFrom)
        and str(node.module).split(".")[0] == "gelu"
        and node.module not in ("gelu.cli", "gelu.errors")
        for name in node.names
    ]
    tree = ast.parse(source)
    tree.body = [n for n in tree.body if not isinstance(n, ast.FunctionDef) or not n.args.args]
    names = [ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return [name for name in names if name.split(".")[0] in own and not name[0].isupper()]


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_a_script_is_its_arguments_and_a_call(path: Path) -> None:
    assert script_faults(source_of(path)) == []
    assert hidden_imports(source_of(path)) == [] and opened(source_of(path)) == []


# Files

METHODS = (
    r"open|fdopen|read_text|write_text|read_bytes|write_bytes|from_file|load_file|save_file|"
    r"safe_open|savefig|imread|imsave|tofile|fromfile|memmap|loadtxt|savetxt|genfromtxt|savez\w*|"
    r"(Named)?TemporaryFile|mkstemp"
)
FORMATS = "(csv|table|json|pickle|parquet|feather|hdf|excel|html|xml|fwf|markdown)"
OPENING = re.compile(
    rf"(?!artifacts\.)((.*\.)?({METHODS})|.*\.(read|to)_{FORMATS}"
    r"|(np|numpy|torch|pickle|json|joblib)\.(load|save|dump))",
    re.DOTALL,
)


def opened(source: str) -> list[str]:
    """Return the calls that open files, and imports of what does nothing else."""
    named = {
        name.asname or name.name
        for node in nodes(source)
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("gelu.artifacts")
        for name in node.names
    }
    functions = [ast.unparse(call.func) for call in calls(source)]
    imports = [it for it in imported(source) if it.split(".")[0] in ("PIL", "imageio", "mmap")]
    return [it for it in functions if OPENING.fullmatch(it) and it not in named] + imports


def test_files_are_opened_in_artifacts_and_those_of_models_in_model() -> None:
    outside = [path for path in MODULES if room(path) != "artifacts"]
    assert {inside(path) for path in outside if opened(source_of(path))} == {*OPENERS}


ENDING = re.compile(r"\w+\.(csv|el|gexf|graphml|html|json|npz|pickle|pkl|png|safetensors|txt)")


def names_of_files(source: str) -> list[str]:
    """Return the names and endings of files in a module's code, docstrings apart."""
    tree = ast.parse(source)
    words = {id(n.value) for n in ast.walk(tree) if isinstance(n, ast.Expr)}
    texts = [n for n in ast.walk(tree) if isinstance(n, ast.Constant) and id(n) not in words]
    return [str(text.value) for text in texts if ENDING.fullmatch(str(text.value))]


def test_names_of_files_stand_in_one_module() -> None:
    """Of our own files; those of a model are named by others."""
    for path in [it for it in MODULES if room(it) != "model"]:
        named = names_of_files(source_of(path))
        assert bool(named) == (path.name == "names.py"), f"{path}: {named}"


# Hooks


def hooks(source: str) -> list[str]:
    """Return where hooks are registered, by name or by a string."""
    named = [node.attr for node in nodes(source) if isinstance(node, ast.Attribute)]
    named += [str(node.value) for node in nodes(source) if isinstance(node, ast.Constant)]
    return [name for name in named if re.fullmatch(r"register_\w*hook\w*", name)]


def test_hooks_are_registered_in_one_module() -> None:
    assert [inside(path) for path in MODULES if hooks(source_of(path))] == ["model/hooks.py"]


# Neurons


def turned(source: str) -> list[str]:
    """Return where ids become layers or dimensions, or the reverse, and widths are worked out."""
    found = [
        (node, ast.unparse(node.left), ast.unparse(node.right))
        for node in nodes(source)
        if isinstance(node, ast.BinOp)
    ]
    width = re.compile(r"(.*\W)?_?d_mlp", re.DOTALL)
    layer = re.compile(r"((\w+\.)*layers?|[a-z])( [+-] \d+)?")
    wrong = []
    for node, left, right in found:
        divides = isinstance(node.op, ast.FloorDiv | ast.Mod)
        split = divides and width.fullmatch(right) and not left.isupper()
        widths = isinstance(node.op, ast.FloorDiv) and "neurons" in left and "layer" in right
        starts = isinstance(node.op, ast.Mult) and any(
            width.fullmatch(one) and layer.fullmatch(other)
            for one, other in ((left, right), (right, left))
        )
        if split or widths or starts:
            wrong.append(ast.unparse(node))
    return wrong


def test_only_neurons_turns_ids_into_layers() -> None:
    assert [inside(path) for path in MODULES if turned(source_of(path))] == ["neurons.py"]


# Length


def too_long(source: str) -> list[str]:
    """Return the functions of more than 54 lines."""
    functions = [n for n in nodes(source) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]
    return [n.name for n in functions if (n.end_lineno or 0) - n.lineno + 1 > LONGEST]


def test_functions_are_short() -> None:
    assert [path.name for path in (*MODULES, *SCRIPTS) if too_long(source_of(path))] == []


# Each rule can be broken


def circles(source: str) -> list[str]:
    """Return the circle of two modules, of which the source is one and imports the other."""
    known = {"gelu.plots.a", "gelu.plots.b"}
    imports = {"gelu.plots.a": modules_imported(source, known), "gelu.plots.b": {"gelu.plots.a"}}
    return first_circle(imports)


def above(source: str) -> list[str]:
    """Return what statistics may not import."""
    return sorted(rooms_imported(source) - BELOW["statistics"])


BREACHES: list[tuple[Callable[[str], list[str]], str]] = [
    (above, "from gelu import cli"),
    (above, "from gelu.plots.graph import neurons_figure"),
    (above, "def f():\n    import gelu.generation.run as run"),
    (hidden_imports, "from .. import cli"),
    (hidden_imports, "from ..cli import build_parser"),
    (hidden_imports, "from gelu.artifacts import *"),
    (hidden_imports, "import gelu\ngelu.cli.as_flags('')"),
    (hidden_imports, "import importlib\nimportlib.import_module('gelu.cli')"),
    (hidden_imports, "from importlib import import_module\nimport_module('gelu.cli')"),
    (hidden_imports, "__import__('gelu.cli')"),
    (circles, "from gelu.plots import b"),
    (circles, "def f():\n    from gelu.plots.b import x"),
    (prints, "print(1)"),
    (prints, "import sys\nsys.stderr.write('')"),
    (opened, "open('a')"),
    (opened, "import io\nio.open('a')"),
    (opened, "from pathlib import Path\nPath('a').read_text()"),
    (opened, "path.write_text('')"),
    (opened, "(folder / 'a').open('rb')"),
    (opened, "folder.joinpath('a').read_bytes()"),
    (opened, "np.load(path)"),
    (opened, "np.save(path, a)"),
    (opened, "np.savez_compressed(path, a=a)"),
    (opened, "pd.read_csv(path)"),
    (opened, "table.to_csv(path)"),
    (opened, "figure.savefig(path)"),
    (opened, "from PIL import Image"),
    (opened, "json.dump(a, b)"),
    (opened, "from gelu.samples import read_text\nread_text(path)"),
    (names_of_files, "NAME = 'x.csv'"),
    (names_of_files, "NAME: str = 'x.csv'"),
    (names_of_files, "NAMES = ('x.png', 'y.png')"),
    (names_of_files, "path = f'{model}_x.csv'"),
    (names_of_files, "files.path('activation_dataset.csv')"),
    (hooks, "module.register_forward_hook(f)"),
    (hooks, "module.register_forward_pre_hook(f)"),
    (hooks, "getattr(module, 'register_forward_hook')(f)"),
    (turned, "layer = ids // d_mlp"),
    (turned, "layer = edges['source'] // self._d_mlp"),
    (turned, "dimension = neuron_id % geometry.d_mlp"),
    (turned, "d_mlp = n_neurons // n_layer"),
    (turned, "d_mlp = sets.n_neurons // geometry.n_layer"),
    (turned, "d_mlp = counts['neurons'] // counts['layers']"),
    (turned, "neuron = layer * d_mlp + dimension"),
    (turned, "start = (layer + 1) * geometry.d_mlp"),
    (too_long, "def f():" + "\n    pass" * LONGEST),
    (script_faults, "from gelu.a import f, g\ndef main():\n    f()\n    g()"),
    (script_faults, "from gelu import a\ndef main():\n    a.f()\n    a.g()"),
    (script_faults, "from gelu.a import f\ndef main():\n    helper(f())\ndef helper(x): ..."),
    (script_faults, "from gelu.a import f\nclass A: ...\ndef main():\n    f()"),
    (script_faults, "from gelu.a import f\ndef main():\n    raise UserError(f())"),
]


@pytest.mark.parametrize(
    ("rule", "source"), BREACHES, ids=lambda it: getattr(it, "__name__", str(it)[:60])
)
def test_a_breach_is_noticed(rule: Callable[[str], list[str]], source: str) -> None:
    assert rule(source)


@pytest.mark.parametrize(
    ("rule", "source"),
    [
        (above, "from gelu.samples import arrays\nfrom gelu.neurons import layer_of"),
        (hidden_imports, "from importlib.util import find_spec\nimport gelu.cli"),
        (circles, "from gelu.plots.c import x"),
        (opened, "from gelu.artifacts import read_text\nread_text(path)"),
        (opened, "from gelu import artifacts\nartifacts.read_text(path)"),
        (opened, "text.splitlines(); np.frombuffer(a); figure.save; table.to_dict()"),
        (names_of_files, '"""Writes x.csv"""\ndef f():\n    "x.csv"'),
        (names_of_files, "said = 'x.csv is missing'"),
        (turned, "count = n_layer * d_mlp; rows = MOST_VALUES // d_mlp"),
        (script_faults, "from gelu.a import Settings, f\ndef main():\n    f(Settings(1))"),
    ],
    ids=lambda it: getattr(it, "__name__", str(it)[:60]),
)
def test_what_is_allowed_is_no_breach(rule: Callable[[str], list[str]], source: str) -> None:
    assert rule(source) == []
