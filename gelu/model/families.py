"""The decoders that can be read: for each family where in its `config.json` and model things stand.

    family = FAMILIES["llama"]
    family.activation                       # "mlp.act_fn", within a block of family.blocks

A family is an entry here. Names are those of transformers' configurations and modules; nothing is
imported, so that a model's shape is known without its weights.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any


@dataclass(frozen=True)
class Family:
    """Paths of attributes: of the model's blocks, and within each block of what its MLP is made of.

    blocks: the list of blocks. activation: the module of the activation function, whose output says
    which neurons are active. w_in: the projection that it is applied to, the gate's where there is
    one. w_out: the projection that reads the neurons. reads: the norms between the residual stream
    and w_in, the first that a block has. writes: the norm between w_out and the residual stream,
    None for none. final_norm: before the unembedding. is_gated: the neurons' values are the
    activations times a second projection. rms_norm: norms do not take the mean off. norm_offset:
    what is added to a norm's weight. n_layer, n_embd, d_mlp, n_positions, vocab_size: names in the
    configuration, the first that is there counts. defaults: what a number is where the file leaves
    it out; d_mlp is then four times n_embd where `is_four_times` says so.
    """

    blocks: str
    activation: str
    w_in: str
    w_out: str
    reads: Sequence[str]
    final_norm: str
    writes: str | None = None
    is_gated: bool = False
    rms_norm: bool = False
    norm_offset: float = 0.0
    n_layer: Sequence[str] = ("num_hidden_layers", "n_layer")
    n_embd: Sequence[str] = ("hidden_size", "n_embd")
    d_mlp: Sequence[str] = ("intermediate_size",)
    n_positions: Sequence[str] = ("max_position_embeddings",)
    vocab_size: Sequence[str] = ("vocab_size",)
    defaults: Mapping[str, int] = field(default_factory=dict)
    is_four_times: bool = False


# Llama's layout, which most of today's families have.
_LLAMA = Family(
    blocks="model.layers",
    activation="mlp.act_fn",
    w_in="mlp.gate_proj",
    w_out="mlp.down_proj",
    reads=("post_attention_layernorm",),
    final_norm="model.norm",
    is_gated=True,
    rms_norm=True,
)
# Gemma's norms multiply by 1 + weight; from the second generation on they also follow the MLP.
_GEMMA = replace(_LLAMA, norm_offset=1.0)
_GEMMA2 = replace(_GEMMA, reads=("pre_feedforward_layernorm",), writes="post_feedforward_layernorm")

FAMILIES: dict[str, Family] = {
    "gpt2": Family(
        blocks="transformer.h",
        activation="mlp.act",
        w_in="mlp.c_fc",
        w_out="mlp.c_proj",
        reads=("ln_2",),
        final_norm="transformer.ln_f",
        n_layer=("n_layer", "num_hidden_layers"),
        n_embd=("n_embd", "hidden_size"),
        d_mlp=("n_inner",),
        n_positions=("n_positions", "max_position_embeddings"),
        defaults={"n_layer": 12, "n_embd": 768, "n_positions": 1024, "vocab_size": 50257},
        is_four_times=True,
    ),
    "gpt_neox": Family(
        blocks="gpt_neox.layers",
        activation="mlp.act",
        w_in="mlp.dense_h_to_4h",
        w_out="mlp.dense_4h_to_h",
        reads=("post_attention_layernorm",),
        final_norm="gpt_neox.final_layer_norm",
    ),
    "opt": Family(
        blocks="model.decoder.layers",
        activation="activation_fn",
        w_in="fc1",
        w_out="fc2",
        reads=("final_layer_norm",),
        final_norm="model.decoder.final_layer_norm",
        d_mlp=("ffn_dim",),
    ),
    "gptj": Family(
        blocks="transformer.h",
        activation="mlp.act",
        w_in="mlp.fc_in",
        w_out="mlp.fc_out",
        reads=("ln_1",),
        final_norm="transformer.ln_f",
        n_layer=("n_layer", "num_hidden_layers"),
        n_embd=("n_embd", "hidden_size"),
        d_mlp=("n_inner",),
        n_positions=("n_positions", "max_position_embeddings"),
        is_four_times=True,
    ),
    "bloom": Family(
        blocks="transformer.h",
        activation="mlp.gelu_impl",
        w_in="mlp.dense_h_to_4h",
        w_out="mlp.dense_4h_to_h",
        reads=("post_attention_layernorm",),
        final_norm="transformer.ln_f",
        n_layer=("n_layer", "num_hidden_layers"),
        n_embd=("hidden_size", "n_embed"),
        d_mlp=(),
        n_positions=("seq_length",),  # older files alone; its attention knows no last position
        defaults={"n_positions": 2048},
        is_four_times=True,
    ),
    "falcon": Family(
        blocks="transformer.h",
        activation="mlp.act",
        w_in="mlp.dense_h_to_4h",
        w_out="mlp.dense_4h_to_h",
        reads=("ln_mlp", "post_attention_layernorm", "input_layernorm"),
        final_norm="transformer.ln_f",
        d_mlp=("ffn_hidden_size",),
        defaults={"n_positions": 2048},
        is_four_times=True,
    ),
    "phi": Family(
        blocks="model.layers",
        activation="mlp.activation_fn",
        w_in="mlp.fc1",
        w_out="mlp.fc2",
        reads=("input_layernorm",),
        final_norm="model.final_layernorm",
    ),
    "llama": _LLAMA,
    "mistral": _LLAMA,
    "qwen2": _LLAMA,
    "qwen3": _LLAMA,
    "gemma": _GEMMA,
    "gemma2": _GEMMA2,
    "gemma3_text": _GEMMA2,
}
# OPT-350m's blocks norm what they have added, not what they read.
_OPT_POST_NORM = replace(
    FAMILIES["opt"], reads=("self_attn_layer_norm",), writes="final_layer_norm"
)
KNOWN = (
    "GPT-2, GPT-NeoX (Pythia), OPT, GPT-J, Bloom, Falcon, Phi, Llama, Mistral, Qwen2, Qwen3, "
    "Gemma, Gemma 2 and Gemma 3 (text)"
)
# Numbers of experts, by which a configuration shows that it is a mixture of them.
_EXPERTS = ("num_local_experts", "num_experts", "n_routed_experts", "moe_num_experts")
_ENCODERS = {"albert", "bert", "camembert", "deberta", "deberta-v2", "distilbert", "electra",
             "ernie", "esm", "mpnet", "modernbert", "roberta", "xlm-roberta"}  # fmt: skip
_OTHERS = {"gemma3": "a model of texts and pictures; its text model alone is of type gemma3_text"}


def family_of(config: Mapping[str, Any]) -> Family | None:
    """Return the family that a `config.json` is of, None for one that is not known here."""
    if config.get("is_encoder_decoder") is True or config.get("use_bidirectional_attention"):
        return None
    kind = config.get("model_type")
    if kind == "opt" and config.get("do_layer_norm_before") is False:
        return _OPT_POST_NORM
    return FAMILIES.get(kind) if isinstance(kind, str) else None


def describe_other(config: Mapping[str, Any]) -> str:
    """Return what kind of model a configuration is of that `family_of` does not know."""
    kind = config.get("model_type")
    if not isinstance(kind, str):
        return "a model whose configuration does not say its model_type"
    what = [
        (config.get("is_encoder_decoder") is True, "an encoder-decoder"),
        (config.get("use_bidirectional_attention"), "which looks to both sides, an encoder"),
        (any(_is_number(config.get(name)) for name in _EXPERTS), "a mixture of experts"),
        (kind in _OTHERS, _OTHERS.get(kind)),
        (kind in _ENCODERS, "an encoder"),
    ]
    found = [words for holds, words in what if holds]
    return ", ".join([ascii(kind)[1:-1][:60], *map(str, found[:1])])


def _is_number(value: Any) -> bool:
    """Return whether a number of experts is more than one."""
    return isinstance(value, int) and value > 1
