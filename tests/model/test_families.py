"""Every family writes and records, batched, what transformers' plain forward gives of a text."""

import json
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from gelu.errors import UserError
from gelu.generation.decoding import NotFiniteError, Row, SamplingSettings, generate
from gelu.generation.prompts import Prompt
from gelu.generation.sampling import draw_tokens, token_uniforms
from gelu.model.chat import load_chat_template
from gelu.model.config import geometry_from_config
from gelu.model.families import FAMILIES
from gelu.model.hooks import GeluRecorder
from gelu.model.loading import load_model
from gelu.model.source import ModelSource
from gelu.model.tokenizer import load_tokenizer
from tests.families import VARIANTS, save_family, shapes

CASES = [(kind, variant) for kind, them in VARIANTS.items() for variant in range(len(them))]
# The projection that the activation function is applied to, by its name in transformers: known here
# independently of the table that is tested.
READS = {"gpt_neox": "dense_h_to_4h", "opt": "fc1", "gptj": "fc_in", "bloom": "dense_h_to_4h",
         "falcon": "dense_h_to_4h", "phi": "fc1"}  # fmt: skip
SETTINGS = SamplingSettings(seed=3, temperature=0.9, top_k=0)
NEAR_ZERO = 1e-4


def load(folder: Path) -> Any:
    return load_model(ModelSource("model", folder, None), "cpu")


def preactivations(model: Any, kind: str, ids: list[int]) -> tuple[torch.Tensor, torch.Tensor]:
    """Return (tokens, n_neurons) inputs of the activation function and (tokens, vocabulary) logits,
    by transformers' forward over one text alone."""
    name, found = READS.get(kind, "gate_proj"), []
    modules = [module for path, module in model.named_modules() if path.endswith(f".{name}")]
    handles = [
        module.register_forward_hook(lambda m, i, out: found.append(out.reshape(len(ids), -1)))
        for module in modules
    ]
    with torch.no_grad():
        logits = model(torch.tensor([ids])).logits[0]
    for handle in handles:
        handle.remove()
    return torch.cat(found, dim=1), logits


def written(model: Any, rows: list[Row], batch_size: int) -> list[list[Any]]:
    """Return each row's records, in order, written in batches of this size."""
    records: list[list[Any]] = [[] for _ in rows]
    for first in range(0, len(rows), batch_size):
        for step in generate(model, rows[first : first + batch_size], SETTINGS):
            for row, record in zip(step.rows, step.records, strict=True):
                records[first + row].append(record)
    return records


def check_row(theirs: Any, kind: str, row: Row, records: list[Any]) -> None:
    tokens = [int(record["id"]) for record in records]
    ids = [*row.prompt.token_ids, *tokens]
    before, logits = preactivations(theirs, kind, ids)
    places = range(len(row.prompt.token_ids) - 1, len(ids) - 1)
    uniforms = token_uniforms(SETTINGS.seed, row.prompt.text, row.stream, len(tokens))
    drawn, logprobs = draw_tokens(logits[places], torch.from_numpy(uniforms), 0.9, 0)
    assert drawn.tolist() == tokens
    given = [record["logprob"] for record in records]
    np.testing.assert_allclose(given, logprobs, atol=1e-4)
    clear = before[places].abs() > NEAR_ZERO
    bits = np.unpackbits(np.stack([record["bits"] for record in records]), axis=1)
    active = torch.from_numpy(bits[:, : before.shape[1]]).bool()
    assert torch.equal(active[clear], (before[places] > 0)[clear])


@pytest.mark.parametrize(("kind", "variant"), CASES)
@settings(max_examples=2, deadline=None)
@given(shape=shapes, lengths=st.lists(st.integers(1, 9), min_size=4, max_size=4))
def test_batches_write_and_record_what_transformers_computes_for_each_text(
    kind: str, variant: int, shape: dict[str, Any], lengths: list[int]
) -> None:
    with TemporaryDirectory() as name:
        theirs = save_family(Path(name), kind, variant, **shape)
        ours = load(Path(name))
    prompts = [
        Prompt(str(n), tuple(range(30 + 7 * i, 30 + 7 * i + n)), 3 + i, 1)
        for i, n in enumerate(lengths)
    ]
    rows = [Row(prompt, stream) for prompt in prompts for stream in range(2)]
    with torch.no_grad():
        for prompt in prompts:
            ids = torch.tensor([prompt.token_ids])
            chances = ours(ids).softmax(dim=-1), theirs(ids).logits[:, -1].softmax(dim=-1)
            torch.testing.assert_close(*chances, atol=1e-4, rtol=0)
    batches = {size: written(ours, rows, size) for size in (64, 4, 1)}
    for row, *found in zip(rows, *batches.values(), strict=True):
        for records in found:
            check_row(theirs, kind, row, records)


@pytest.mark.parametrize("kind", [kind for kind in FAMILIES if kind != "gpt2"])
def test_values_are_what_the_projection_behind_reads(kind: str, tmp_path: Path) -> None:
    theirs, ids = save_family(tmp_path, kind), torch.tensor([[40, 41, 42], [50, 51, 52]])
    ours = load(tmp_path)
    with torch.no_grad(), GeluRecorder(ours, keep="value") as recorder:
        ours(ids)
    with torch.no_grad(), GeluRecorder(theirs, keep="active") as plain:
        theirs(input_ids=ids)
    values, active = recorder.take(), plain.take()
    weights = [ours.mlp_weights(layer) for layer in range(ours.geometry.n_layer)]
    assert values.shape == active.shape == (2, 3, ours.geometry.n_neurons)
    if not ours.family.is_gated:
        assert torch.equal(values > 0, active)
    else:
        assert not torch.equal(values > 0, active)
    # The last projection of transformers' model, fed with the values, gives what its MLP adds.
    assert [it.w_out.shape for it in weights] == [(ours.geometry.d_mlp, ours.geometry.n_embd)] * 2


@pytest.mark.parametrize("kind", ["llama", "gpt_neox", "gemma2"])
def test_what_is_no_number_is_found_with_its_layer(kind: str, tmp_path: Path) -> None:
    save_family(tmp_path, kind, layers=3)
    ours = load(tmp_path)
    ours.mlp_weights(1).w_in[0, 0] = torch.inf  # a view of the weights
    rows = [Row(Prompt("a", (40, 41), 3, 1), 0)]
    with pytest.raises(NotFiniteError) as found:
        list(generate(ours, rows, SETTINGS))
    assert (found.value.row, found.value.step, found.value.where) == (0, 0, "layer 1")


@pytest.mark.parametrize("kind", ["llama", "opt", "falcon"])
def test_bfloat16_runs_and_changes_little(kind: str, tmp_path: Path) -> None:
    save_family(tmp_path, kind)
    source, rows = ModelSource("m", tmp_path, None), [Row(Prompt("a", (40, 41), 6, 1), 0)]
    found = []
    for dtype in ("float32", "bfloat16"):
        model = load_model(source, "cpu", dtype)
        assert model.dtype == getattr(torch, dtype)
        found.append(written(model, rows, 1)[0][0]["bits"])
    differing = np.unpackbits(found[0] ^ found[1]).sum()
    assert differing <= 0.1 * 2 * 21


def test_every_family_has_models_to_test() -> None:
    assert set(VARIANTS) | {"gpt2"} == set(FAMILIES)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("kind", ["llama", "gpt_neox", "opt"])
def test_half_precision_checkpoints_are_read_as_float32(
    kind: str, dtype: str, tmp_path: Path
) -> None:
    theirs, ids = save_family(tmp_path, kind, dtype=dtype), torch.tensor([[40, 41, 42]])
    ours = load(tmp_path)
    assert ours.dtype == torch.float32
    with torch.no_grad():
        torch.testing.assert_close(ours(ids), theirs(ids).logits[:, -1], atol=1e-5, rtol=1e-4)


CONFIGS: dict[str, dict[str, Any]] = {
    "a mixture of experts": {"model_type": "mixtral", "num_local_experts": 8},
    "an encoder-decoder": {"model_type": "t5", "is_encoder_decoder": True},
    "an encoder": {"model_type": "bert"},
    "pictures": {"model_type": "gemma3", "text_config": {}},
    "looks to both sides": {"model_type": "gemma3_text", "use_bidirectional_attention": True},
    "mamba": {"model_type": "mamba"},
    "does not say": {},
}


@pytest.mark.parametrize("what", CONFIGS)
def test_other_models_are_named_with_the_families_that_work(what: str) -> None:
    with pytest.raises(UserError, match=rf"config\.json: this is .*{what}.*; .*Llama, Mistral"):
        geometry_from_config(CONFIGS[what])


def test_quantised_weights_are_refused(tmp_path: Path) -> None:
    save_family(tmp_path, "llama")
    config = json.loads((tmp_path / "config.json").read_text())
    config["quantization_config"] = {"quant_method": "gptq"}
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(UserError, match="quantised weights"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"intermediate_size": 22}, r"lack or misshape \d+ tensors .* model\.layers"),
        ({"num_hidden_layers": 1000}, "the weights have no layer 999"),
        ({"vocab_size": 1 << 24}, r"lack or misshape \d+ tensors .* (lm_head|model\.embed)"),
        ({"num_hidden_layers": "2"}, "num_hidden_layers is '2'"),
        ({"hidden_act": "no such"}, "cannot be loaded"),
        ({"rope_scaling": {"rope_type": "longrope"}}, "rope_type longrope: the longest text"),
        ({"sliding_window": 0}, "sliding_window is 0"),
        ({"num_attention_heads": 3}, "cannot be loaded"),
    ],
)
def test_weights_that_do_not_fit_are_one_line(
    change: dict[str, Any], message: str, tmp_path: Path
) -> None:
    save_family(tmp_path, "llama")
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | change))
    with pytest.raises(UserError, match=message):
        load(tmp_path)


def test_weights_drawn_at_random_stand_in_for_none(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    save_family(tmp_path, "llama", 2)
    tensors = load_file(tmp_path / "model.safetensors")
    del tensors["model.layers.1.mlp.up_proj.weight"]
    # As many numbers as before, so that nothing but the name tells.
    tensors["spare"] = torch.zeros(100_000)
    save_file(tensors, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(UserError, match=r"first is model\.layers\.1\.mlp\.up_proj\.weight"):
        load(tmp_path)


@pytest.mark.parametrize("kind", ["llama", "opt"])
def test_code_beside_a_model_of_any_family_is_never_run(kind: str, tmp_path: Path) -> None:
    folder = tmp_path / "m"
    save_family(folder, kind)
    Tokenizer.from_file(str(folder / "tokenizer.json")).model.save(str(folder))
    (folder / "tokenizer.json").unlink()
    mark = tmp_path / "it ran"
    for name in ("modeling", "tokenization", "configuration"):
        (folder / f"{name}.py").write_text(f"open({str(mark)!r}, 'w')\nclass It: pass\n")
    maps = {
        "config.json": {
            "AutoConfig": "configuration.It",
            "AutoModelForCausalLM": "modeling.It",
            "AutoTokenizer": ["tokenization.It", None],
        },
        "tokenizer_config.json": {"AutoTokenizer": ["tokenization.It", "tokenization.It"]},
    }
    for name, auto_map in maps.items():
        content = json.loads((folder / name).read_text())
        (folder / name).write_text(json.dumps(content | {"auto_map": auto_map}))
    source = ModelSource("m", folder, None)
    assert load_model(source, "cpu").geometry.n_layer == 2
    with suppress(UserError):
        load_tokenizer(source)
    with pytest.raises(UserError):
        load_chat_template(source)
    assert not mark.exists()


@pytest.mark.parametrize("kind", ["llama", "gpt_neox"])
def test_whole_numbers_are_no_weights(kind: str, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    save_family(tmp_path, kind)
    tensors = load_file(tmp_path / "model.safetensors")
    name = next(name for name in tensors if "mlp" in name)
    tensors[name] = tensors[name].to(torch.int8)
    save_file(tensors, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(UserError, match=rf"lack or misshape 1 tensors .* {name}"):
        load(tmp_path)


def test_settings_that_change_no_result_are_not_taken_from_a_configuration(tmp_path: Path) -> None:
    theirs, ids = save_family(tmp_path, "llama"), torch.tensor([[40, 41, 42]])
    config = json.loads((tmp_path / "config.json").read_text())
    config |= {"return_dict": False, "output_attentions": True, "quantization_config": None}
    config |= {"attn_implementation": "flash_attention_2", "is_encoder_decoder": "no"}
    (tmp_path / "config.json").write_text(json.dumps(config))
    with torch.no_grad():
        torch.testing.assert_close(load(tmp_path)(ids), theirs(ids).logits[:, -1])


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        ("qwen2", {"layer_types": ["linear_attention", "full_attention"]}),
        ("qwen2", {"layer_types": ["sliding_attention"] * 2, "sliding_window": None}),
    ],
)
def test_what_fails_in_the_first_forward_pass_is_one_line(
    kind: str, change: dict[str, Any], tmp_path: Path
) -> None:
    save_family(tmp_path, kind)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | change))
    with pytest.raises(UserError, match="cannot be loaded"):
        load(tmp_path)
