"""A model that yields NaN or infinity stops a run: layer, row and step are named, the rest kept."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.helpers import run_script_here, save_gpt2, write_prompts

SCRIPT = "generate_activation_dataset.py"
# The second prompt reads position 10 where it writes its token 8.
PROMPTS = (("ab", 4, 1), ("abc", 12, 2))
POSITION, STEP = 10, 8


def nan_in_layer_1(model: Any) -> None:
    model.transformer.h[1].mlp.c_fc.bias[3] = torch.nan


def infinite_from_a_position_on(model: Any) -> None:
    model.transformer.wpe.weight[POSITION] = torch.inf


def logits_of(value: float) -> Callable[[Any], None]:
    def change(model: Any) -> None:
        model.config.tie_word_embeddings = False
        model.lm_head.weight = torch.nn.Parameter(model.lm_head.weight.clone())
        # The final layer norm's output sums to its bias' sum, here far above 0.
        model.transformer.ln_f.bias[:] = 1
        model.transformer.ln_f.weight[:] = 0
        model.lm_head.weight[5] = value

    return change


def run(tmp_path: Path, change: Callable[[Any], None], *more: object) -> Any:
    model = save_gpt2(tmp_path / "model")
    with torch.no_grad():
        change(model)
    model.save_pretrained(tmp_path / "model")
    csv = write_prompts(tmp_path / "prompts.csv", *PROMPTS)
    arguments = ["--model_type", tmp_path / "model", "--input_csv", csv]
    arguments += ["--export_dir", tmp_path / "out", "--batch_size", 1, *more]
    result = run_script_here(SCRIPT, *arguments, check=False)
    assert result.returncode == 2
    assert "Traceback" not in result.stderr
    return result.stderr.splitlines()[-1]


def test_nan_names_the_layer_the_row_and_the_step(tmp_path: Path) -> None:
    said = run(tmp_path, nan_in_layer_1)
    assert (
        "prompts.csv, row 1, completion 0, token 0: layer 1 of the model model yields NaN" in said
    )
    assert "0 of 3 batches are done and kept" in said


def test_what_was_done_before_is_kept(tmp_path: Path) -> None:
    said = run(tmp_path, infinite_from_a_position_on)
    assert f"row 2, completion 0, token {STEP}: layer 0" in said
    assert "1 of 3 batches are done and kept" in said
    assert [p.name for p in tmp_path.glob("out/.shards/*.shard")] == ["batch_00000000.shard"]
    assert [p.name for p in (tmp_path / "out").iterdir()] == [".shards"]


@pytest.mark.parametrize("value", [torch.nan, 1e38, -1e38])
@pytest.mark.parametrize("temperature", [0, 0.8])
def test_logits_that_are_not_finite_are_said(
    value: float, temperature: float, tmp_path: Path
) -> None:
    said = run(tmp_path, logits_of(value), "--temperature", temperature)
    assert "row 1, completion 0, token 0: the logits of the model model yields NaN or inf" in said
