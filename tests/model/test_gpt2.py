"""The project's own forward pass against the one of transformers, which it must equal."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gelu.generation.decoding import Row, SamplingSettings, generate
from gelu.generation.host_copy import pack_bits
from gelu.generation.prompts import Prompt
from gelu.model.decoder import KeyValueCache
from gelu.model.hooks import GeluRecorder
from gelu.model.loading import load_model
from gelu.model.source import ModelSource
from tests.helpers import (
    ROOT,
    reference_model,
    save_gpt2,
    user_error,
    write_prompts,
)

CONFIGS: dict[str, dict[str, Any]] = {
    "plain": {},
    "n_inner": {"n_inner": 24},
    "one head": {"n_head": 1},
    "gelu": {"activation_function": "gelu"},
    "relu": {"activation_function": "relu"},
    "silu": {"activation_function": "silu"},
    "no scale": {"scale_attn_weights": False},
    "scale by layer": {"scale_attn_by_inverse_layer_idx": True},
    "own head": {"tie_word_embeddings": False},
    "layer norm": {"layer_norm_epsilon": 0.1},
}


def load(folder: Path, dtype: str = "float32") -> Any:
    return load_model(ModelSource("model", folder, None), "cpu", dtype)


def activations(model: Any, ids: torch.Tensor) -> torch.Tensor:
    with torch.no_grad(), GeluRecorder(model, keep="value") as recorder:
        model(ids)
        return recorder.take()


def some_ids(rows: int, length: int) -> torch.Tensor:
    return torch.randint(0, 257, (rows, length), generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("name", CONFIGS)
def test_logits_and_all_activations_equal_those_of_transformers(name: str, tmp_path: Path) -> None:
    save_gpt2(tmp_path, **CONFIGS[name])
    theirs, ours = reference_model(tmp_path), load(tmp_path)
    ids = some_ids(3, 20)
    with torch.no_grad():
        torch.testing.assert_close(ours(ids), theirs(ids).logits[:, -1], atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(
        activations(ours, ids), activations(theirs, ids), atol=1e-5, rtol=1e-4
    )


def test_the_shipped_model_equals_that_of_transformers() -> None:
    folder = ROOT / "models" / "gpt2-demo"
    theirs, ours = reference_model(folder), load(folder)
    ids = some_ids(4, 100)
    with torch.no_grad():
        torch.testing.assert_close(ours(ids), theirs(ids).logits[:, -1], atol=1e-3, rtol=1e-4)
    differ = (activations(ours, ids) > 0) != (activations(theirs, ids) > 0)
    # Rounding can move a value across 0.
    assert differ.float().mean() < 1e-4


def test_weights_laid_out_for_speed_change_no_bit(tmp_path: Path) -> None:
    save_gpt2(tmp_path)
    model, ids = load(tmp_path), some_ids(5, 9)
    before = model(ids), activations(model, ids)
    model.pack()
    assert torch.equal(model(ids), before[0])
    assert torch.equal(activations(model, ids), before[1])


def test_a_text_read_in_pieces_is_the_text_read_at_once(tmp_path: Path) -> None:
    save_gpt2(tmp_path)
    model, ids = load(tmp_path), some_ids(2, 12)
    cache = KeyValueCache(2, 12)
    model(ids[:, :7], cache)
    for column in range(7, 12):
        logits = model(ids[:, column : column + 1], cache)
    torch.testing.assert_close(logits, model(ids), atol=1e-4, rtol=1e-4)
    with pytest.raises(ValueError, match="must be empty"):
        model(ids[:, :2], cache)


@pytest.mark.parametrize("name", ["plain", "scale by layer", "own head"])
def test_padded_batches_write_and_record_what_transformers_computes(
    name: str, tmp_path: Path
) -> None:
    save_gpt2(tmp_path, **CONFIGS[name])
    theirs, ours = reference_model(tmp_path), load(tmp_path)
    prompts = [Prompt(str(n), tuple(range(40, 40 + n)), 3 + n, 2) for n in (1, 4, 9)]
    rows = [Row(prompt, stream) for prompt in prompts for stream in range(2)]
    texts = [list(row.prompt.token_ids) for row in rows]
    with torch.no_grad(), GeluRecorder(theirs, positions=-1) as recorder:
        for step in generate(ours, rows, SamplingSettings(0, 0.8, 0)):
            for row, record in zip(step.rows, step.records, strict=True):
                logits = theirs(torch.tensor([texts[row]])).logits[0, -1]
                chance = torch.log_softmax(logits / 0.8, dim=-1)[int(record["id"])]
                assert record["logprob"] == pytest.approx(float(chance), abs=1e-3)
                bits = np.packbits(recorder.take()[0].numpy())
                assert (record["bits"] == bits).all()
                texts[row].append(int(record["id"]))
    assert [len(text) for text in texts] == [5, 5, 11, 11, 21, 21]


def test_bfloat16_is_computed_in_bfloat16_and_is_near(tmp_path: Path) -> None:
    save_gpt2(tmp_path)
    full, half = load(tmp_path), load(tmp_path, "bfloat16")
    ids = some_ids(3, 15)
    assert half.dtype == half(ids).dtype == torch.bfloat16
    same = (activations(full, ids) > 0) == (activations(half, ids) > 0)
    assert 0.95 < same.float().mean() < 1


@pytest.mark.parametrize(
    ("config", "named"),
    [({"activation_function": "gelu_5"}, "'gelu_5'"), ({"add_cross_attention": True}, "cross")],
)
def test_what_it_cannot_compute_is_refused_in_one_line(
    config: dict[str, Any], named: str, tmp_path: Path
) -> None:
    import json

    save_gpt2(tmp_path / "model")
    path = tmp_path / "model" / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | config))
    csv = write_prompts(tmp_path / "p.csv", ("a", 1, 1))
    arguments = ("--model_type", path.parent, "--input_csv", csv, "--export_dir", tmp_path / "d")
    error = user_error("generate_activation_dataset.py", *arguments)
    assert "config.json" in error and named in error


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 5), st.integers(1, 40), st.integers(0, 2**32))
def test_bits_are_packed_as_numpy_packs_them(rows: int, n: int, seed: int) -> None:
    active = np.random.default_rng(seed).random((rows, n)) < 0.5
    assert (pack_bits(torch.from_numpy(active)).numpy() == np.packbits(active, axis=1)).all()
