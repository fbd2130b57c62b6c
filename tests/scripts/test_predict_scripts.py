"""The two predicting scripts as a person runs them, on a model whose neurons are set by hand."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from gelu.artifacts import read_tensors, write_tensors
from tests.hand_set import (
    MODEL,
    VOCABULARY,
    always,
    expected_active,
    generate_hand_set,
    never,
    on_positions,
    on_token,
    persistent,
)
from tests.helpers import ROOT, run_script, run_script_here, user_error

ACTIVATIONS, NEXT_TOKEN = "predict_activations.py", "predict_next_token.py"
PAGE = "report_findings.py"
LETTERS = "abcd"
STAY = 0.85
LAYERS = [
    [on_token("a"), on_token("b"), on_token("bc"), on_token("d")],
    [on_positions(4, 40), always(), never(), on_token("c")],
]
SMALL = ("--width", 32, "--history", 3)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a hand-set model, its dataset and the first script's results."""
    folder = tmp_path_factory.mktemp("predict")
    rng = np.random.default_rng(0)
    texts = {"".join(rng.choice(list(LETTERS), rng.integers(3, 7))) for _ in range(80)}
    prompts = [(text, 12, 1) for text in sorted(texts)]
    generate_hand_set(folder, LAYERS, persistent(LETTERS, STAY), prompts)
    run_script_here(ACTIVATIONS, *_arguments(folder, "first"), *SMALL)
    return folder


@pytest.fixture(scope="module")
def next_token(folder: Path) -> str:
    """Run the second script into `next`; return what it said."""
    made = run_script_here(NEXT_TOKEN, *_arguments(folder, "next"), "--min_token_count", 5)
    return str(made.stdout)


def _arguments(folder: Path, output: str) -> tuple[object, ...]:
    return (
        *("--model_type", folder / MODEL, "--dataset_dir", folder / "dataset"),
        *("--output_dir", folder / output, "--device", "cpu"),
    )


def _read(folder: Path, name: str) -> pd.DataFrame:
    return pd.read_csv(folder / f"{MODEL}_{name}", keep_default_na=False, na_values=[""])


def _few_prompts(folder: Path) -> str:
    """Return what is said beside intervals over the fixture's held-out prompts."""
    summary = json.loads((folder / "first" / f"{MODEL}_activation_prediction.json").read_text())
    n_prompts = summary["counts"]["prompts_held_out"]
    assert (
        n_prompts == _read(folder / "first", "activation_prediction_by_layer.csv")["n_prompts"][0]
    )
    return f"95 % intervals are over {n_prompts} held-out prompts: a rough guide"


def test_neurons_of_tokens_and_positions_are_told_apart(folder: Path) -> None:
    neurons = _read(folder / "first", "activation_prediction_by_neuron.csv")
    kinds = neurons["decided_by"].tolist()
    assert kinds == ["token"] * 4 + ["position", "constant", "constant", "token"]
    assert neurons["log_loss_bits_learned"].max() < 0.1


def test_what_is_saved_is_over_the_best_counting_baseline(folder: Path) -> None:
    layers = _read(folder / "first", "activation_prediction_by_layer.csv")
    bits = layers.pivot(index="layer", columns="predictor", values="log_loss_bits")
    best = bits[["base_rate", "token", "two_tokens"]].min(axis=1)
    saved = layers["layer"].map(best) - layers["log_loss_bits"]
    assert layers["saved_bits"].to_numpy() == pytest.approx(saved.to_numpy(), abs=1e-9)
    assert (best < bits["base_rate"] - 0.01).any()  # or the base rate would be the same thing
    inside = layers["log_loss_bits"].between(layers["log_loss_low"], layers["log_loss_high"])
    assert inside.all()


def test_shares_are_of_what_the_network_saves_over_the_base_rate(folder: Path) -> None:
    neurons = _read(folder / "first", "activation_prediction_by_neuron.csv")
    bits = {name: neurons[f"log_loss_bits_{name}"] for name in ("base_rate", "learned")}
    saved = bits["base_rate"] - bits["learned"]
    token = neurons[["log_loss_bits_token", "log_loss_bits_learned_token_only"]].min(axis=1)
    place = neurons["log_loss_bits_learned_position_only"]
    for column, alone in (("share_token", token), ("share_position", place)):
        expected = ((bits["base_rate"] - alone) / saved).where(saved > 0)
        both = expected.notna() & (saved > 1e-6)
        assert both.sum() >= 5
        assert neurons[column][both].to_numpy() == pytest.approx(
            expected[both].to_numpy(), rel=1e-5
        )


@pytest.mark.parametrize(
    ("output", "table"),
    [
        ("first", "activation_prediction_by_layer.csv"),
        ("first", "activation_prediction_reliability.csv"),
        ("next", "next_token_prediction.csv"),
        ("next", "next_token_neurons.csv"),
    ],
)
def test_the_documented_columns_are_those_written(
    folder: Path, next_token: str, output: str, table: str
) -> None:
    documented = (ROOT / "docs" / "files.md").read_text(encoding="utf-8")
    section = documented.split(f"### `{{m}}_{table}`\n")[1].split("\n### ")[0]
    named = [name for code in re.findall("`([^`]+)`", section) for name in code.split(",")]
    places = []
    for column in _read(folder / output, table).columns:
        stem = re.sub("_(low|high)$", "", column)
        places.append(named.index(column if column in named else stem))
    assert places == sorted(places)


def test_the_summary_says_what_was_done(folder: Path) -> None:
    path = folder / "first" / f"{MODEL}_activation_prediction.json"
    summary = json.loads(path.read_text(encoding="utf-8"))
    assert summary["counts"]["neurons"] == 8
    assert summary["inputs"]["dataset_csv"] == f"{MODEL}_activation_dataset.csv"
    assert str(folder) not in path.read_text(encoding="utf-8")
    assert sum(summary["decided_by"].values()) == 8


def test_the_same_command_writes_the_same_bytes_and_predicts(folder: Path) -> None:
    text = "abcabcabc"
    run_script(ACTIVATIONS, *_arguments(folder, "second"), *SMALL, "--predict", text)
    written = sorted(path.name for path in (folder / "first").iterdir())
    assert len(written) == 7
    for name in written:
        first, second = folder / "first" / name, folder / "second" / name
        assert first.read_bytes() == second.read_bytes(), name
    table = _read(folder / "second", "predicted_neurons.csv")
    truth = np.flatnonzero(expected_active(LAYERS, [text[-1]], [len(text) - 1])[0])
    assert table.loc[table["active"] == 1, "neuron_id"].tolist() == truth.tolist()
    assert (table["active"] == table["predicted"]).all()


def test_a_saved_predictor_works_without_the_dataset_and_without_weights(folder: Path) -> None:
    bare = folder / "bare" / MODEL
    bare.mkdir(parents=True)
    for name in ("config.json", "tokenizer.json"):
        (bare / name).write_bytes((folder / MODEL / name).read_bytes())
    arguments = ("--model_type", bare, "--output_dir", folder / "first", "--predict", "ddda")
    result = run_script_here(ACTIVATIONS, *arguments)
    assert "no true neurons" in result.stderr
    path = folder / "first" / f"{MODEL}_predicted_neurons.csv"
    table = _read(folder / "first", "predicted_neurons.csv")
    path.unlink()
    assert table["active"].isna().all() and 0 in table["neuron_id"].tolist()


def test_the_next_token_is_read_from_the_neurons(folder: Path, next_token: str) -> None:
    assert "the next token on held-out prompts" in next_token
    assert _few_prompts(folder) in next_token
    scores = _read(folder / "next", "next_token_prediction.csv")
    bits = dict(
        zip(
            scores["predictor"] + " " + scores["neurons"], scores["cross_entropy_bits"], strict=True
        )
    )
    p = np.array([STAY, *[(1 - STAY) / 3] * 3])
    entropy = -(p * np.log2(p)).sum()
    assert bits["model model"] == pytest.approx(entropy, abs=0.2)
    # Against the ceiling of the same tokens, chance in which tokens came is the same.
    for name in ("linear all", "linear layer 0", "bigram none"):
        assert bits[name] == pytest.approx(bits["model model"], abs=0.12), name
    assert bits["unigram none"] > 1.8
    model = scores[scores["predictor"] == "model"].iloc[0]
    assert model["top1"] == pytest.approx(STAY, abs=0.1) and model["top5"] == 1
    carriers = _read(folder / "next", "next_token_neurons.csv").drop_duplicates("token_id")
    strongest = dict(zip(carriers["token"], carriers["neuron_id"], strict=True))
    assert strongest["a"] == 0 and strongest["d"] == 3 and strongest["c"] == 7
    # This model's MLPs write nothing: there is no direct path to agree with.
    direct = _read(folder / "next", "next_token_direct_path.csv")
    assert (direct["n_neurons"] == 0).all()


def test_the_next_token_of_the_same_command_is_the_same_bytes(
    folder: Path, next_token: str
) -> None:
    run_script(NEXT_TOKEN, *_arguments(folder, "again"), "--min_token_count", 5)
    for path in (folder / "next").iterdir():
        assert path.read_bytes() == (folder / "again" / path.name).read_bytes(), path.name


@pytest.mark.parametrize("script", [ACTIVATIONS, NEXT_TOKEN])
def test_mistakes_are_named(folder: Path, script: str) -> None:
    model, output = ("--model_type", folder / MODEL), ("--output_dir", folder / "none")
    missing = user_error(script, *model, *output, "--dataset_dir", folder / "missing")
    assert "--dataset_dir" in missing and "no such folder" in missing
    other = ("--model_type", "gpt2-demo", *output)
    assert MODEL in user_error(script, *other, "--dataset_dir", folder / "dataset")
    assert not (folder / "none").exists()


def test_nothing_to_do_is_said(folder: Path) -> None:
    model, output = ("--model_type", folder / MODEL), ("--output_dir", folder / "none")
    assert "--dataset_dir" in user_error(ACTIVATIONS, *model, *output)
    assert "learn with --dataset_dir" in user_error(ACTIVATIONS, *model, *output, "--predict", "a")


def test_a_text_that_is_too_long_is_refused_before_anything_is_learned(folder: Path) -> None:
    arguments = (*_arguments(folder, "long"), "--predict", "")
    assert "--predict: the text is empty" in user_error(ACTIVATIONS, *arguments)
    arguments = (*_arguments(folder, "long"), "--predict", "a" * 200)
    assert "--predict: the text's 200 tokens; the model has" in user_error(ACTIVATIONS, *arguments)
    assert not (folder / "long").exists()


DESCRIPTION, WEIGHTS = "activation_predictor.json", "activation_predictor.safetensors"
HUGE = 10**15


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"token_ids": [0]}, "sizes.n_codes is"),
        ({"token_ids": [5, 5]}, "token_ids are not in ascending order"),
        ({"token_ids": []}, "token_ids is a list; a list of 1 or more is needed"),
        ({"token_ids": [2**70]}, "token_ids[0] is 1180591620717411303424; a whole number"),
        ({"token_ids": [1.5]}, "token_ids[0] is 1.5; a whole number"),
        ({"n_layer": 3}, "sizes.n_neurons is 8, n_layer x d_mlp is 12"),
        ({"n_layer": None}, "n_layer is null; a whole number"),
        ({"sizes": None}, "sizes is null; an object is needed"),
        ({"sizes": {"width": 2**30}}, "do not fit each other"),
        ({"sizes": {"width": HUGE}}, "sizes.width is 1000000000000000; a whole number"),
        ({"sizes": {"token_width": 0, "history": 4}}, "sizes.token_width is 0; a whole number"),
        ({"sizes": {"history": 1}}, "sizes.history is 1; a whole number from 2"),
        ({"sizes": {"n_positions": -1}}, "sizes.n_positions is -1; a whole number"),
        ({"sizes": {"n_positions": True}}, "sizes.n_positions is true or false"),
        ({"format": 1}, "the predictor is of format 1, this version reads 2; learn anew"),
        ({"format": 99, "sizes": None}, "the predictor is of format 99, this version reads 2"),
        ({"format": None}, "format is null; a whole number"),
        ("no format", "the predictor is of format 1, this version reads 2; learn anew"),
        ("no counts", "do not fit each other (there is no tensor counted.bits); learn anew"),
        ("not finite", "holds other than finite float32 numbers"),
        (WEIGHTS, "activation_predictor.safetensors: no such file"),
        (b"no tensors", "activation_predictor.safetensors: not a safetensors file"),
    ],
)
def test_a_damaged_predictor_is_refused(
    change: Any, told: str, folder: Path, tmp_path: Path
) -> None:
    for name in (DESCRIPTION, WEIGHTS):
        path = tmp_path / f"{MODEL}_{name}"
        path.write_bytes((folder / "first" / path.name).read_bytes())
    described, weights = tmp_path / f"{MODEL}_{DESCRIPTION}", tmp_path / f"{MODEL}_{WEIGHTS}"
    if change == WEIGHTS:
        weights.unlink()
    elif change == "not finite":
        tensors = read_tensors(weights)
        tensors["norm.weight"][0] = float("nan")
        write_tensors(weights, {name: tensor.clone() for name, tensor in tensors.items()})
    elif change == "no counts":
        tensors = read_tensors(weights)
        write_tensors(weights, {n: t.clone() for n, t in tensors.items() if n != "counted.bits"})
    elif change == "no format":
        description = json.loads(described.read_text())
        del description["format"]
        described.write_text(json.dumps(description))
    elif isinstance(change, bytes):
        weights.write_bytes(change)
    else:
        description = json.loads(described.read_text())
        if change.get("sizes"):
            change = {"sizes": description["sizes"] | change["sizes"]}
        described.write_text(json.dumps(description | change))
    arguments = ("--model_type", folder / MODEL, "--output_dir", tmp_path, "--predict", "ab")
    error = user_error(ACTIVATIONS, *arguments)
    assert told in error and "activation_predictor." in error


def test_a_predictor_of_another_model_is_refused(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / MODEL
    generate_hand_set(tmp_path, LAYERS[:1], persistent(LETTERS, STAY), [("ab", 2, 1)])
    model = ("--model_type", other)
    arguments: tuple[object, ...] = ("--output_dir", folder / "first", "--predict", "ab")
    error = user_error(ACTIVATIONS, *model, *arguments)
    assert "has 4 neurons, the saved predictor 8; learn anew" in error
    arguments = (*model, "--dataset_dir", folder / "dataset", "--output_dir", tmp_path / "o")
    error = user_error(NEXT_TOKEN, *arguments)
    assert "the model has 1 layers of 4 neurons, the dataset 2" in error


def test_the_next_token_without_the_model(folder: Path, tmp_path: Path) -> None:
    bare = tmp_path / "bare" / MODEL
    bare.mkdir(parents=True)
    arguments = ("--model_type", bare, "--dataset_dir", folder / "dataset", "--epochs", 1)
    made = run_script_here(NEXT_TOKEN, *arguments, "--output_dir", tmp_path / "out")
    assert "note: of a prompt only its last token is known" in made.stderr
    assert "note: without the model no direct path" in made.stderr
    scores = _read(tmp_path / "out", "next_token_prediction.csv").set_index("predictor")
    assert scores["top1"].isna().tolist().count(True) == 1 and pd.isna(scores["top1"].iloc[-1])
    assert not (tmp_path / "out" / f"{MODEL}_next_token_direct_path.csv").exists()


def test_the_next_token_with_weights_and_no_tokenizer(folder: Path, tmp_path: Path) -> None:
    model = tmp_path / "weights" / MODEL
    shutil.copytree(folder / MODEL, model)
    for path in [*model.glob("tokenizer*"), *model.glob("vocab*"), *model.glob("merges*")]:
        path.unlink()
    arguments = ("--model_type", model, "--dataset_dir", folder / "dataset", "--epochs", 1)
    made = run_script_here(NEXT_TOKEN, *arguments, "--output_dir", tmp_path / "out")
    assert "note: of a prompt only its last token is known" in made.stderr
    ceiling = _read(tmp_path / "out", "next_token_prediction.csv").iloc[-1]
    assert ceiling["predictor"] == "model" and ceiling["cross_entropy_bits"] > 0
    assert pd.isna(ceiling["top1"])


def _changed_dataset(folder: Path, other: Path, change: Callable[[pd.DataFrame], Any]) -> Path:
    """Copy the dataset to `other` with another table; return that folder."""
    name = f"{MODEL}_activation_dataset.csv"
    for path in (folder / "dataset").glob(f"{MODEL}_*"):
        (other / path.name).write_bytes(path.read_bytes())
    table = pd.read_csv(folder / "dataset" / name, keep_default_na=False)
    change(table).to_csv(other / name, index=False)
    return other


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("output_id", 10**17),
        ("output_id", len(VOCABULARY)),
        ("context_token_id", 10**9),
        ("token_position", 3 * 10**8),
        ("absolute_position", 64),
    ],
)
@pytest.mark.parametrize(
    "script",
    [ACTIVATIONS, NEXT_TOKEN, "extract_patterns.py", "analyze_activations.py", "visualize"],
)
def test_tokens_and_positions_that_the_model_has_not_are_refused_with_their_sample(
    folder: Path, tmp_path: Path, script: str, column: str, value: int
) -> None:
    def change(table: pd.DataFrame) -> pd.DataFrame:
        table.loc[7, column] = value
        return table

    _changed_dataset(folder, tmp_path, change)
    arguments: tuple[object, ...] = ("--model_type", folder / MODEL, "--output_dir", tmp_path / "o")
    if script == "analyze_activations.py":
        files = [
            tmp_path / f"{MODEL}_{name}"
            for name in ("activation_dataset.csv", "activation_matrix.npz")
        ]
        arguments += ("--dataset_csv", files[0], "--activations_file", files[1])
    elif script == "visualize":
        script = "visualize_sample_activations.py"
        arguments = ("--model_type", folder / MODEL, "--export_dir", tmp_path / "o")
        arguments += ("--dataset_dir", tmp_path, "--sample_ids", 0)
    else:
        arguments += ("--dataset_dir", tmp_path)
    error = user_error(script, *arguments)
    assert f"sample 7 has {column} {value}; the model has 0 to " in error
    assert not (tmp_path / "o").exists()


def test_a_dataset_with_some_of_its_rows_says_what_is_unknown(folder: Path, tmp_path: Path) -> None:
    _changed_dataset(folder, tmp_path, lambda table: table[table["token_position"] % 3 == 0])
    out = tmp_path / "out"
    arguments = ("--model_type", folder / MODEL, "--dataset_dir", tmp_path, "--output_dir", out)
    made = run_script_here(NEXT_TOKEN, *arguments, "--epochs", 1, "--device", "cpu")
    told = r"of [\d,]+ of [\d,]+ held-out samples it is unknown what the model had read"
    assert re.search(told, made.stderr)
    assert 0 < _read(out, "next_token_prediction.csv").iloc[-1]["top1"] < 1
    run_script_here(PAGE, "--model_type", folder / MODEL, "--results_dir", out)
    page = (out / f"{MODEL}_findings.html").read_text(encoding="utf-8")
    assert re.search(told, page) and "not all of the last 2 tokens are known" in page


def test_too_few_prompts_are_refused(folder: Path, tmp_path: Path) -> None:
    _changed_dataset(folder, tmp_path, lambda table: table[table["prompt_idx"] < 1])
    arguments = ("--model_type", folder / MODEL, "--dataset_dir", tmp_path)
    error = user_error(NEXT_TOKEN, *arguments, "--output_dir", tmp_path / "out")
    assert "1 prompts of different texts; three are needed" in error


def test_a_dataset_without_rows_or_columns_is_named(folder: Path, tmp_path: Path) -> None:
    arguments = (
        "--model_type",
        folder / MODEL,
        "--dataset_dir",
        tmp_path,
        "--output_dir",
        tmp_path,
    )
    _changed_dataset(folder, tmp_path, lambda table: table[:0])
    assert "dataset.csv: holds no samples" in user_error(NEXT_TOKEN, *arguments)
    _changed_dataset(folder, tmp_path, lambda table: table.drop(columns="context_token_id"))
    assert "the column context_token_id is missing; write" in user_error(NEXT_TOKEN, *arguments)


def test_a_tokenizer_of_another_model_is_named(folder: Path, tmp_path: Path) -> None:
    _changed_dataset(folder, tmp_path, _with_other_ids)
    arguments = ("--model_type", folder / MODEL, "--dataset_dir", tmp_path)
    error = user_error(ACTIVATIONS, *arguments, "--output_dir", tmp_path / "out")
    assert "sample 0 has context_token_id" in error


def _with_other_ids(table: Any) -> Any:
    return table.assign(context_token_id=table.context_token_id + 1, output_id=table.output_id + 1)


def test_the_page_tells_what_is_there(folder: Path, next_token: str, tmp_path: Path) -> None:
    model = ("--model_type", folder / MODEL)
    assert "nothing of hand_set is there" in user_error(PAGE, *model, "--results_dir", tmp_path)
    for source in ("first", "next"):
        for path in (folder / source).iterdir():
            (tmp_path / path.name).write_bytes(path.read_bytes())
    run_script_here(PAGE, *model, "--results_dir", tmp_path)
    page = (tmp_path / f"{MODEL}_findings.html").read_text(encoding="utf-8")
    assert page.count("data:image/png;base64") == 2
    assert "Not there, because it has not been run: extract_patterns.py" in page
    assert "decides 5 of 8 neurons" in page and "nan" not in page
    assert page.count(_few_prompts(folder)) == 2


def test_results_of_an_earlier_version_are_not_put_on_the_page(
    folder: Path, tmp_path: Path
) -> None:
    name = f"{MODEL}_activation_prediction.json"
    summary = json.loads((folder / "first" / name).read_text(encoding="utf-8"))
    del summary["intervals"]
    (tmp_path / name).write_text(json.dumps(summary), encoding="utf-8")
    told = user_error(PAGE, "--model_type", folder / MODEL, "--results_dir", tmp_path)
    assert name in told and "intervals is missing" in told
