"""One vocabulary of arguments: names, their order in --help, and what a folder says by itself."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gelu import cli
from gelu.artifacts import (
    ACTIVATION_PREDICTOR,
    ATTRIBUTES,
    DATASET,
    EDGES,
    JSON,
    MATRIX,
    PICKLE,
    RUN,
    SUMMARY,
    Artifacts,
)
from gelu.errors import UserError
from gelu.findings.run import RESULTS
from gelu.model.of_folder import model_of_file, model_of_folders
from gelu.model.source import find_model
from gelu.samples.reading import dataset_files
from tests.helpers import ROOT, run_here, run_script_here, save_gpt2, user_error, write_prompts

SCRIPTS = sorted(path.name for path in ROOT.glob("*.py"))
GENERATE, STUDY = "generate_activation_dataset.py", "compare_temperatures.py"
EDGE_LIST, TRACE = "a_generate_gelu_graph.py", "b_trace_gelu_activations.py"
ANALYSIS, PATTERNS = "analyze_activations.py", "extract_patterns.py"
GRAPH, SAMPLES = "visualize_gelu_graph.py", "visualize_sample_activations.py"
NEURONS, TOKENS = "predict_activations.py", "predict_next_token.py"
REPORT = next(name for name in SCRIPTS if name.startswith("report_"))
WITHOUT_MODEL = (ANALYSIS, PATTERNS, GRAPH, SAMPLES, REPORT)
READ_A_DATASET = (ANALYSIS, PATTERNS, GRAPH, SAMPLES, NEURONS, TOKENS)
EXPORT_DIR = (GENERATE, STUDY, SAMPLES)
TITLES = ("required", "often set", "the rest")


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model m, and the dataset of 8 prompts that it wrote."""
    folder = tmp_path_factory.mktemp("arguments")
    save_gpt2(folder / "m", n_layer=2, n_inner=24)
    write_prompts(folder / "prompts.csv", *((letter * 3, 3, 2) for letter in "abcdefgh"))
    run_script_here(
        GENERATE, *writing(folder), "--export_dir", folder / "data", "--edges", "strongest"
    )
    return folder


@pytest.fixture
def data(work: Path, tmp_path: Path) -> Artifacts:
    """A copy of the dataset's folder, in a folder of its own."""
    return Artifacts(shutil.copytree(work / "data", tmp_path / "data"), "m")


def writing(work: Path) -> list[Any]:
    csv = work / "prompts.csv"
    return ["--model_type", work / "m", "--input_csv", csv, "--device", "cpu", "--seed", 3]


def reading(script: str, folder: Path) -> list[Any]:
    """Return arguments under which a script reads the folder and has little to do."""
    more: dict[str, list[Any]] = {
        SAMPLES: ["--sample_ids", "0,2"],
        PATTERNS: ["--max_patterns", 2, "--null_draws", 0],
    }
    return ["--dataset_dir", folder, *more.get(script, [])]


def made(script: str, folder: Path, *arguments: object) -> dict[str, bytes]:
    """Run a script; return what it wrote to the folder, by name."""
    run_script_here(script, *arguments)
    files = {it.name: it.read_bytes() for it in folder.iterdir()}
    assert files
    return files


# The help


def sections(script: str) -> tuple[str, dict[str, list[str]]]:
    """Return the usage line of a script, and the lines that begin an argument by their section."""
    code, shown, _ = run_here(script, "--help")
    assert code == 0
    usage = shown[: shown.index("\n\n")]
    found: dict[str, list[str]] = {}
    parts = re.split(rf"^({'|'.join(TITLES)}):\n", shown, flags=re.MULTILINE)
    for title, text in zip(parts[1::2], parts[2::2], strict=True):
        found[title] = re.findall(r"^  (-.*?)(?:  .*)?$", text, re.MULTILINE)
    return usage, found


def first_names(lines: list[str]) -> list[str]:
    return [re.split("[, ]", line)[0] for line in lines]


@pytest.mark.parametrize("script", SCRIPTS)
def test_help_shows_what_is_required_first_and_the_usage_line_the_same_order(script: str) -> None:
    usage, found = sections(script)
    without = (EDGE_LIST, TRACE)
    assert list(found) == [*TITLES[script in without :]]
    lines = [name for group in found.values() for name in first_names(group)]
    lines.remove("-h")
    assert re.findall(r"(?<=[\s\[])--?[a-z_]+", usage.partition(script)[2]) == ["-h", *lines]
    assert "--model_type" in first_names(found["often set"])
    needed = re.findall(r"(?<!\[)(--[a-z_]+)", usage)
    assert set(needed) <= set(first_names(found.get("required", [])))
    assert bool(needed) == (script not in without)


@pytest.mark.parametrize("script", SCRIPTS)
def test_both_names_are_shown_and_the_scripts_own_first(script: str) -> None:
    lines = [line for group in sections(script)[1].values() for line in group]
    own = {
        "--output_dir": script not in EXPORT_DIR,
        "--activation_file": script == GRAPH,
        "--sample_id": script == GRAPH,
    }
    for one, another in cli.PAIRS:
        shown = [line for line in lines if {one, another} & set(re.split("[, ]+", line))]
        first, second = (one, another) if own[one] else (another, one)
        assert len(shown) <= 1 and all(it.startswith(f"{first}, {second} ") for it in shown)
        if one == "--output_dir":
            assert len(shown) == (script != REPORT)
    assert sum(line.startswith("--sample_id") for line in lines) == (script in (GRAPH, SAMPLES))


@pytest.mark.parametrize("script", SCRIPTS)
def test_the_device_is_shown_where_it_does_something(script: str) -> None:
    text = " ".join(run_here(script, "--help")[1].split())
    told = "{auto,cpu,cuda,mps} where the model or network runs; auto takes cuda, then mps, then"
    assert (told in text) == (script not in WITHOUT_MODEL)
    assert ("--device" in text) == (script not in WITHOUT_MODEL)


@pytest.mark.parametrize("script", WITHOUT_MODEL)
def test_a_device_that_there_is_none_of_is_refused_everywhere(script: str) -> None:
    assert "argument --device: invalid choice: 'x'" in user_error(script, "--device", "x")


@pytest.mark.parametrize("script", READ_A_DATASET)
def test_every_script_that_reads_a_dataset_takes_its_folder(script: str) -> None:
    assert "--dataset_dir FOLDER" in sections(script)[1]["required"]


# Two names


SAME = dict([*cli.PAIRS, *(pair[::-1] for pair in cli.PAIRS)])


def renamed(arguments: list[Any]) -> list[Any]:
    return [SAME.get(it, it) if isinstance(it, str) else it for it in arguments]


@pytest.mark.parametrize("script", [GENERATE, STUDY, EDGE_LIST, TRACE, GRAPH, SAMPLES])
def test_either_name_writes_the_same_bytes(script: str, work: Path, tmp_path: Path) -> None:
    files, model = Artifacts(work / "data", "m"), ["--model_type", work / "m"]
    name = "--export_dir" if script in EXPORT_DIR else "--output_dir"
    given: dict[str, list[Any]] = {
        GENERATE: writing(work),
        STUDY: [*writing(work), "--temperatures", 0],
        EDGE_LIST: model,
        TRACE: model,
        SAMPLES: [*reading(script, files.folder)[:2], "--sample_ids", 5],
        GRAPH: [
            *("--graph_dir", files.folder, "--activation_file", files.path(PICKLE)),
            *("--sample_id", 5),
        ],
    }
    folders = tmp_path / "one", tmp_path / "another"
    lines = [[*given[script], name, folder] for folder in folders]
    assert renamed(lines[1]) != lines[1]
    for line in (lines[0], renamed(lines[1])):
        run_script_here(script, *line)
    one, another = (
        {str(it.relative_to(at)): it.read_bytes() for it in at.rglob("*") if it.is_file()}
        for at in folders
    )
    assert one and one == another


def test_two_values_of_one_argument_are_refused(data: Artifacts, tmp_path: Path) -> None:
    given = [*reading(SAMPLES, data.folder), "--export_dir", tmp_path / "out"]
    line = user_error(SAMPLES, *given, "--output_dir", tmp_path / "x")
    assert line == (
        f"error: --export_dir {tmp_path / 'out'} and --output_dir {tmp_path / 'x'}: the two are "
        "one argument; give one of them (see visualize_sample_activations.py --help)"
    )
    assert "--sample_ids 0,2 and --sample_id 1: " in user_error(SAMPLES, *given, "--sample_id=1")
    run_script_here(SAMPLES, *given, "--output_dir", tmp_path / "out", "--sample_id", "0,2")
    # Of one name the last value counts, as ever.
    run_script_here(SAMPLES, *given, "--export_dir", tmp_path / "later")
    assert len(list((tmp_path / "later").iterdir())) == 2
    for more in (["--activation_file", "a", "--activations_file", "b"], ["--sample_id", 1]):
        again = [*more, "--sample_ids", 2] if len(more) == 2 else more
        assert "the two are one argument" in user_error(GRAPH, "--output_dir", "o", *again)


def test_the_graph_shows_one_sample(data: Artifacts, tmp_path: Path) -> None:
    given = ["--dataset_dir", data.folder, "--output_dir", tmp_path / "out"]
    line = user_error(GRAPH, *given, "--sample_ids", "0,1")
    assert line.startswith("error: argument --sample_id/--sample_ids: '0,1' is not the id of one ")
    assert not (tmp_path / "out").exists()


def test_an_error_names_the_flag_that_the_scripts_help_shows(
    data: Artifacts, work: Path, tmp_path: Path
) -> None:
    file = tmp_path / "file"
    file.touch()
    for script, arguments, flag in [
        (GENERATE, writing(work), "--export_dir"),
        (SAMPLES, reading(SAMPLES, data.folder), "--export_dir"),
        (GRAPH, reading(GRAPH, data.folder), "--output_dir"),
        (EDGE_LIST, ["--model_type", work / "m"], "--output_dir"),
    ]:
        for name in ("--output_dir", "--export_dir"):
            line = user_error(script, *arguments, name, file)
            assert line == f"error: {flag} {file}: this is a file, a folder is needed"


def test_a_parameter_without_a_flag_is_shown_as_one(capsys: pytest.CaptureFixture[str]) -> None:
    parser = cli.build_parser("")
    cli.add_output_argument(parser, "--export_dir", "")
    with pytest.raises(SystemExit):
        parser.parse_args([])
    assert "the following arguments are required: --export_dir/--output_dir" in (
        capsys.readouterr().err
    )
    assert cli.as_flags("`output_dir` and `export_dir`, (`other`)") == (
        "--export_dir and --export_dir, (`other`)"
    )


NAMES = ("dataset_dir", "seed", "predict")
PIECES = st.sampled_from([*NAMES, *(f"`{name}`" for name in NAMES), *"`'\"/ .,:;()\\a"])


@given(st.lists(PIECES, min_size=1, max_size=8).map("".join), st.sampled_from(["{}", "{!r}"]))
def test_what_a_user_wrote_is_never_turned_into_a_flag(value: str, form: str) -> None:
    parser = cli.build_parser("")
    for name in NAMES:
        parser.add_argument(f"--{name}")
    parser.parse_args([f"--dataset_dir={value}"])
    shown = form.format(value)
    message = (
        f"`dataset_dir` {shown}: no such folder (see `seed`); `predict`, or {shown}/m_run.json"
    )
    said = cli.as_flags(message)
    assert said.count(shown) >= 2
    if not {*"`'\""} & {*value}:
        assert said == (
            f"--dataset_dir {shown}: no such folder (see --seed); --predict, or {shown}/m_run.json"
        )


def test_what_a_file_holds_is_never_turned_into_a_flag() -> None:
    parser = cli.build_parser("")
    parser.add_argument("--seed")
    parser.parse_args([])
    for value in ("no`seed`folder", "'of a `seed` here'", '"its `seed`"', "a/`seed`"):
        assert cli.as_flags(f"file {value} is not that of `seed`") == (
            f"file {value} is not that of --seed"
        )


# The dataset's folder instead of its files


def test_the_folder_stands_for_its_files(data: Artifacts) -> None:
    """The best activations that are there: the .npz, the .pickle, the .json."""
    table = data.path(DATASET)
    for ending in (MATRIX, PICKLE, JSON):
        assert dataset_files(data.folder, "m") == (table, data.path(ending))
        data.path(ending).unlink()
    with pytest.raises(UserError, match=r"no such file, nor one ending in \.pickle, \.pkl"):
        dataset_files(data.folder, "m")
    # What is given is not looked for.
    found = dataset_files(data.folder, "m", activations="a/b.npz")
    assert found == (table, Path("a/b.npz"))
    given = dataset_files("none", "m", "t.csv", "b.npz")
    assert given == (Path("t.csv"), Path("b.npz"))
    with pytest.raises(UserError, match="`dataset_dir` none: no such folder"):
        dataset_files("none", "m", "t.csv")


@pytest.mark.parametrize("script", [ANALYSIS, GRAPH])
def test_the_folder_writes_what_its_files_write(
    script: str, data: Artifacts, tmp_path: Path
) -> None:
    """The analysis takes the model that the table is called by, whatever lies beside."""
    if script == ANALYSIS:
        data.path(DATASET).with_name(f"other_{DATASET}").touch()
        files = ["--dataset_csv", data.path(DATASET), "--activation_file", data.path(MATRIX)]
    else:
        files = ["--graph_dir", data.folder, "--activations_file", data.path(MATRIX)]
    expected = made(script, tmp_path / "one", *files, "--export_dir", tmp_path / "one")
    rest = ["--output_dir", tmp_path / "two", "--model_type", "m"]
    assert made(script, tmp_path / "two", "--dataset_dir", data.folder, *rest) == expected


def test_files_given_beside_the_folder_win(data: Artifacts, tmp_path: Path) -> None:
    out, elsewhere = tmp_path / "out", Artifacts(tmp_path / "elsewhere", "m")
    elsewhere.folder.mkdir()
    for ending in (DATASET, PICKLE, ATTRIBUTES, EDGES):
        data.path(ending).rename(elsewhere.path(ending))
    given = ["--dataset_dir", data.folder, "--output_dir", out]
    assert str(data.path(DATASET)) in user_error(ANALYSIS, *given)
    more = ["--dataset_csv", elsewhere.path(DATASET), "--activations_file", elsewhere.path(PICKLE)]
    summary = json.loads(made(ANALYSIS, out, *given, *more)[f"m_{SUMMARY}"])
    assert summary["arguments"]["activations_file"] == elsewhere.path(PICKLE).name
    shutil.rmtree(out)
    assert str(data.path(ATTRIBUTES)) in run_here(GRAPH, *given)[2]
    for more in ([], ["--activation_file", elsewhere.path(PICKLE)]):
        assert len(made(GRAPH, out, *given, "--graph_dir", elsewhere.folder, *more)) == 4


@pytest.mark.parametrize(
    ("script", "given", "told"),
    [
        (ANALYSIS, [], "--output_dir/--export_dir"),
        (ANALYSIS, ["--output_dir", "o"], "--dataset_dir, or --dataset_csv and --activations_file"),
        (
            ANALYSIS,
            ["--output_dir", "o", "--dataset_csv", "x"],
            "--dataset_dir, or --dataset_csv and --activations_file",
        ),
        (
            GRAPH,
            ["--output_dir", "o", "--graph_dir", "x"],
            "--dataset_dir, or --graph_dir and --activation_file",
        ),
        (SAMPLES, [], "--dataset_dir, --sample_ids/--sample_id, --export_dir/--output_dir"),
        (PATTERNS, [], "--dataset_dir, --output_dir/--export_dir"),
        (TOKENS, [], "--dataset_dir, --output_dir/--export_dir"),
        (GENERATE, [], "--input_csv, --export_dir/--output_dir"),
    ],
)
def test_what_is_missing_is_said_in_one_line(script: str, given: list[str], told: str) -> None:
    line = user_error(script, *given)
    assert line == f"error: the following arguments are required: {told} (see {script} --help)"


@pytest.mark.parametrize("script", READ_A_DATASET)
def test_a_folder_that_is_not_there_is_named(script: str, tmp_path: Path) -> None:
    given = [*reading(script, tmp_path / "none"), "--output_dir", tmp_path / "out"]
    line = user_error(script, *given)
    assert line == f"error: --dataset_dir {tmp_path / 'none'}: no such folder"


# The model of a folder


@pytest.mark.parametrize("script", [ANALYSIS, PATTERNS, GRAPH, SAMPLES, REPORT])
def test_a_folder_of_one_model_needs_no_model_type(
    script: str, data: Artifacts, work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder m beside is no model that a file's name could mean. A device has no effect."""
    (tmp_path / "here" / "m").mkdir(parents=True)
    other = {"model_type": "gpt2", "n_layer": 2, "n_inner": 24, "vocab_size": 1, "n_positions": 1}
    (tmp_path / "here" / "m" / "config.json").write_text(json.dumps(other))
    monkeypatch.chdir(tmp_path / "here")
    out = tmp_path / "out"
    given = [*reading(script, data.folder), "--output_dir", out]
    if script == REPORT:
        run_script_here(PATTERNS, *reading(PATTERNS, data.folder), "--output_dir", out)
        given = ["--results_dir", out]
    named = made(script, out, *given, "--model_type", work / "m", "--device", "cuda")
    assert all(name.startswith("m_") for name in named)
    assert made(script, out, *given) == named


def test_a_file_says_its_model_by_its_name(data: Artifacts) -> None:
    def name(file: str) -> str:
        return model_of_file(None, data.folder / file, DATASET).name

    for called in (f"b.c_{DATASET}", f"gpt2-demo_{DATASET}", f"no name_{DATASET}", "table.csv"):
        (data.folder / called).touch()
    assert name(f"m_{DATASET}") == "m" and name(f"b.c_{DATASET}") == "b.c"
    assert model_of_file(None, data.folder / f"gpt2-demo_{DATASET}", DATASET) == (
        find_model("gpt2-demo")
    )
    assert model_of_file("gpt2-xl", data.path(DATASET), DATASET) == find_model("gpt2-xl")
    assert not model_of_file(None, data.path(DATASET), DATASET).is_placed()
    # A name that no model has says nothing, and the default is what it was.
    assert name("table.csv") == name(f"no name_{DATASET}") == name("none") == "gpt2"


@pytest.mark.parametrize("script", [*READ_A_DATASET, REPORT])
def test_a_folder_of_several_models_needs_one(script: str, data: Artifacts, tmp_path: Path) -> None:
    argument, ending = "--dataset_dir", DATASET
    if script == REPORT:
        argument, ending = "--results_dir", "patterns.json"
    if script == GRAPH:
        ending = EDGES
    for name in ("m", "gpt2-demo", "b.c"):
        (data.folder / f"{name}_{ending}").touch()
    (data.folder / f"no name_{ending}").touch()
    given = [*reading(script, data.folder), "--output_dir", tmp_path / "out"]
    line = user_error(script, *(given if script != REPORT else [argument, data.folder]))
    assert line == (
        f"error: {argument} {data.folder}: has files of b.c, gpt2-demo, m; say which with "
        "--model_type"
    )


NOTHING = {script: ("--dataset_dir", "there is no dataset ({m}_act") for script in READ_A_DATASET}
NOTHING |= {
    REPORT: ("--results_dir", "there are no results; run analyze_activations.py, "),
    f"{NEURONS} --predict hello": ("--output_dir", "there is no saved predictor ({m}_act"),
    f"{GRAPH} --activation_file none.pickle": ("--graph_dir", "there is no graph ({m}_neuron_ed"),
}


@pytest.mark.parametrize("command", NOTHING)
def test_a_folder_without_the_files_is_refused_before_anything_is_fetched(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    no_hub(monkeypatch)
    (script, *more), (argument, said) = command.split(), NOTHING[command]
    folder, output = tmp_path / "data", ["--output_dir", tmp_path / "out"]
    if argument in ("--results_dir", "--output_dir"):
        output = []
    if script == SAMPLES:
        more = ["--sample_ids", "0"]
    line = user_error(script, argument, folder, *more, *output)
    assert line == f"error: {argument} {folder}: no such folder"
    folder.mkdir()
    (folder / "notes.txt").touch()
    line = user_error(script, argument, folder, *more, *output)
    assert line.startswith(f"error: {argument} {folder}: {said}"), line
    assert [path.name for path in tmp_path.rglob("*")] == ["data", "notes.txt"]


@pytest.mark.parametrize("dataset", [True, False])
def test_what_is_to_be_read_is_looked_for_before_a_tokenizer_is_fetched(
    dataset: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    no_hub(monkeypatch)
    given = ["--model_type", "gpt2", "--predict", "hello", "--output_dir", tmp_path]
    line = user_error(NEURONS, *given, *(["--dataset_dir", tmp_path] if dataset else []))
    said = (DATASET, "no such file") if dataset else (ACTIVATION_PREDICTOR, "there is no saved pre")
    assert line.startswith(f"error: {tmp_path / f'gpt2_{said[0]}'}: {said[1]}")


def test_folders_that_are_read_together_are_of_one_model(tmp_path: Path) -> None:
    folders = [str(tmp_path / name) for name in ("one", "two", "none")]
    for folder in folders:
        Path(folder).mkdir()
    for folder in folders[:2]:
        Path(folder, f"m_{SUMMARY}").touch()
    assert model_of_folders(None, folders, "results_dir", RESULTS).name == "m"
    for number in range(12):
        Path(folders[1], f"n{number:02}_patterns.json").touch()
    with pytest.raises(
        UserError, match=r"one, .*two, .*: has files of m, n00, .*, n08 and 3 more;"
    ):
        model_of_folders(None, folders, "results_dir", RESULTS)


def give_name(files: Artifacts, name: str, stated: Any) -> None:
    """Call the files of m after another model; what the run file says is `stated`."""
    for path in files.folder.iterdir():
        path.rename(path.with_name(path.name.replace("m_", f"{name}_", 1)))
    path = Artifacts(files.folder, name).path(RUN)
    run = json.loads(path.read_text())
    run["arguments"]["model_type"] = stated
    path.write_text(json.dumps(run))


def no_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> Any:
        raise AssertionError("asked the hub")

    for name in ("fetch", "cached"):
        monkeypatch.setattr(f"gelu.model.hub.{name}", fail)


FOLDER_OR_ID = "the files are called {}; name that model's folder, or its hub id, by --model_type"


@pytest.mark.parametrize("script", [NEURONS, TOKENS])
@pytest.mark.parametrize(
    ("name", "stated", "told"),
    [
        ("m", "m", FOLDER_OR_ID.format("m")),
        ("distilgpt2", "distilgpt2", FOLDER_OR_ID.format("distilgpt2")),
        ("a_b", "a/b", "is of a/b; --model_type a/b fetches it"),
        ("a_b", "../b", FOLDER_OR_ID.format("a_b")),
        ("m", "a/b", FOLDER_OR_ID.format("m")),
        ("a_b", "/etc", FOLDER_OR_ID.format("a_b")),
    ],
)
def test_a_model_that_is_needed_and_not_known_is_asked_for(
    script: str,
    name: str,
    stated: str,
    told: str,
    data: Artifacts,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    no_hub(monkeypatch)
    give_name(data, name, stated)
    given = ["--dataset_dir", data.folder, "--output_dir", tmp_path / "out"]
    line = user_error(script, *given)
    assert line == f"error: --dataset_dir {data.folder}: {told}"
    assert not (tmp_path / "out").exists()


def test_a_run_file_without_a_text_is_refused(data: Artifacts, tmp_path: Path) -> None:
    give_name(data, "a_b", 5)
    given = ["--dataset_dir", data.folder, "--output_dir", tmp_path / "out"]
    line = user_error(TOKENS, *given)
    assert line.startswith(
        f"error: {Artifacts(data.folder, 'a_b').path(RUN)}: arguments.model_type"
    )


@pytest.mark.parametrize("script", [PATTERNS, GRAPH, SAMPLES])
def test_a_hub_id_in_a_run_file_downloads_nothing(
    script: str, data: Artifacts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    no_hub(monkeypatch)
    give_name(data, "a_b", "a/b")
    out = tmp_path / "out"
    files = made(script, out, *reading(script, data.folder), "--output_dir", out)
    assert all(name.startswith("a_b_") for name in files)
    # Where nothing says how many neurons there are, the model would have to.
    if script != GRAPH:
        for path in data.folder.iterdir():
            if not path.name.endswith((DATASET, MATRIX)):
                path.unlink()
        code, _, told = run_here(script, *reading(script, data.folder), "--output_dir", out)
        assert (code, told.splitlines()[-1]) == (2, f"error: {FOLDER_OR_ID.format('a_b')}")


@pytest.mark.parametrize("script", [NEURONS, TOKENS])
def test_the_shipped_models_dataset_is_read_with_it(
    script: str, work: Path, tmp_path: Path
) -> None:
    """Two prompts are too few, which is said when the dataset has been read."""
    prompts = write_prompts(tmp_path / "p.csv", ("Once", 2, 1), ("The cat", 2, 1))
    given = ["--input_csv", prompts, "--export_dir", tmp_path / "data", "--edges", "none"]
    run_script_here(GENERATE, "--model_type", "gpt2-demo", *given, "--device", "cpu")
    line = user_error(script, "--dataset_dir", tmp_path / "data", "--output_dir", tmp_path / "out")
    assert line.startswith("error: the dataset has 2 prompts of different texts; three are needed")


def test_a_saved_predictor_says_its_model(tmp_path: Path) -> None:
    given = ["--output_dir", tmp_path, "--predict", "a"]
    (tmp_path / "x_activation_predictor.json").write_text("{}")
    line = user_error(NEURONS, *given)
    assert line == f"error: --output_dir {tmp_path}: {FOLDER_OR_ID.format('x')}"
    path = (tmp_path / "x_activation_predictor.json").rename(
        tmp_path / "gpt2-demo_activation_predictor.json"
    )
    assert f"{path}: " in user_error(NEURONS, *given)


# The share held out


@pytest.mark.parametrize("script", [NEURONS, TOKENS])
def test_more_than_half_of_the_prompts_can_be_held_out(
    script: str, data: Artifacts, work: Path, tmp_path: Path
) -> None:
    for share in ("0", "1", "1.5", "nan", "x"):
        assert "argument --held_out: " in user_error(script, "--held_out", share)
    assert "'1' is not above 0 and below 1" in user_error(script, "--held_out", "1")
    given = ["--dataset_dir", data.folder, "--model_type", "x y", "--output_dir", tmp_path / "out"]
    line = user_error(script, *given, "--held_out", 0.75)
    assert line.startswith("error: --model_type x y: no such folder")
