"""Small random models of every family, in the shapes that its configurations can have."""

from pathlib import Path
from typing import Any

import torch
from hypothesis import strategies as st
from transformers import AutoConfig, AutoModelForCausalLM

from tests.helpers import byte_tokenizer

VOCABULARY = 300
POSITIONS = 48
# What of a family's configuration is drawn besides its widths; the first is the plainest.
VARIANTS: dict[str, list[dict[str, Any]]] = {
    "gpt_neox": [
        {"rotary_pct": 0.25},
        {"rotary_pct": 1.0, "use_parallel_residual": False},
        {"attention_bias": False, "hidden_act": "gelu_new", "tie_word_embeddings": True},
    ],
    "opt": [
        {},
        {"do_layer_norm_before": False, "word_embed_proj_dim": 8},
        {"word_embed_proj_dim": 8, "enable_bias": False, "activation_function": "gelu"},
        {"layer_norm_elementwise_affine": False, "tie_word_embeddings": False},
    ],
    "gptj": [{"rotary_dim": 4}, {"rotary_dim": 2, "tie_word_embeddings": True}],
    "bloom": [
        {},
        {"apply_residual_connection_post_layernorm": True},
        {"tie_word_embeddings": False},
    ],
    "falcon": [
        {},
        {"parallel_attn": False, "bias": True, "multi_query": False},
        {"alibi": True, "parallel_attn": False},
        {"new_decoder_architecture": True, "num_kv_heads": 2},
        {"new_decoder_architecture": True, "num_kv_heads": 1, "num_ln_in_parallel_attn": 1},
    ],
    "phi": [{"partial_rotary_factor": 0.5}, {"qk_layernorm": True}],
    "llama": [
        {"num_key_value_heads": 2},
        {"num_key_value_heads": 1, "attention_bias": True, "mlp_bias": True, "head_dim": 6},
        {"tie_word_embeddings": True, "hidden_act": "gelu"},
    ],
    "mistral": [{"sliding_window": 5, "num_key_value_heads": 2}, {"sliding_window": None}],
    "qwen2": [
        {"num_key_value_heads": 2},
        {"use_sliding_window": True, "sliding_window": 4, "max_window_layers": 1},
    ],
    "qwen3": [{"num_key_value_heads": 2, "head_dim": 6}, {"tie_word_embeddings": True}],
    "gemma": [{"num_key_value_heads": 1, "head_dim": 6}],
    "gemma2": [
        {"head_dim": 6, "sliding_window": 4, "num_key_value_heads": 2, "query_pre_attn_scalar": 9},
        {"attn_logit_softcapping": 0.5, "final_logit_softcapping": 1.0, "head_dim": 4},
        {"attn_logit_softcapping": None, "final_logit_softcapping": None, "head_dim": 4},
    ],
    "gemma3_text": [
        {"head_dim": 6, "sliding_window": 4, "num_key_value_heads": 2, "sliding_window_pattern": 2},
        {"head_dim": 4, "final_logit_softcapping": 1.0},
    ],
}
WIDTHS = {"opt": "ffn_dim", "gptj": "n_inner", "falcon": "ffn_hidden_size", "bloom": None}
GROUPED = {"llama", "mistral", "qwen2", "qwen3", "gemma", "gemma2", "gemma3_text"}
shapes = st.fixed_dictionaries(
    {
        "layers": st.integers(1, 3),
        "heads": st.sampled_from([2, 4]),
        "head_size": st.sampled_from([4, 8]),
        "d_mlp": st.sampled_from([16, 21, 33]),
        "seed": st.integers(0, 99),
    }
)


def save_family(
    folder: Path, kind: str, variant: int = 0, dtype: str = "float32", **shape: int
) -> Any:
    """Save a random model with a byte tokenizer; return transformers' own, as it is loaded plainly.

    variant: of `VARIANTS`; shape: as `shapes` draws it.
    """
    drawn = {"layers": 2, "heads": 4, "head_size": 8, "d_mlp": 21, "seed": 0, **shape}
    width = WIDTHS.get(kind, "intermediate_size")
    settings = {
        "vocab_size": VOCABULARY,
        "hidden_size": drawn["heads"] * drawn["head_size"],
        "num_hidden_layers": drawn["layers"],
        "num_attention_heads": drawn["heads"],
        "max_position_embeddings": POSITIONS,
        **({} if width is None else {width: drawn["d_mlp"]}),
        **({"word_embed_proj_dim": drawn["heads"] * drawn["head_size"]} if kind == "opt" else {}),
        # Grouped heads are drawn by a variant; some configurations would have 8 or 32 of them.
        **({"num_key_value_heads": drawn["heads"]} if kind in GROUPED else {}),
        "bos_token_id": 0,
        "eos_token_id": 0,
        "pad_token_id": None,
        **VARIANTS[kind][variant],
    }
    config = AutoConfig.for_model(kind, **settings)
    torch.manual_seed(drawn["seed"])
    model = AutoModelForCausalLM.from_config(config)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            # Weights as drawn for training leave every norm at 1 and every bias at 0.
            if parameter.dim() == 1:
                parameter.add_(0.3 * torch.randn_like(parameter))
            elif "embed" not in name:
                parameter.mul_(8)
    model.to(getattr(torch, dtype)).save_pretrained(folder)
    byte_tokenizer().save_pretrained(folder)
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
