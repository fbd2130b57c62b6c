"""The trace of one text, against a plain forward."""

import pickle
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.helpers import (
    byte_tokenizer,
    own_gelu,
    plain_preactivations,
    run_script_here,
    save_gpt2,
    user_error,
)

SCRIPT = "b_trace_gelu_activations.py"
TEXT = 'Hello, "how"\nare you? 😀'


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("trace")


@pytest.fixture(scope="module")
def model(work: Path) -> Any:
    return save_gpt2(work / "tiny", n_inner=40)


def trace(work: Path, text: str) -> Any:
    return run_script_here(
        SCRIPT, "--model_type", work / "tiny", "--input_text", text, "--output_dir", work / "out"
    )


def test_the_active_neurons_are_those_of_a_plain_forward(work: Path, model: Any) -> None:
    result = trace(work, TEXT)
    ids = torch.tensor([byte_tokenizer().encode(TEXT)])
    active = own_gelu(plain_preactivations(model, ids))[0, -1] > 0
    vector = pickle.loads((work / "out/tiny_activations.pkl").read_bytes())
    assert vector.dtype.name == "uint8" and vector.tolist() == active.int().tolist()
    lines = (work / "out/tiny_active_neurons.txt").read_text().splitlines()
    assert [int(line) for line in lines] == active.nonzero()[:, 0].tolist()
    printed = result.stdout.splitlines()
    for layer, row in enumerate(active.reshape(3, 40)):
        assert printed[layer] == f"layer {layer}: {int(row.sum())} of 40 neurons active"
    assert printed[3] == f"all layers: {int(active.sum())} of 120 neurons active"


def test_the_likeliest_tokens_are_printed_with_their_probability(work: Path, model: Any) -> None:
    printed = trace(work, "abc").stdout.splitlines()
    with torch.no_grad():
        logits = model(torch.tensor([byte_tokenizer().encode("abc")])).logits[0, -1]
    values, tokens = logits.softmax(-1).topk(5)
    start = printed.index("likeliest next tokens:") + 1
    for line, value, token in zip(printed[start:], values, tokens, strict=False):
        assert line == f"  {float(value):6.1%}  {byte_tokenizer().decode([int(token)])!r}"


def test_two_runs_write_the_same_bytes(work: Path, model: Any) -> None:
    contents = []
    for _ in range(2):
        trace(work, TEXT)
        contents.append([path.read_bytes() for path in sorted((work / "out").iterdir())])
    assert contents[0] == contents[1] and len(contents[0]) == 2


def test_empty_and_overlong_texts_are_refused(work: Path, model: Any) -> None:
    arguments = ("--model_type", work / "tiny", "--output_dir", work / "none")
    assert "the text is empty" in user_error(SCRIPT, *arguments, "--input_text", "")
    line = user_error(SCRIPT, *arguments, "--input_text", "x" * 65)
    assert "65 tokens; the model has 64 positions" in line
    assert not (work / "none").exists()
    trace(work, "x" * 64)
