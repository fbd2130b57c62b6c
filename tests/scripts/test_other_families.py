"""Every script on models of other families: a gated one and a NeoX, from prompts to findings."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
import pandas as pd
import pytest
import torch

from gelu.artifacts import NEXT_TOKEN
from gelu.model.loading import load_model
from gelu.model.source import find_model
from tests.families import save_family
from tests.helpers import run_script_here, user_error, write_prompts

KINDS = ("llama", "gpt_neox", "gemma2", "opt")
D_MLP, LAYERS = 21, 2
LETTERS = "abcdefghij"
NEXT = f"m_{NEXT_TOKEN}"


@pytest.fixture(scope="module", params=KINDS)
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a model called m and its dataset of 30 prompts."""
    folder = tmp_path_factory.mktemp(request.param)
    save_family(folder / "m", request.param, d_mlp=D_MLP, layers=LAYERS)
    rng = np.random.default_rng(0)
    texts = sorted({"".join(rng.choice(list(LETTERS), 4)) for _ in range(30)})
    prompts = write_prompts(folder / "prompts.csv", *((text, 8, 2) for text in texts))
    run_script_here(
        "generate_activation_dataset.py",
        *("--model_type", folder / "m", "--input_csv", prompts),
        *("--export_dir", folder / "dataset", "--edges", "strongest", "--device", "cpu"),
    )
    return folder


def arguments(folder: Path, output: str) -> tuple[object, ...]:
    return (
        *("--model_type", folder / "m", "--dataset_dir", folder / "dataset"),
        *("--output_dir", folder / output),
    )


def norm_scale(block: Any, name: str, kind: str) -> torch.Tensor:
    weight: torch.Tensor = getattr(block, name).weight.float()
    return weight + 1 if kind == "gemma2" else weight


def parts(model: Any, kind: str) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Yield each layer's weights from the residual stream and to it, norms within, by hand."""
    if kind == "gpt_neox":
        for block in model.gpt_neox.layers:
            scale = norm_scale(block, "post_attention_layernorm", kind)
            yield block.mlp.dense_h_to_4h.weight * scale, block.mlp.dense_4h_to_h.weight
    elif kind == "opt":
        for block in model.model.decoder.layers:
            yield block.fc1.weight * norm_scale(block, "final_layer_norm", kind), block.fc2.weight
    else:
        before = {"llama": "post_attention_layernorm", "gemma2": "pre_feedforward_layernorm"}[kind]
        for block in model.model.layers:
            out = block.mlp.down_proj.weight
            if kind == "gemma2":
                out = out * norm_scale(block, "post_feedforward_layernorm", kind)[:, None]
            yield block.mlp.gate_proj.weight * norm_scale(block, before, kind), out


def kind_of(folder: Path) -> str:
    return str(json.loads((folder / "m" / "config.json").read_text())["model_type"])


def plain_model(folder: Path) -> Any:
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(folder / "m", dtype=torch.float32).eval()


def test_the_dataset_says_what_the_model_is(folder: Path) -> None:
    run = json.loads((folder / "dataset" / "m_run.json").read_text())
    assert (run["model"]["n_layer"], run["model"]["d_mlp"]) == (LAYERS, D_MLP)
    assert "transformers" in run["versions"]
    table = pd.read_csv(folder / "dataset" / "m_activation_dataset.csv", keep_default_na=False)
    assert len(table) == run["counts"]["samples"] > 400
    assert table["number_of_active_neurons"].between(1, LAYERS * D_MLP - 1).any()


def test_parts_of_a_run_make_the_same_files(folder: Path, tmp_path: Path) -> None:
    run = (
        *("generate_activation_dataset.py", "--model_type", folder / "m", "--device", "cpu"),
        *("--input_csv", folder / "prompts.csv", "--edges", "strongest", "--batch_size", 16),
    )
    run_script_here(*run, "--export_dir", tmp_path / "whole")
    for more in (("--shard", "1/2"), ("--shard", "0/2"), ("--merge",)):
        run_script_here(*run, "--export_dir", tmp_path / "parts", *more)
    whole, parts = (
        {path.name: path.read_bytes() for path in (tmp_path / name).iterdir() if path.is_file()}
        for name in ("whole", "parts")
    )
    assert parts == whole


def test_edges_go_through_the_gate_and_the_norms(folder: Path) -> None:
    (_, w_out), (w_in, _) = parts(plain_model(folder), kind_of(folder))
    expected = (w_in @ w_out).T.detach().numpy()  # (source, target)
    path = folder / "dataset" / "m_neuron_edges.el"
    graph = nx.read_weighted_edgelist(path, nodetype=int, create_using=nx.DiGraph)
    assert graph.number_of_edges() == D_MLP * 10
    weights: dict[tuple[int, int], float] = nx.get_edge_attributes(graph, "weight")
    for (source, target), weight in weights.items():
        assert weight == pytest.approx(expected[source, target - D_MLP], rel=1e-4, abs=1e-5)
    for source in range(D_MLP):
        strongest = np.argsort(-np.abs(expected[source]))[:10] + D_MLP
        assert set(strongest.tolist()) == set(graph[source])


def test_a_trace_is_the_sample_that_reads_the_same_text(folder: Path) -> None:
    table = pd.read_csv(folder / "dataset" / "m_activation_dataset.csv", keep_default_na=False)
    first = table[table["token_position"] == 0].iloc[0]
    said = run_script_here(
        "b_trace_gelu_activations.py",
        *("--model_type", folder / "m", "--input_text", first["input_text"]),
        *("--output_dir", folder / "trace", "--device", "cpu"),
    ).stdout
    active = [int(line) for line in (folder / "trace" / "m_active_neurons.txt").open()]
    matrix = np.load(folder / "dataset" / "m_activation_matrix.npz")["matrix"]
    assert active == np.flatnonzero(matrix[first["sample_id"]]).tolist()
    assert f"all layers: {len(active)} of {LAYERS * D_MLP} neurons active" in said


def test_pictures_and_the_analysis(folder: Path) -> None:
    if kind_of(folder) not in ("llama", "gpt_neox"):
        pytest.skip("one gated model and one that is not")
    run_script_here(
        "visualize_sample_activations.py",
        *("--dataset_dir", folder / "dataset", "--sample_ids", "0,5"),
        *("--export_dir", folder / "pictures"),
    )
    run_script_here(
        "visualize_gelu_graph.py",
        *("--dataset_dir", folder / "dataset", "--output_dir", folder / "pictures"),
    )
    run_script_here("analyze_activations.py", *arguments(folder, "analysis"))
    pictures = {path.name for path in (folder / "pictures").glob("*.png")}
    assert {"m_sample_5_activation.png", "m_gelu_graph.png"} <= pictures
    summary = json.loads((folder / "analysis" / "m_analysis_summary.json").read_text())
    assert summary["counts"]["neurons"] == LAYERS * D_MLP


def test_what_is_learned_and_the_direct_path(folder: Path) -> None:
    run_script_here(
        "predict_activations.py",
        *arguments(folder, "learned"),
        *("--width", 8, "--history", 2, "--epochs", 2, "--predict", "abc", "--device", "cpu"),
    )
    run_script_here("extract_patterns.py", *arguments(folder, "learned"), "--max_patterns", 2)
    run_script_here(
        "predict_next_token.py",
        *arguments(folder, "learned"),
        *("--epochs", 2, "--min_token_count", 3, "--device", "cpu"),
    )
    run_script_here(
        "report_findings.py",
        *("--results_dir", folder / "learned", "--model_type", folder / "m"),
    )
    document = json.loads((folder / "learned" / NEXT).read_text())
    assert "model" in document["scores"]  # its own guesses, so its tokens were read as it read them
    assert len(document["direct_path"]) == LAYERS


def test_the_direct_path_is_what_a_neuron_adds_to_the_logits(folder: Path) -> None:
    """Writing a neuron's output to the stream's end moves the logits as the weights say."""
    from gelu.learning.direct_path import direct_path

    kind, theirs = kind_of(folder), plain_model(folder)
    ours = load_model(find_model(str(folder / "m")), "cpu")
    final_scale, unembedding = (it.numpy() for it in ours.unembedding())
    weights = ours.mlp_weights(LAYERS - 1)
    w_out = (weights.w_out * weights.writes).numpy()
    direct = direct_path(w_out, final_scale, unembedding, not ours.family.rms_norm)
    norm = {
        "gpt_neox": lambda: theirs.gpt_neox.final_layer_norm,
        "opt": lambda: theirs.model.decoder.final_layer_norm,
    }.get(kind, lambda: theirs.model.norm)()
    assert torch.allclose(torch.from_numpy(w_out.T), list(parts(theirs, kind))[-1][1], atol=1e-6)
    added = torch.from_numpy(w_out[0]).double()
    stream = torch.randn(ours.geometry.n_embd, generator=torch.manual_seed(0)).double() * 1e4
    seen = added if ours.family.rms_norm else added - added.mean()
    # At right angles to what is added, so that the norm's scale stays as it is.
    stream -= (stream @ seen) / (seen @ seen) * seen
    theirs.double()
    with torch.no_grad():
        moved = theirs.lm_head(norm((stream + added)[None])) - theirs.lm_head(norm(stream[None]))
    assert np.corrcoef(moved[0].numpy(), direct[0])[0, 1] > 0.9999


def test_a_dataset_of_chats_is_read_as_it_was_written(tmp_path: Path) -> None:
    save_family(tmp_path / "m", "llama", d_mlp=D_MLP)
    (tmp_path / "m" / "chat_template.jinja").write_text(
        "{% for m in messages %}[{{ m['content'] }}]{% endfor %}"
    )
    rng = np.random.default_rng(0)
    texts = sorted({"".join(rng.choice(list(LETTERS), 4)) for _ in range(30)})
    prompts = write_prompts(tmp_path / "prompts.csv", *((text, 6, 1) for text in texts))
    generate = (
        *("generate_activation_dataset.py", "--model_type", tmp_path / "m", "--device", "cpu"),
        *("--input_csv", prompts, "--edges", "none", "--formats", "csv,npz"),
    )
    run_script_here(*generate, "--export_dir", tmp_path / "dataset", "--chat")
    run_script_here(*generate, "--export_dir", tmp_path / "plain")
    run = json.loads((tmp_path / "dataset" / "m_run.json").read_text())
    assert run["arguments"]["chat"] is True
    assert "chat" not in json.loads((tmp_path / "plain" / "m_run.json").read_text())["arguments"]
    table = pd.read_csv(tmp_path / "dataset" / "m_activation_dataset.csv", keep_default_na=False)
    assert table["input_text"].iloc[0] == texts[0]
    assert table["absolute_position"].iloc[0] == len(f"[{texts[0]}]") - 1
    assert table["context_token"].iloc[0] == "]"
    run_script_here(
        "predict_next_token.py",
        *arguments(tmp_path, "learned"),
        *("--epochs", 2, "--min_token_count", 3, "--device", "cpu"),
    )
    document = json.loads((tmp_path / "learned" / NEXT).read_text())
    assert "model" in document["scores"]
    line = user_error(*generate, "--export_dir", tmp_path / "dataset")
    assert "chat" in line


def test_without_a_template_a_chat_is_refused_in_one_line(folder: Path, tmp_path: Path) -> None:
    line = user_error(
        "generate_activation_dataset.py",
        *("--model_type", folder / "m", "--input_csv", folder / "prompts.csv"),
        *("--export_dir", tmp_path, "--chat"),
    )
    assert "the tokenizer has no chat template; leave out --chat" in line
