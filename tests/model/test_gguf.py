"""Files of llama.cpp. The packages that read them are an extra; `make real` reads a real one."""

import errno
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from gelu.errors import UserError
from gelu.model import gguf
from gelu.model.config import read_geometry
from gelu.model.loading import load_model, weights_hash
from gelu.model.source import find_model
from gelu.model.tokenizer import load_tokenizer, token_ids_of
from tests.families import POSITIONS, VOCABULARY, save_family
from tests.helpers import run_script_here, user_error, write_prompts

needs_reader = pytest.mark.skipif(
    any(find_spec(name) is None for name in gguf.PACKAGES), reason="needs gguf and accelerate"
)
TRACE = ("b_trace_gelu_activations.py", "--input_text", "I think")


@pytest.fixture(autouse=True)
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GELU_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_missing_packages_are_named_with_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "some.gguf").write_bytes(b"GGUF")
    monkeypatch.setattr(gguf, "find_spec", lambda name: None)
    line = user_error(*TRACE, "--model_type", tmp_path / "some.gguf", "--output_dir", tmp_path)
    assert line.endswith(
        "some.gguf: reading GGUF needs the packages gguf and accelerate; "
        "pip install gguf accelerate"
    )


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    line = user_error(*TRACE, "--model_type", tmp_path / "none.gguf", "--output_dir", tmp_path)
    assert "no such file" in line


def test_a_folder_called_gguf_is_a_folder(tmp_path: Path) -> None:
    save_family(tmp_path / "model.gguf", "llama")
    assert find_model(str(tmp_path / "model.gguf")).folder == (tmp_path / "model.gguf").resolve()


def test_the_name_is_the_files(tmp_path: Path) -> None:
    path = tmp_path / "Some Model.Q4_1.gguf"
    path.write_bytes(b"GGUF")
    source = find_model(str(path))
    assert (source.name, source.gguf, source.files()) == ("Some_Model.Q4_1", path, [path])
    assert source.is_placed()


def write_gguf(
    path: Path, folder: Path, without: str = "", more: Callable[[Any], object] = lambda it: None
) -> None:
    """Write a small Llama of a folder as llama.cpp would: unquantised, its own tokenizer.

    without: leaves out tensors of such names. more: called with the writer.
    """
    from gguf import GGUFWriter
    from safetensors.torch import load_file
    from tokenizers import Tokenizer

    geometry = read_geometry(find_model(str(folder)))
    writer = GGUFWriter(path, "llama")
    writer.add_block_count(geometry.n_layer)
    writer.add_context_length(POSITIONS)
    writer.add_embedding_length(geometry.n_embd)
    writer.add_feed_forward_length(geometry.d_mlp)
    writer.add_head_count(4)
    writer.add_head_count_kv(2)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_rope_freq_base(10000.0)
    writer.add_vocab_size(VOCABULARY)
    vocabulary = Tokenizer.from_file(str(folder / "tokenizer.json")).get_vocab()
    tokens = sorted(vocabulary, key=lambda token: vocabulary[token])
    writer.add_tokenizer_model("gpt2")
    others = ["!!", *(f"<{n}>" for n in range(VOCABULARY - len(tokens) - 1))]
    writer.add_token_list([*tokens, *others])
    writer.add_token_merges(["! !"])
    names = {"model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output"}
    parts = {"self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k",
             "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output",
             "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down",
             "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm"}  # fmt: skip
    for name, tensor in load_file(folder / "model.safetensors").items():
        module = name.removesuffix(".weight")
        layer, _, part = module.removeprefix("model.layers.").partition(".")
        to = names.get(module) or f"blk.{layer}.{parts[part]}"
        values = tensor.numpy()
        if heads := {"attn_q": 4, "attn_k": 2}.get(to.rpartition(".")[2]):
            # llama.cpp keeps the two halves that a head rotates side by side.
            halves = values.reshape(heads, 2, -1, values.shape[1])
            values = halves.swapaxes(1, 2).reshape(values.shape)
        if without and without in to:
            continue
        writer.add_tensor(f"{to}.weight", np.ascontiguousarray(values))
    more(writer)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


@needs_reader
def test_a_file_is_the_model_that_was_written_to_it(
    tmp_path: Path, kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = save_family(tmp_path / "llama", "llama", 0, layers=2, heads=4, head_size=8, d_mlp=32)
    write_gguf(tmp_path / "tiny.gguf", tmp_path / "llama")
    source = find_model(str(tmp_path / "tiny.gguf"))
    model, ids = load_model(source, "cpu"), torch.tensor([[40, 41, 42, 43]])
    with torch.no_grad():
        torch.testing.assert_close(model(ids), theirs(ids).logits[:, -1], atol=1e-4, rtol=1e-4)
    assert token_ids_of(load_tokenizer(source), "I think")
    assert weights_hash(source) == gguf.file_digest(tmp_path / "tiny.gguf")
    # What is kept is used again: nothing converts it a second time.
    monkeypatch.setattr(gguf, "_convert", None)
    assert read_geometry(source) == model.geometry
    assert [path.is_dir() for path in (kept / "gguf").iterdir()] == [True]


@needs_reader
@pytest.mark.parametrize("content", [b"", b"GGUF", b"no such thing" * 50, b"GGUF" + bytes(200)])
def test_a_damaged_file_is_one_line_and_leaves_nothing(
    content: bytes, tmp_path: Path, kept: Path
) -> None:
    (tmp_path / "bad.gguf").write_bytes(content)
    with pytest.raises(UserError, match=r"bad\.gguf: its header cannot be read"):
        load_model(find_model(str(tmp_path / "bad.gguf")), "cpu")
    assert list((kept / "gguf").iterdir()) == []


@needs_reader
def test_a_dataset_knows_the_file_that_it_was_made_with(tmp_path: Path) -> None:
    save_family(tmp_path / "llama", "llama", 0, d_mlp=32)
    write_gguf(tmp_path / "tiny.gguf", tmp_path / "llama")
    prompts = write_prompts(tmp_path / "p.csv", *((f"text {n}", 4, 1) for n in range(30)))
    run_script_here(
        *("generate_activation_dataset.py", "--model_type", tmp_path / "tiny.gguf"),
        *("--input_csv", prompts, "--export_dir", tmp_path / "dataset", "--formats", "csv,npz"),
    )
    read = (
        *("predict_next_token.py", "--dataset_dir", tmp_path / "dataset"),
        *("--output_dir", tmp_path, "--epochs", 1, "--min_token_count", 3, "--model_type"),
    )
    run_script_here(*read, tmp_path / "tiny.gguf")
    (tmp_path / "tiny.gguf").write_bytes((tmp_path / "tiny.gguf").read_bytes() + b" ")
    assert "the SHA-256 of its weights is" in user_error(*read, tmp_path / "tiny.gguf")


@needs_reader
@pytest.mark.parametrize(
    ("without", "more", "message"),
    [
        ("blk.1.ffn", lambda it: None, "its weights cannot be read .*lacks or misshapes 4 tensors"),
        ("", lambda it: it.add_expert_count(8), "mixture of 8 experts"),
        ("", lambda it: it.add_uint16("split.count", 2), "one of 2 parts"),
        ("", lambda it: it.add_rope_scaling_type(_linear()), "scales its rotary positions"),
        (
            "",
            lambda it: it.add_tensor("rope_freqs.weight", np.ones(4, np.float32)),
            "scales its rotary positions",
        ),
    ],
)
def test_what_the_reader_would_leave_out_is_refused(
    without: str, more: Callable[[Any], object], message: str, tmp_path: Path, kept: Path
) -> None:
    save_family(tmp_path / "llama", "llama", 0, d_mlp=32)
    write_gguf(tmp_path / "odd.gguf", tmp_path / "llama", without, more)
    with pytest.raises(UserError, match=message):
        load_model(find_model(str(tmp_path / "odd.gguf")), "cpu")
    assert list((kept / "gguf").iterdir()) == []


def _linear() -> Any:
    from gguf import RopeScalingType

    return RopeScalingType.LINEAR


@needs_reader
def test_what_is_kept_and_damaged_says_how_to_be_rid_of_it(tmp_path: Path, kept: Path) -> None:
    save_family(tmp_path / "llama", "llama", 0, d_mlp=32)
    write_gguf(tmp_path / "tiny.GGUF", tmp_path / "llama")
    source = find_model(str(tmp_path / "tiny.GGUF"))
    load_model(source, "cpu")
    (folder,) = (kept / "gguf").iterdir()
    (folder / "model.safetensors").write_bytes(b"short")
    with pytest.raises(UserError, match=f"remove {folder} to have it converted anew"):
        load_model(source, "cpu")


@needs_reader
def test_a_conversion_that_finds_no_room_is_one_line(
    tmp_path: Path, kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, folder: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    save_family(tmp_path / "llama", "llama", 0, d_mlp=32)
    write_gguf(tmp_path / "tiny.gguf", tmp_path / "llama")
    monkeypatch.setattr(gguf, "_convert", full)
    with pytest.raises(UserError, match=r"cannot keep the converted model there .*No space"):
        load_model(find_model(str(tmp_path / "tiny.gguf")), "cpu")
    assert list((kept / "gguf").iterdir()) == []
