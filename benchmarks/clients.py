"""The neurons that this project, TransformerLens and nnsight each record of the same texts.

    captures = CLIENTS["nnsight"](folder).ways()["list of strings"](texts)

A client loads a saved model itself and has ways of reading or writing texts, by name. A way takes
texts and returns a `Capture` for each.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.peers import family, hook_names
from benchmarks.workload import load_ours, load_theirs
from gelu.generation.decoding import Row, SamplingSettings, generate
from gelu.generation.prompts import Prompt
from gelu.model.decoder import part
from gelu.model.hooks import GeluRecorder

N_NEW = 6
# The one most likely token, so that who computes the same writes the same.
GREEDY = SamplingSettings(seed=0, temperature=1.0, top_k=1)


@dataclass(frozen=True)
class Text:
    """A text and its tokens."""

    string: str
    ids: tuple[int, ...]


@dataclass(frozen=True)
class Capture:
    """What was recorded of a text.

    ids: its tokens, those that were written included. first: the position of the first row.
    active: (positions, n_neurons) bool, at consecutive positions.
    """

    ids: tuple[int, ...]
    first: int
    active: NDArray[np.bool_]


Way = Callable[[Sequence[Text]], list[Capture]]


class Client(Protocol):
    """A library with a saved model."""

    def ways(self) -> dict[str, Way]:
        """Return its ways of reading or writing texts, by name."""


def pad_left(texts: Sequence[Text], filler: int = 0) -> tuple[Any, Any]:
    """Return ids and mask, both (texts, longest) int64, the mask 1 where there is no padding."""
    width = max(len(text.ids) for text in texts)
    ids = [[filler] * (width - len(text.ids)) + list(text.ids) for text in texts]
    mask = [[0] * (width - len(text.ids)) + [1] * len(text.ids) for text in texts]
    return torch.tensor(ids), torch.tensor(mask)


def _captures(texts: Sequence[Text], layers: Sequence[Any]) -> list[Capture]:
    """Return captures of left-padded texts, or of one alone.

    layers: for each layer (texts, tokens, d_mlp) bool, or (texts * tokens, d_mlp), as OPT has it.
    Raises `ValueError` for another number of tokens.
    """
    width = max(len(text.ids) for text in texts)
    found = layers[0].numel() // layers[0].shape[-1]
    if found != len(texts) * width:
        raise ValueError(f"{found} tokens recorded, not {len(texts)} x {width}")
    active = torch.cat([it.reshape(len(texts), width, -1) for it in layers], dim=-1).numpy()
    return [
        Capture(text.ids, 0, active[row, width - len(text.ids) :]) for row, text in enumerate(texts)
    ]


def _written(texts: Sequence[Text], output: Any, steps: Sequence[Sequence[Any]]) -> list[Capture]:
    """Return captures of what was written behind texts.

    output: (texts, tokens), its last `N_NEW` are new. steps: for each new token and layer
    (texts, d_mlp) bool, at the token before.
    """
    active = torch.stack([torch.cat(list(step), dim=-1) for step in steps], dim=1).numpy()
    new = output[:, -N_NEW:].tolist()
    return [
        Capture((*text.ids, *new[row]), len(text.ids) - 1, active[row])
        for row, text in enumerate(texts)
    ]


def _one_by_one(way: Way, texts: Sequence[Text]) -> list[Capture]:
    return [capture for text in texts for capture in way([text])]


class ThisProject:
    """This project: whole texts at once, and while writing."""

    def __init__(self, folder: str) -> None:
        self._model = load_ours(folder, "model")

    def ways(self) -> dict[str, Way]:
        """Return its ways."""
        return {"padded batch": self._read, "writing, padded batch": self._write}

    def _read(self, texts: Sequence[Text]) -> list[Capture]:
        ids, mask = pad_left(texts)
        positions = (mask.cumsum(1) - 1).clamp(min=0)
        with torch.inference_mode(), GeluRecorder(self._model) as recorder:
            self._model(ids, None, positions, mask.bool())
        return _captures(texts, [recorder.take()])

    def _write(self, texts: Sequence[Text]) -> list[Capture]:
        rows = [Row(Prompt(text.string, text.ids, N_NEW, 1), 0) for text in texts]
        steps = [step.records.copy() for step in generate(self._model, rows, GREEDY)]
        n = self._model.geometry.n_neurons
        bits = [np.unpackbits(step["bits"], axis=1, count=n).astype(bool) for step in steps]
        output = torch.tensor(np.stack([step["id"] for step in steps], axis=1))
        return _written(texts, output, [[torch.from_numpy(step)] for step in bits])


class Transformers:
    """transformers itself, which leaves it to the caller to number positions behind padding."""

    def __init__(self, folder: str) -> None:
        self._model = load_theirs(folder)

    def ways(self) -> dict[str, Way]:
        """Return its way."""
        return {"padded ids and mask": self._read}

    def _read(self, texts: Sequence[Text]) -> list[Capture]:
        ids, mask = pad_left(texts)
        with torch.inference_mode(), GeluRecorder(self._model) as recorder:
            self._model(input_ids=ids, attention_mask=mask)
        return _captures(texts, [recorder.take()])


class TransformerLens:
    """TransformerLens: hooks of the bridge, by ids and by strings."""

    def __init__(self, folder: str) -> None:
        from transformer_lens.model_bridge import TransformerBridge

        theirs = load_theirs(folder)
        self._names = hook_names(theirs)
        self._model = TransformerBridge.boot_transformers(
            folder, hf_model=theirs, tokenizer=_tokenizer(folder)
        )
        self._filler = self._model.tokenizer.pad_token_id

    def ways(self) -> dict[str, Way]:
        """Return its ways, one more where there is a gate."""
        ways: dict[str, Way] = {
            "each text alone": partial(_one_by_one, self._padded),
            "padded ids and mask": self._padded,
            "padded ids without mask": self._without_mask,
            "list of strings, left": self._strings,
            "list of strings, its defaults": self._by_default,
            "writing, padded ids and mask": self._write,
            "writing, list of strings": self._write_strings,
        }
        if self._names[0].endswith("hook_pre"):
            posts = [name.replace("hook_pre", "hook_post") for name in self._names]
            alone = partial(_one_by_one, partial(self._padded, names=posts))
            ways["each text alone, hook_post > 0"] = alone
        return ways

    def _capture(
        self, run: Callable[[], Any], names: Sequence[str] | None = None
    ) -> tuple[Any, list[Any]]:
        kept: list[Any] = []
        hooks = [
            (name, lambda values, hook: kept.append(values > 0)) for name in names or self._names
        ]
        with torch.inference_mode(), self._model.hooks(fwd_hooks=hooks):
            return run(), kept

    def _padded(self, texts: Sequence[Text], names: Sequence[str] | None = None) -> list[Capture]:
        ids, mask = pad_left(texts, self._filler)
        run = partial(self._model, ids, attention_mask=mask)
        return _captures(texts, self._capture(run, names)[1])

    def _without_mask(self, texts: Sequence[Text]) -> list[Capture]:
        run = partial(self._model, pad_left(texts, self._filler)[0])
        return _captures(texts, self._capture(run)[1])

    def _strings(self, texts: Sequence[Text]) -> list[Capture]:
        words = [text.string for text in texts]
        run = partial(self._model, words, prepend_bos=False, padding_side="left")
        return _captures(texts, self._capture(run)[1])

    def _by_default(self, texts: Sequence[Text]) -> list[Capture]:
        words = [text.string for text in texts]
        active = torch.cat(self._capture(partial(self._model, words))[1], dim=-1)
        # Padded on the right, behind a first token of its own where it takes one for the model's.
        first = self._model.to_tokens(words).shape[1] - max(len(text.ids) for text in texts)
        return [
            Capture(text.ids, 0, row[first : first + len(text.ids)].numpy())
            for text, row in zip(texts, active, strict=True)
        ]

    def _write(self, texts: Sequence[Text]) -> list[Capture]:
        ids, mask = pad_left(texts, self._filler)
        return self._generate(texts, ids, attention_mask=mask)

    def _write_strings(self, texts: Sequence[Text]) -> list[Capture]:
        return self._generate(texts, [text.string for text in texts], prepend_bos=False)

    def _generate(self, texts: Sequence[Text], given: Any, **settings: Any) -> list[Capture]:
        run = partial(
            self._model.generate,
            given,
            **settings,
            max_new_tokens=N_NEW,
            stop_at_eos=False,
            do_sample=False,
            return_type="tokens",
            verbose=False,
        )
        output, kept = self._capture(run)
        last, n_layer = [values[:, -1] for values in kept], len(self._names)
        steps = [last[at : at + n_layer] for at in range(0, len(last), n_layer)]
        return _written(texts, output, steps)


class NNSight:
    """nnsight: traces of one forward, and of `generate`."""

    def __init__(self, folder: str) -> None:
        from nnsight import TransformersModel

        theirs = load_theirs(folder)
        found = family(theirs)
        # Texts are to be of one length: the end of the text is a token like any other.
        theirs.generation_config.eos_token_id = None
        self._model = TransformersModel(
            theirs, tokenizer=_tokenizer(folder), task="text-generation"
        )
        self._blocks, self._path = part(self._model, found.blocks), found.activation
        self._filler = self._model.tokenizer.pad_token_id

    def ways(self) -> dict[str, Way]:
        """Return its ways."""
        return {
            "each text alone": partial(_one_by_one, self._ids),
            "list of ids": self._ids,
            "padded ids and mask": self._padded,
            "padded ids without mask": self._without_mask,
            "list of strings": self._strings,
            "an invoke for each text": self._invokes,
            "writing, list of ids": self._write,
        }

    def _trace(self, given: Any) -> list[Any]:
        with self._model.trace(given):
            # nnsight gives lists a method while it traces.
            kept: Any = list().save()  # type: ignore[attr-defined]
            for block in self._blocks:
                kept.append(part(block, self._path).output > 0)
        return list(kept)

    def _ids(self, texts: Sequence[Text]) -> list[Capture]:
        return _captures(texts, self._trace([list(text.ids) for text in texts]))

    def _padded(self, texts: Sequence[Text]) -> list[Capture]:
        ids, mask = pad_left(texts, self._filler)
        return _captures(texts, self._trace({"input_ids": ids, "attention_mask": mask}))

    def _without_mask(self, texts: Sequence[Text]) -> list[Capture]:
        return _captures(texts, self._trace(pad_left(texts, self._filler)[0]))

    def _strings(self, texts: Sequence[Text]) -> list[Capture]:
        return _captures(texts, self._trace([text.string for text in texts]))

    def _invokes(self, texts: Sequence[Text]) -> list[Capture]:
        blocks, path = self._blocks, self._path
        with self._model.trace() as tracer:
            kept: Any = list().save()  # type: ignore[attr-defined]
            for text in texts:
                with tracer.invoke(text.string):
                    kept.append([part(block, path).output > 0 for block in blocks])
        layers = [torch.cat([one[layer] for one in kept]) for layer in range(len(blocks))]
        return _captures(texts, layers)

    def _write(self, texts: Sequence[Text]) -> list[Capture]:
        blocks, path, rows = self._blocks, self._path, len(texts)
        with self._model.generate(
            [list(text.ids) for text in texts],
            max_new_tokens=N_NEW,
            do_sample=False,
            pad_token_id=self._filler,
        ) as tracer:
            kept: Any = list().save()  # type: ignore[attr-defined]
            for _step in tracer.iter[:N_NEW]:
                outputs = [part(block, path).output for block in blocks]
                kept.append([o.reshape(rows, -1, o.shape[-1])[:, -1] > 0 for o in outputs])
            output = tracer.result.save()
        return _written(texts, output, kept)


def _tokenizer(folder: str) -> Any:
    from transformers import AutoTokenizer

    loaded = AutoTokenizer.from_pretrained(folder)
    # As both libraries do by themselves where a model has no token for padding.
    loaded.pad_token = loaded.eos_token
    return loaded


CLIENTS: dict[str, Callable[[str], Client]] = {
    "this project": ThisProject,
    "transformers": Transformers,
    "TransformerLens": TransformerLens,
    "nnsight": NNSight,
}
