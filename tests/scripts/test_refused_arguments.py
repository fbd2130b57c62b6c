"""Arguments that no run could use: one line that names them, exit 2, before any work."""

import argparse
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NoReturn

import pytest
import torch
from tokenizers import AddedToken, Tokenizer, normalizers

from gelu import cli
from gelu.errors import UserError
from gelu.generation.sampling import draw_tokens
from gelu.learning import activations_run
from gelu.limits import LARGEST_WHOLE
from gelu.model.tokenizer import QUICK_TEXT, encode_text
from gelu.neurons import Geometry
from tests.helpers import END_OF_TEXT, ROOT, run_here, run_script_here, save_gpt2, write_prompts

SCRIPTS = sorted(path.name for path in ROOT.glob("*.py"))
WITH_SEED = [name for name in SCRIPTS if "add_seed_argument(parser" in (ROOT / name).read_text()]
LATIN_1 = os.fsdecode(b"caf\xe9.csv")


def refusal(script: str, *arguments: object) -> str:
    """Run a script that must refuse in one line; return the line."""
    code, out, told = run_here(script, *arguments)
    assert (code, out) == (2, "") and told.startswith("error: ") and told.count("\n") == 1, told
    return told


@pytest.mark.parametrize("script", SCRIPTS)
@pytest.mark.parametrize("argument", ["--model_type", "--nope", "--device=x"])
def test_bytes_that_are_no_text_are_refused(script: str, argument: str) -> None:
    line = refusal(script, argument, LATIN_1)
    named = f"{argument} " if "=" not in argument else ""
    assert line.startswith(rf"error: {named}'caf\udce9.csv' is no utf-8 text; write it in utf-8")


def test_a_shell_that_gives_latin_1_is_answered_in_one_line() -> None:
    command = [sys.executable, str(ROOT / "b_trace_gelu_activations.py"), "--input_text"]
    ended = subprocess.run([*command, b"caf\xe9"], capture_output=True, check=False, cwd=ROOT)
    assert ended.returncode == 2 and ended.stdout == b""
    assert ended.stderr.startswith(b"error: ") and ended.stderr.count(b"\n") == 1


def test_seeds_are_those_that_every_result_can_hold() -> None:
    assert len(WITH_SEED) == 6
    for script in WITH_SEED:
        assert "--seed" in refusal(script, "--seed", 1 << 53)
        assert "--seed" not in refusal(script, "--seed", (1 << 53) - 1)
    others = [name for name in SCRIPTS if '"--seed"' in (ROOT / name).read_text()]
    assert others == []


@pytest.mark.parametrize(
    ("script", "argument", "most"),
    [
        ("predict_activations.py", "--width", 1 << 14),
        ("predict_activations.py", "--history", 1 << 20),
        ("predict_activations.py", "--epochs", 10_000),
        ("predict_next_token.py", "--epochs", 10_000),
        ("predict_next_token.py", "--max_classes", LARGEST_WHOLE),
        ("extract_patterns.py", "--null_draws", 10_000),
        ("extract_patterns.py", "--max_patterns", 10_000),
        ("generate_activation_dataset.py", "--batch_size", LARGEST_WHOLE),
    ],
)
def test_sizes_have_a_bound(script: str, argument: str, most: int) -> None:
    line = refusal(script, argument, most + 1)
    assert f"argument {argument}: '{most + 1}' is too large; {most} is the most" in line
    assert "is too large" not in refusal(script, argument, most)


@pytest.mark.parametrize("text", ["1e-320", "1e-45", "9e-31", "1.1e30", "1e308"])
def test_temperatures_that_float32_cannot_divide_by_are_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match=f"'{text}' is neither 0"):
        cli.sampling_temperature(text)
    assert f"'{text}'" in refusal("generate_activation_dataset.py", "--temperature", text)
    assert f"'{text}'" in refusal("compare_temperatures.py", "--temperatures", f"0.5,{text},0")


@pytest.mark.parametrize("text", ["0", "-0.0", "1e-30", "0.8", "1e30"])
def test_the_lowest_and_highest_temperatures_draw_a_token(text: str) -> None:
    temperature = cli.sampling_temperature(text)
    logits = torch.tensor([[1000.0, -1000.0, 999.9, -3e38]])
    ids, logprobs = draw_tokens(logits, torch.tensor([0.4], dtype=torch.float64), temperature, 0)
    assert 0 <= int(ids) < 4 and bool(logprobs.isfinite().all())


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of 64 positions, and its dataset."""
    folder = tmp_path_factory.mktemp("refused")
    save_gpt2(folder / "m")
    write_prompts(folder / "prompts.csv", *((letter * 3, 4, 1) for letter in "abcdefghij"))
    given: list[Any] = ["--input_csv", folder / "prompts.csv", "--export_dir", folder / "data"]
    run_script_here(
        "generate_activation_dataset.py", "--model_type", folder / "m", *given, "--device", "cpu"
    )
    return folder


def enough(*_: Any) -> NoReturn:
    raise SystemExit(0)


def test_a_history_longer_than_the_model_reads_is_refused(
    work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(activations_run, "learn", enough)
    given = ["--model_type", work / "m", "--dataset_dir", work / "data", "--output_dir", tmp_path]
    line = refusal("predict_activations.py", *given, "--history", 65)
    assert line == "error: --history 65: the model has read 64 tokens at most\n"
    assert run_here("predict_activations.py", *given, "--history", 64)[0] == 0
    # Where the model is not at hand, the dataset says how far it came.
    shutil.copytree(work / "data", tmp_path / "data")
    given[1:4:2] = ["m", tmp_path / "data"]
    line = refusal("predict_activations.py", *given, "--history", 17)
    assert line == "error: --history 17: the model has read 6 tokens at most\n"
    assert run_here("predict_activations.py", *given, "--history", 16)[0] == 0


def test_a_text_that_no_positions_hold_is_refused_before_it_is_encoded(
    work: Path, tmp_path: Path
) -> None:
    """Of the byte tokenizer the longest token, the end of text, has 13 characters."""
    prompts = write_prompts(tmp_path / "p.csv", ("a", 1, 1), ("ab " * 7_000_000, 1, 1))
    given = ["--model_type", work / "m", "--input_csv", prompts, "--export_dir", tmp_path / "out"]
    start = time.process_time()
    line = refusal("generate_activation_dataset.py", *given)
    assert time.process_time() - start < 5
    assert f"{prompts}, row 2 (line 3): the text has 21,000,000 characters" in line
    assert "the model has 64 positions, which hold 832 at most" in line


def tokenizer_of(work: Path) -> Any:
    return Tokenizer.from_file(str(work / "m" / "tokenizer.json"))


def test_the_longest_texts_that_positions_hold_are_encoded(work: Path) -> None:
    tokenizer = tokenizer_of(work)
    geometry = Geometry(1, 1, 1, 10_000, 257)
    assert len(encode_text(tokenizer, END_OF_TEXT * 10_000, geometry, "here")) == 10_000
    for text, n_tokens in (("é" * 100_001, "200,002"), ("a" * 130_000, "130,000")):
        with pytest.raises(UserError, match=f"the text's {n_tokens} tokens; the model has 10,000"):
            encode_text(tokenizer, text, geometry, "here")
    with pytest.raises(UserError, match=r"130,001 characters.* which hold 130,000 at most"):
        encode_text(tokenizer, "a" * 130_001, geometry, "here")


def test_tokenizers_whose_tokens_hold_any_number_of_characters_set_no_bound(work: Path) -> None:
    text, geometry = "a" + " " * QUICK_TEXT + "a", Geometry(1, 1, 1, 64, 300)
    with pytest.raises(UserError, match="which hold 832 at most"):
        encode_text(tokenizer_of(work), text, geometry, "here")
    tokenizer = tokenizer_of(work)
    tokenizer.normalizer = normalizers.Replace(" ", "")
    assert len(encode_text(tokenizer, text, geometry, "here")) == 2
    tokenizer = tokenizer_of(work)
    tokenizer.add_tokens([AddedToken("a", lstrip=True, normalized=False)])
    assert len(encode_text(tokenizer, text, geometry, "here")) == 2
