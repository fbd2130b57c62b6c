"""TransformerLens and nnsight writing tokens while keeping the active neurons, as documented.

Both wrap transformers' model of any family here. TransformerLens has hooks at the MLP's
projections alone, so that behind a gate it keeps the sign of what goes into the activation
function, which for those of gated models is the sign of what comes out. nnsight reads the
activation function's module.
"""

from pathlib import Path
from typing import Any, Protocol

from benchmarks.workload import TEMPERATURE, Workload, load_theirs
from gelu.model.decoder import part
from gelu.model.families import Family, family_of

DEMO = Path(__file__).resolve().parent.parent / "models" / "gpt2-demo"


class Peer(Protocol):
    """Writes `n_new` tokens after each row of ids, (rows, tokens), all rows of one length."""

    def write(self, ids: Any, n_new: int) -> None:
        """Write and keep the active neurons of each token."""


class TransformerLens:
    """TransformerLens: a bridge around the Hugging Face model, a hook in each MLP."""

    def __init__(self, folder: str) -> None:
        from transformer_lens.model_bridge import TransformerBridge

        theirs = load_theirs(folder)
        self._model = TransformerBridge.boot_transformers(
            folder, hf_model=theirs, tokenizer=tokenizer()
        )
        self._names = hook_names(theirs)

    def write(self, ids: Any, n_new: int) -> None:
        """Write and keep the active neurons of each token."""
        import torch

        active: list[Any] = []

        def keep(values: Any, hook: Any) -> None:
            active.append(values[:, -1] > 0)

        hooks = [(name, keep) for name in self._names]
        with torch.inference_mode(), self._model.hooks(fwd_hooks=hooks):
            self._model.generate(
                ids,
                max_new_tokens=n_new,
                stop_at_eos=False,
                temperature=TEMPERATURE,
                return_type="tokens",
                verbose=False,
            )
        assert len(active) == n_new * len(self._names)


class NNSight:
    """nnsight: a trace of `generate`, each iteration's activation functions saved."""

    def __init__(self, folder: str) -> None:
        from nnsight import TransformersModel

        theirs = load_theirs(folder)
        self._family = family(theirs)
        self._end = theirs.config.eos_token_id
        self._model = TransformersModel(theirs, tokenizer=tokenizer(), task="text-generation")

    def write(self, ids: Any, n_new: int) -> None:
        """Write and keep the active neurons of each token."""
        blocks, path, rows = (
            part(self._model, self._family.blocks),
            self._family.activation,
            len(ids),
        )
        with self._model.generate(
            ids,
            max_new_tokens=n_new,
            min_new_tokens=n_new,
            do_sample=True,
            temperature=TEMPERATURE,
            top_k=0,
            pad_token_id=self._end,
        ) as tracer:
            # nnsight gives lists a method while it traces.
            active: Any = list().save()  # type: ignore[attr-defined]
            for _step in tracer.iter[:]:
                # OPT's MLP sees the tokens of all rows one after another.
                outputs = [part(block, path).output for block in blocks]
                active.append([o.reshape(rows, -1, o.shape[-1])[:, -1] > 0 for o in outputs])
        assert len(active) == n_new


def family(model: Any) -> Family:
    """Return the family of a transformers model."""
    found = family_of(model.config.to_dict())
    assert found is not None
    return found


def hook_names(model: Any) -> list[str]:
    """Return TransformerLens' hooks whose values are above 0 where neurons are active."""
    point = "hook_pre" if family(model).is_gated else "hook_post"
    return [f"blocks.{layer}.mlp.{point}" for layer in range(model.config.num_hidden_layers)]


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
