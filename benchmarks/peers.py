"""TransformerLens and nnsight writing tokens while keeping the active neurons, as documented."""

from pathlib import Path
from typing import Any, Protocol

from benchmarks.workload import TEMPERATURE, Workload, load_theirs

DEMO = Path(__file__).resolve().parent.parent / "models" / "gpt2-demo"


class Peer(Protocol):
    """Writes `n_new` tokens after each row of ids, (rows, tokens), all rows of one length."""

    def write(self, ids: Any, n_new: int) -> None:
        """Write and keep the active neurons of each token."""


class TransformerLens:
    """TransformerLens: a bridge around the Hugging Face model, a hook on each `mlp.hook_post`."""

    def __init__(self, folder: str) -> None:
        from transformer_lens.model_bridge import TransformerBridge

        self._model = TransformerBridge.boot_transformers(
            folder, hf_model=load_theirs(folder), tokenizer=tokenizer()
        )
        self._n_layer = self._model.cfg.n_layers

    def write(self, ids: Any, n_new: int) -> None:
        """Write and keep the active neurons of each token."""
        import torch

        active: list[Any] = []

        def keep(values: Any, hook: Any) -> None:
            active.append(values[:, -1] > 0)

        hooks = [(f"blocks.{layer}.mlp.hook_post", keep) for layer in range(self._n_layer)]
        with torch.inference_mode(), self._model.hooks(fwd_hooks=hooks):
            self._model.generate(
                ids,
                max_new_tokens=n_new,
                stop_at_eos=False,
                temperature=TEMPERATURE,
                return_type="tokens",
                verbose=False,
            )
        assert len(active) == n_new * self._n_layer


class NNSight:
    """nnsight: a trace of `generate`, each iteration's MLP outputs saved."""

    def __init__(self, folder: str) -> None:
        from nnsight import TransformersModel

        self._model = TransformersModel(
            load_theirs(folder), tokenizer=tokenizer(), task="text-generation"
        )

    def write(self, ids: Any, n_new: int) -> None:
        """Write and keep the active neurons of each token."""
        model = self._model
        with model.generate(
            ids,
            max_new_tokens=n_new,
            min_new_tokens=n_new,
            do_sample=True,
            temperature=TEMPERATURE,
            top_k=0,
            pad_token_id=50256,
        ) as tracer:
            # nnsight gives lists a method while it traces.
            active: Any = list().save()  # type: ignore[attr-defined]
            for _step in tracer.iter[:]:
                active.append([layer.mlp.act.output[:, -1] > 0 for layer in model.transformer.h])
        assert len(active) == n_new


def tokenizer() -> Any:
    """Return a tokenizer that both libraries accept; they are given ids, so it is not used."""
    from transformers import AutoTokenizer

    loaded = AutoTokenizer.from_pretrained(DEMO)
    loaded.pad_token = loaded.eos_token
    return loaded


def per_prompt(peer: Peer, work: Workload) -> None:
    """Write prompt by prompt, its completions together."""
    import torch

    for ids in work.prompts:
        peer.write(torch.tensor([ids] * work.n_samples), work.n_new)


def at_once(peer: Peer, work: Workload) -> None:
    """Write all completions together; prompts of one length."""
    import torch

    rows = [ids for ids in work.prompts for _ in range(work.n_samples)]
    peer.write(torch.tensor(rows), work.n_new)
