"""Small GPT-2s saved to folders, and scripts run as a person runs them."""

import importlib
import io
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import AutoTokenizer, GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

from gelu import cli
from gelu.artifacts import Artifacts
from gelu.packed import PackedActivations

ROOT = Path(__file__).resolve().parent.parent
END_OF_TEXT = "<|endoftext|>"


def run_script(script: str, *arguments: object, check: bool = True) -> Any:
    """Run a script of the repository; with `check`, fail where it fails."""
    result = subprocess.run(
        [sys.executable, str(ROOT / script), *map(str, arguments)],
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
        cwd=ROOT,
    )
    if check:
        assert result.returncode == 0, result.stderr
    return result


@contextmanager
def kept_signals() -> Iterator[None]:
    """Give this process its handlers of signals back, which `cli.run_script` sets."""
    before = {number: signal.getsignal(number) for number in cli.STOPPING}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def run_here(script: str, *arguments: object) -> tuple[int, str, str]:
    """Run a script in this process, which is fast; return its exit code, stdout and stderr.

    Any exception that is no `SystemExit` is the script's traceback, and raised.
    """
    module = importlib.import_module(script.removesuffix(".py"))
    out, err = io.StringIO(), io.StringIO()
    with (
        kept_signals(),
        pytest.MonkeyPatch.context() as patch,
        redirect_stdout(out),
        redirect_stderr(err),
        pytest.raises(SystemExit) as ended,
    ):
        patch.setattr(sys, "argv", [script, *map(str, arguments)])
        cli.run_script(module.main)
    code = ended.value.code
    assert isinstance(code, int)
    return code, out.getvalue(), err.getvalue()


def run_script_here(script: str, *arguments: object, check: bool = True) -> Any:
    """Run a script in this process; else as `run_script`."""
    result = subprocess.CompletedProcess(script, *run_here(script, *arguments))
    if check:
        assert result.returncode == 0, result.stderr
    return result


def user_error(script: str, *arguments: object, run: Any = run_script_here) -> str:
    """Run a script that must refuse: exit code 2, one line on stderr, which is returned."""
    result = run(script, *arguments, check=False)
    assert result.returncode == 2, (result.returncode, result.stdout, result.stderr)
    lines = result.stderr.splitlines()
    assert len(lines) == 1 and lines[0].startswith("error: "), result.stderr
    return lines[0]


def byte_tokenizer() -> PreTrainedTokenizerFast:
    """Return a byte-level tokenizer without merges: a token a byte, and the end of text."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {symbol: index for index, symbol in enumerate(alphabet)}
    vocabulary[END_OF_TEXT] = len(vocabulary)
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token=END_OF_TEXT, eos_token=END_OF_TEXT
    )


def save_gpt2(folder: Path, seed: int = 0, **config: Any) -> GPT2LMHeadModel:
    """Save a small random GPT-2 with the byte tokenizer to `folder`; return it.

    Weights are larger than GPT-2's initialisation, so that different tokens are likely.
    """
    tokenizer = byte_tokenizer()
    settings: dict[str, Any] = {
        "vocab_size": len(tokenizer),
        "n_positions": 64,
        "n_embd": 16,
        "n_layer": 3,
        "n_head": 2,
        "initializer_range": 0.3,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
    }
    torch.manual_seed(seed)
    model = GPT2LMHeadModel(GPT2Config(**(settings | config))).eval()
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return model


def reference_model(model_type: Path | str) -> Any:
    """Return transformers' own model of a folder, or of the shipped one: none of ours."""
    return GPT2LMHeadModel.from_pretrained(_folder(model_type), dtype=torch.float32).eval()


def reference_tokenizer(model_type: Path | str) -> Any:
    """Return transformers' own tokenizer of a folder, or of the shipped one."""
    return AutoTokenizer.from_pretrained(_folder(model_type))


def _folder(model_type: Path | str) -> Path:
    shipped = ROOT / "models" / "gpt2-demo"
    return shipped if str(model_type) == "gpt2-demo" else Path(model_type)


def write_activations(
    files: Artifacts, ids: Sequence[int], activations: PackedActivations, formats: Sequence[str]
) -> None:
    """Write these samples' active neurons as `pickle`, `json` or `npz`, block by block."""
    writers = {
        "pickle": files.pickle_writer,
        "json": lambda: files.json_writer(activations.n_neurons),
        "npz": lambda: files.matrix_writer(activations.n_neurons, ids),
    }
    for name in formats:
        with writers[name]() as add:
            for start, block in activations.blocks():
                add(ids[start : start + len(block)], block)


def write_prompts(path: Path, *rows: tuple[str, int, int]) -> Path:
    """Write a prompts CSV, every prompt quoted."""
    lines = [f'"{text.replace(chr(34), chr(34) * 2)}",{new},{n}\n' for text, new, n in rows]
    path.write_bytes(
        "".join(["prompts,number_of_new_tokens,num_samples\n", *lines]).encode("utf-8")
    )
    return path


def plain_preactivations(model: Any, ids: torch.Tensor) -> torch.Tensor:
    """Return `mlp.c_fc`'s output of all layers side by side, (batch, positions, n_neurons).

    One forward over whole sequences: no cache, no padding, none of the project's code.
    """
    outputs: list[torch.Tensor] = []
    handles = [
        block.mlp.c_fc.register_forward_hook(lambda module, inputs, output: outputs.append(output))
        for block in model.transformer.h
    ]
    with torch.no_grad():
        model(input_ids=ids, use_cache=False)
    for handle in handles:
        handle.remove()
    return torch.cat(outputs, dim=-1)


def own_gelu(x: torch.Tensor) -> torch.Tensor:
    """GELU in the tanh form of Hendrycks and Gimpel 2016, in float64."""
    x = x.double()
    inner = (2 / torch.pi) ** 0.5 * (x + 0.044715 * x**3)
    return (0.5 * x * (1 + torch.tanh(inner))).float()


class CountedBars:
    """Notes each bar's total and how far it came, and that it never ran past its end."""

    def __init__(self) -> None:
        self.bars: list[tuple[str, int, int]] = []

    @contextmanager
    def __call__(
        self, description: str, total: int, unit: str
    ) -> Iterator[Callable[[int], object]]:
        """Give a function that counts."""
        done = 0

        def count(n: int) -> None:
            nonlocal done
            done += n
            assert n >= 0 and done <= total, description

        yield count
        self.bars.append((description, total, done))
