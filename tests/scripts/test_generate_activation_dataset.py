"""The dataset, through the script's command line, against independent recomputation."""

import csv
import hashlib
import json
import pickle
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.typing import NDArray

from gelu.artifacts import read_dataset
from gelu.generation.sampling import token_uniforms
from tests.helpers import (
    ROOT,
    own_gelu,
    plain_preactivations,
    reference_model,
    reference_tokenizer,
    run_script,
    run_script_here,
    save_gpt2,
    user_error,
    write_prompts,
)

SCRIPT = "generate_activation_dataset.py"
NEAR_ZERO = 1e-5
PROMPTS = [
    ("I am feeling like gloomy day and ", 12, 5),
    ("I think love is ", 20, 3),
    ("Short", 7, 1),
    ('He said "no",\nand left 😀', 12, 4),
]


class Dataset:
    """The files of one run, read with plain libraries."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder, self.name = folder, name
        self.table = read_dataset(folder / f"{name}_activation_dataset.csv")
        with np.load(folder / f"{name}_activation_matrix.npz", allow_pickle=False) as archive:
            self.matrix, self.sample_ids = archive["matrix"], archive["sample_ids"]

    def completions(self) -> Iterator[tuple[str, pd.DataFrame]]:
        """Yield (prompt, rows in order of tokens) for each completion."""
        for _, rows in self.table.groupby(["prompt_idx", "prompt_sample_idx"], sort=False):
            yield rows["input_text"].iloc[0], rows.sort_values("token_position")

    def outputs(self) -> dict[tuple[str, int], list[int]]:
        """Return each completion's tokens by (prompt, number)."""
        return {
            (text, rows["prompt_sample_idx"].iloc[0]): rows["output_id"].tolist()
            for text, rows in self.completions()
        }


def generate(
    model: Path | str, csv_path: Path, out: Path, *more: object, run: Any = run_script_here
) -> Dataset:
    arguments = ("--model_type", model, "--input_csv", csv_path, "--export_dir", out)
    run(SCRIPT, *arguments, "--device", "cpu", *more)
    return Dataset(out, Path(model).name)


def same_bytes(one: Path, other: Path) -> dict[str, bool]:
    names = sorted(path.name for path in one.iterdir())
    assert names == sorted(path.name for path in other.iterdir())
    return {name: (one / name).read_bytes() == (other / name).read_bytes() for name in names}


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("dataset")


@pytest.fixture(scope="module")
def model(work: Path) -> Path:
    save_gpt2(work / "tiny", n_inner=50)
    return work / "tiny"


@pytest.fixture(scope="module")
def prompts(work: Path) -> Path:
    return write_prompts(work / "prompts.csv", *PROMPTS)


@pytest.fixture(scope="module")
def dataset(work: Path, model: Path, prompts: Path) -> Dataset:
    return generate(model, prompts, work / "base")


@pytest.fixture(scope="module")
def demo(work: Path) -> Dataset:
    return generate("gpt2-demo", ROOT / "parcellation_datasets" / "test_1.csv", work / "demo")


@pytest.fixture(params=["dataset", "demo"])
def any_dataset(request: pytest.FixtureRequest, model: Path) -> tuple[Dataset, Any, Any]:
    source = "gpt2-demo" if request.param == "demo" else model
    fixture: Dataset = request.getfixturevalue(request.param)
    return fixture, reference_model(source), reference_tokenizer(source)


def recomputed(network: Any, tokenizer: Any, data: Dataset) -> tuple[torch.Tensor, torch.Tensor]:
    """Return (values after GELU, log-probabilities), a row a sample, by plain forwards."""
    values, logprobs = [], []
    for text, rows in data.completions():
        prompt = tokenizer.encode(text, add_special_tokens=False)
        ids = torch.tensor([prompt + rows["output_id"].tolist()])
        used = slice(len(prompt) - 1, ids.shape[1] - 1)
        values.append(own_gelu(plain_preactivations(network, ids))[0, used])
        with torch.no_grad():
            logits = network(input_ids=ids, use_cache=False).logits[0, used].double() / 0.8
        logprobs.append(logits.log_softmax(-1).gather(1, ids[0, len(prompt) :, None])[:, 0])
    return torch.cat(values), torch.cat(logprobs)


def test_every_row_equals_an_independent_recomputation(
    any_dataset: tuple[Dataset, Any, Any], record_property: Any
) -> None:
    data, network, tokenizer = any_dataset
    values, logprobs = recomputed(network, tokenizer, data)
    flips = (values > 0).numpy() != data.matrix
    record_property("flips", int(flips.sum()))
    print(f"{flips.sum()} flips in {flips.size} values")
    assert (values.abs().numpy()[flips] < NEAR_ZERO).all()
    assert flips.mean() < 1e-4
    assert np.allclose(data.table["output_logprob"], logprobs, atol=1e-4)


def test_the_table_keeps_the_contract(any_dataset: tuple[Dataset, Any, Any]) -> None:
    data, network, tokenizer = any_dataset
    n_layer = network.config.n_layer
    layers = [f"layer_{layer}_num_active_neurons" for layer in range(n_layer)]
    table = data.table
    assert table.columns.tolist() == [
        *("sample_id", "prompt_sample_idx", "token_position", "input_text", "output", "output_id"),
        *("number_of_active_neurons", *layers),
        *("prompt_idx", "context_token", "context_token_id", "absolute_position", "output_logprob"),
    ]
    assert table["sample_id"].tolist() == list(range(len(table)))
    order = table[["prompt_idx", "prompt_sample_idx", "token_position"]].to_numpy().tolist()
    assert order == sorted(order)
    for text, rows in data.completions():
        prompt = tokenizer.encode(text)
        assert rows["token_position"].tolist() == list(range(len(rows)))
        outputs = rows["output_id"].tolist()
        assert rows["context_token_id"].tolist() == [prompt[-1], *outputs[:-1]]
        positions = range(len(prompt) - 1, len(prompt) - 1 + len(rows))
        assert rows["absolute_position"].tolist() == list(positions)
    for name, ids in (("output", "output_id"), ("context_token", "context_token_id")):
        texts = [tokenizer.decode([token]) for token in table[ids]]
        assert table[name].tolist() == texts
    per_layer = data.matrix.reshape(len(table), n_layer, -1).sum(axis=2)
    assert np.array_equal(table[layers].to_numpy(), per_layer)
    assert np.array_equal(table["number_of_active_neurons"], per_layer.sum(axis=1))


def test_all_formats_say_the_same(dataset: Dataset) -> None:
    path = dataset.folder / "tiny_neuron_activations.pickle"
    content = pickle.loads(path.read_bytes())
    expected = {
        int(i): np.flatnonzero(row).tolist()
        for i, row in zip(dataset.sample_ids, dataset.matrix, strict=True)
    }
    assert content == expected
    text = path.with_suffix(".json").read_text()
    assert json.loads(text) == {str(key): ids for key, ids in expected.items()}
    frequency = pd.read_csv(dataset.folder / "tiny_neuron_frequency.csv")
    assert frequency["activation_count"].tolist() == dataset.matrix.sum(axis=0).tolist()
    assert np.allclose(frequency["activation_frequency"], dataset.matrix.mean(axis=0))
    assert frequency["neuron_id"].tolist() == list(range(150))


def test_prompts_are_repeated_exactly_and_counts_are_right(dataset: Dataset) -> None:
    rows = zip(dataset.table["prompt_idx"], dataset.table["input_text"], strict=True)
    expected = {(index, text): new * n for index, (text, new, n) in enumerate(PROMPTS)}
    assert Counter(rows) == expected
    with (dataset.folder / "tiny_activation_dataset.csv").open(newline="") as file:
        plain = list(csv.DictReader(file))
    assert {row["input_text"] for row in plain} == {text for text, _, _ in PROMPTS}


def assert_same_but_for_rounding(one: Dataset, other: Dataset, model: str) -> int:
    """Compare two runs of one CSV with different batches, whose logits differ in the last digits.

    Completions must be alike, or part where the uniform number is that close to the border of two
    tokens; up to there active sets must be alike, or differ where the value is that close to 0. How
    many values differ is returned.
    """
    network, tokenizer = reference_model(model), reference_tokenizer(model)

    @cache
    def near_zero() -> NDArray[np.bool_]:
        return (recomputed(network, tokenizer, one)[0].abs() < NEAR_ZERO).numpy()

    parted = changed = 0
    for (_, rows), (_, others) in zip(one.completions(), other.completions(), strict=True):
        ids, other_ids = rows["output_id"].to_numpy(), others["output_id"].to_numpy()
        alike = len(ids) if (ids == other_ids).all() else int((ids != other_ids).argmax())
        shown = rows["sample_id"].to_numpy()[: alike + 1]
        differing = one.matrix[shown] != other.matrix[shown]
        assert not differing.any() or near_zero()[shown][differing].all()
        changed += int(differing.sum())
        if alike < len(ids):
            parted += 1
            assert_at_a_border(network, tokenizer, rows, other_ids[alike], alike)
    assert parted <= 1
    return changed


def assert_at_a_border(
    network: Any, tokenizer: Any, rows: pd.DataFrame, other_id: int, step: int
) -> None:
    text, ids = rows["input_text"].iloc[0], rows["output_id"].tolist()
    context = torch.tensor([tokenizer.encode(text) + ids[:step]])
    with torch.no_grad():
        logits = network(context, use_cache=False).logits[0, -1].double()
    cdf = (logits / 0.8).softmax(-1).cumsum(-1).numpy()
    number = int(rows["prompt_sample_idx"].iloc[0])
    uniform = token_uniforms(42, text, number, step + 1)[step]
    first, last = sorted((ids[step], int(other_id)))
    assert np.allclose(cdf[first:last], uniform, rtol=0, atol=NEAR_ZERO)


@pytest.mark.parametrize("batch_size", [1, 4])
def test_batches_do_not_show(
    work: Path, model: Path, prompts: Path, dataset: Dataset, batch_size: int
) -> None:
    other = generate(model, prompts, work / f"batch{batch_size}", "--batch_size", batch_size)
    assert_same_but_for_rounding(dataset, other, str(model))


def test_batches_do_not_show_on_the_shipped_model(work: Path) -> None:
    """Of 136 completions and 11 million values one at most, as docs/limits.md says."""
    path = ROOT / "parcellation_datasets" / "long_range.csv"
    more = ("--edges", "none", "--formats", "csv,npz", "--batch_size")
    one, other = (generate("gpt2-demo", path, work / f"long{n}", *more, n) for n in (1, 64))
    n_completions, n_values = len([*one.completions()]), one.matrix.size
    assert (n_completions, n_values // 10**6) == (136, 11)
    assert assert_same_but_for_rounding(one, other, "gpt2-demo") <= 1


def test_other_rows_do_not_change_a_completion(work: Path, model: Path, dataset: Dataset) -> None:
    rows = [PROMPTS[3], PROMPTS[0], ("Another one", 3, 2)]
    other = generate(model, write_prompts(work / "fewer.csv", *rows), work / "fewer")
    outputs = other.outputs()
    for text, _, _ in (PROMPTS[0], PROMPTS[3]):
        mine = {number: ids for (t, number), ids in outputs.items() if t == text}
        assert mine == {n: ids for (t, n), ids in dataset.outputs().items() if t == text}


def test_a_prompt_in_two_rows_counts_its_completions_on(
    work: Path, model: Path, dataset: Dataset
) -> None:
    text, n_new, _ = PROMPTS[0]
    path = write_prompts(work / "twice.csv", (text, n_new, 2), (text, n_new, 3))
    other = generate(model, path, work / "twice")
    groups = other.table.groupby(["prompt_idx", "prompt_sample_idx"], sort=True)
    assert list(groups.groups) == [(0, 0), (0, 1), (1, 0), (1, 1), (1, 2)]
    written = [rows["output_id"].tolist() for _, rows in groups]
    assert written == [dataset.outputs()[text, number] for number in range(5)]


def test_one_command_writes_the_same_bytes_twice_and_another_seed_does_not(
    work: Path, model: Path, prompts: Path, dataset: Dataset
) -> None:
    generate(model, prompts, work / "again", run=run_script)
    assert all(same_bytes(dataset.folder, work / "again").values())
    other = generate(model, prompts, work / "seed", "--seed", 43)
    assert other.outputs() != dataset.outputs()
    same = same_bytes(dataset.folder, work / "seed")
    unchanged = {"tiny_neuron_attributes.csv", "tiny_neuron_edges.el"}
    assert {name for name, equal in same.items() if equal} == unchanged


def test_a_byte_order_mark_and_crlf_ends_change_nothing(
    work: Path, model: Path, prompts: Path, dataset: Dataset
) -> None:
    path = work / "excel" / "prompts.csv"
    path.parent.mkdir()
    # The line break within a prompt is the prompt's, the others end rows.
    text = prompts.read_text(encoding="utf-8").replace("\n", "\r\n")
    text = text.replace(",\r\nand", ",\nand")
    path.write_bytes(b"\xef\xbb\xbf" + text.encode())
    generate(model, path, work / "from_excel")
    same = same_bytes(dataset.folder, work / "from_excel")
    assert {name for name, equal in same.items() if not equal} == {"tiny_run.json"}


def test_greedy_takes_the_likeliest_token_each_time(work: Path, model: Path) -> None:
    path = write_prompts(work / "greedy.csv", ("abc", 10, 2))
    data = generate(model, path, work / "greedy", "--temperature", 0)
    network = reference_model(model)
    ids = reference_tokenizer(model).encode("abc")
    for _ in range(10):
        with torch.no_grad():
            ids.append(int(network(torch.tensor([ids])).logits[0, -1].argmax()))
    assert list(data.outputs().values()) == [ids[3:], ids[3:]]
    assert (data.table["output_logprob"] == 0).all()


def test_top_k_draws_from_the_k_likeliest(work: Path, model: Path) -> None:
    path = write_prompts(work / "topk.csv", ("abc", 1, 300))
    data = generate(model, path, work / "topk", "--top_k", 3, "--temperature", 5)
    network = reference_model(model)
    ids = reference_tokenizer(model).encode("abc")
    with torch.no_grad():
        logits = network(torch.tensor([ids])).logits[0, -1]
    likeliest = logits.topk(3)
    assert set(data.table["output_id"]) == set(likeliest.indices.tolist())
    expected = (likeliest.values / 5).log_softmax(-1)
    by_token = dict(zip(likeliest.indices.tolist(), expected.tolist(), strict=True))
    for token, logprob in zip(data.table["output_id"], data.table["output_logprob"], strict=True):
        assert logprob == pytest.approx(by_token[token], abs=1e-5)
    share = (data.table["output_id"] == likeliest.indices[0].item()).mean()
    assert share == pytest.approx(float(expected[0].exp()), abs=0.1)


def test_the_end_of_text_is_a_token_like_any_other(work: Path) -> None:
    network = save_gpt2(work / "ends")
    end = network.config.eos_token_id
    # Every logit is the dot product with its embedding: one embedding far along the mean hidden
    # state makes one token win always.
    with torch.no_grad():
        network.transformer.ln_f.weight.zero_()
        network.transformer.ln_f.bias.fill_(1.0)
        network.transformer.wte.weight[end] = 5.0
    network.save_pretrained(work / "ends")
    path = write_prompts(work / "end.csv", ("abc", 6, 2))
    data = generate(work / "ends", path, work / "ended")
    assert data.table["output_id"].tolist() == [end] * 12
    assert set(data.table["output"]) == {"<|endoftext|>"}


def test_all_edges_are_those_of_the_graph(work: Path) -> None:
    save_gpt2(work / "graphed", n_layer=2)
    path = write_prompts(work / "one.csv", ("a", 1, 1))
    generate(work / "graphed", path, work / "all_edges", "--edges", "full")
    model = ("--model_type", work / "graphed", "--edges", "full")
    run_script_here("a_generate_gelu_graph.py", *model, "--output_dir", work / "graph")
    written, graph = (work / name / "graphed_neuron_edges.el" for name in ("all_edges", "graph"))
    assert written.read_bytes() == graph.read_bytes()
    assert written.read_bytes().count(b"\n") == 64 * 64


def test_every_token_of_the_vocabulary_survives_the_csv(work: Path) -> None:
    # With all logits alike, 4,000 draws reach each of the 257 tokens, all single bytes among them.
    network = save_gpt2(work / "flat")
    with torch.no_grad():
        network.transformer.ln_f.weight.zero_()
        network.transformer.ln_f.bias.zero_()
    network.save_pretrained(work / "flat")
    path = write_prompts(work / "flat.csv", ("a", 40, 100))
    data = generate(work / "flat", path, work / "flatted", "--edges", "none")
    assert set(data.table["output_id"]) == set(range(257))
    tokenizer = reference_tokenizer(work / "flat")
    assert data.table["output"].tolist() == [tokenizer.decode([t]) for t in data.table["output_id"]]
    assert not (work / "flatted" / "flat_neuron_edges.el").exists()
    assert (work / "flatted" / "flat_neuron_attributes.csv").exists()
    counts = np.bincount(data.table["output_id"], minlength=257)
    chi_square = ((counts - 4000 / 257) ** 2 / (4000 / 257)).sum()
    assert chi_square < 331  # the 99.9 % point of chi-square with 256 degrees of freedom


def test_run_json_says_what_made_the_folder(dataset: Dataset, model: Path, prompts: Path) -> None:
    text = (dataset.folder / "tiny_run.json").read_text()
    run = json.loads(text)
    weights = hashlib.sha256((model / "model.safetensors").read_bytes()).hexdigest()
    assert run["model"]["weights_sha256"] == weights
    assert run["input_csv_sha256"] == hashlib.sha256(prompts.read_bytes()).hexdigest()
    assert run["counts"] == {"completions": 13, "prompts": 4, "samples": 175}
    assert run["arguments"]["seed"] == 42 and run["arguments"]["temperature"] == 0.8
    assert str(dataset.folder.parent) not in text and str(ROOT) not in text


def test_the_longest_completion_that_fits(work: Path, model: Path) -> None:
    data = generate(model, write_prompts(work / "fit.csv", ("abcd", 60, 1)), work / "fit")
    assert data.table["absolute_position"].tolist() == list(range(3, 63))
    path = write_prompts(work / "unfit.csv", ("ok", 2, 1), ("abcd", 61, 1))
    line = user_error(
        SCRIPT, "--model_type", model, "--input_csv", path, "--export_dir", work / "unfit"
    )
    assert "unfit.csv, row 2 (line 3)" in line and "64 positions" in line
    assert not (work / "unfit").exists()


def test_a_csv_that_asks_for_more_than_memory_holds_is_refused(work: Path, model: Path) -> None:
    path = write_prompts(work / "huge.csv", ("a", 50, 10**12))
    line = user_error(
        SCRIPT, "--model_type", model, "--input_csv", path, "--export_dir", work / "huge"
    )
    assert "huge.csv: asks for 50,000,000,000,000 tokens" in line


def test_an_unwritable_export_dir_is_said_before_the_model_loads(
    work: Path, model: Path, prompts: Path
) -> None:
    (work / "file").write_text("")
    for folder in (work / "file", work / "file" / "below"):
        line = user_error(
            SCRIPT, "--model_type", model, "--input_csv", prompts, "--export_dir", folder
        )
        assert f"--export_dir {folder}: " in line


def test_wrong_arguments_are_one_line(prompts: Path, tmp_path: Path) -> None:
    for arguments, message in [
        (("--temperature", "-1"), "not a finite number of 0 or more"),
        (("--temperature", "nan"), "not a finite number of 0 or more"),
        (("--temperature", "warm"), "'warm' is not a number"),
        (("--top_k", "-5"), "not a whole number of 0 or more"),
        (("--batch_size", "0"), "not a whole number of 1 or more"),
        (("--seed", "1.5"), "not a whole number of 0 or more"),
        (("--device", "tpu"), "invalid choice: 'tpu'"),
        (("--colour", "red"), "unrecognized arguments"),
    ]:
        line = user_error(
            SCRIPT, "--input_csv", prompts, "--export_dir", tmp_path / "out", *arguments
        )
        assert message in line
    assert "--input_csv" in user_error(SCRIPT, "--export_dir", tmp_path)
    if not torch.cuda.is_available():
        line = user_error(
            *(SCRIPT, "--input_csv", prompts, "--export_dir", tmp_path / "out"),
            *("--model_type", "gpt2-demo", "--device", "cuda"),
        )
        assert "--device cuda: not available on this machine" in line
