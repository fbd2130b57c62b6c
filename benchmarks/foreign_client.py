"""Where TransformerLens and nnsight record other neurons of the same texts, and who is right.

Example:
  python benchmarks/foreign_client.py

Right is what transformers' own forward gives for each text alone. Tiny random models of the tests,
the same texts for all clients: each alone, padded in one batch in the ways that each library
offers, and while writing greedily. A neuron whose activation function is given less than 1e-4 of
either sign counts as one that rounding decides.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

if TYPE_CHECKING:
    from benchmarks.clients import Capture, Text

# What the table calls them -> the family, as `tests.families` makes it.
SHAPES = {"GPT-2": "gpt2", "Pythia": "gpt_neox", "OPT": "opt", "Llama": "llama"}
STRINGS = ("I think", "x", "Love is all that", "No", "Where do the birds go?", "so it went on")
OURS, READING = "this project", "padded batch"
NEAR_ZERO = 1e-4
UNMASKED = (
    "with `prepend_bos=False` a text still reads one token of padding: the mask follows the "
    "model's default, not the argument, where padding and beginning of text are the same token"
)
NO_MASK = "padding is read as text"
# Why a way can be wrong, as reading the library and what its model is handed shows.
REASONS = {
    ("transformers", "padded ids and mask"): (
        "GPT-2's positions are counted from the padding on where the caller gives none; OPT counts "
        "them by the mask, and rotary positions matter by their differences alone"
    ),
    ("TransformerLens", "padded ids without mask"): NO_MASK,
    ("TransformerLens", "list of strings, left"): UNMASKED,
    ("TransformerLens", "writing, list of strings"): UNMASKED,
    ("TransformerLens", "list of strings, its defaults"): (
        "a beginning-of-text token is put first but for Pythia: it reads another text"
    ),
    ("TransformerLens", "each text alone, hook_post > 0"): (
        "the hook is behind the gate's product; its sign is not that of the activation function"
    ),
    ("nnsight", "padded ids without mask"): NO_MASK,
    ("nnsight", "an invoke for each text"): (
        "OPT's MLP sees the tokens of all texts one after another, and each invoke is handed all"
    ),
}


@dataclass(frozen=True)
class Difference:
    """How a client's captures differ from what is right.

    texts: how many. other_tokens: those that go on with other tokens than transformers' greedy
    forward of the text alone. compared, wrong, rounded: neurons at positions; those whose side is
    wrong; of these those that rounding decides. apart: those that this project, reading the same
    tokens, has on the other side, none that rounding decides; ours_right: of these those where it
    is right.
    """

    texts: int
    other_tokens: int
    compared: int
    wrong: int
    rounded: int
    apart: int
    ours_right: int


class Reference:
    """transformers' own forward over each text alone."""

    def __init__(self, folder: str) -> None:
        from benchmarks.workload import load_theirs

        self._model = load_theirs(folder)

    def read(self, ids: Sequence[int]) -> tuple[Any, Any]:
        """Return what activation functions are given, (tokens, n_neurons), and the next tokens."""
        import torch

        from gelu.model.hooks import mlp_modules

        given: list[Any] = []
        handles = [
            mlp.activation.register_forward_hook(
                lambda module, inputs, output: given.append(inputs[0].reshape(len(ids), -1))
            )
            for mlp in mlp_modules(self._model)
        ]
        with torch.inference_mode():
            logits = self._model(torch.tensor([list(ids)])).logits[0]
        for handle in handles:
            handle.remove()
        return torch.cat(given, dim=1).numpy(), logits.argmax(-1).tolist()


def main() -> None:
    """Compare all clients on all shapes and report."""
    argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    ).parse_args()
    from benchmarks.measuring import report, table

    lines = []
    for title, kind in SHAPES.items():
        for (client, way), found in compare_all(kind).items():
            cells = [title, client, way]
            if isinstance(found, str):
                lines.append([*cells, found, *[""] * 4])
                continue
            right = f"{found.ours_right:,}, {found.apart - found.ours_right:,}"
            cells += [str(found.other_tokens), f"{found.compared:,}"]
            lines.append([*cells, f"{found.wrong:,}", f"{found.rounded:,}", right])
    heads = ["shape", "client", "way", "texts with other tokens", "compared", "wrong"]
    heads += ["of these by rounding", "unlike ours: we are right, they are"]
    wrong = dict.fromkeys((line[1], line[2]) for line in lines if line[5] != "0")
    reasons = [f"- {', '.join(key)}: {REASONS.get(key, 'not known')}." for key in wrong]
    text = table(heads, lines) + "\n\nWhy:\n\n" + "\n".join(reasons)
    report("What others record of the same texts", text)


def compare_all(kind: str) -> dict[tuple[str, str], Difference | str]:
    """Return what each client's ways differ in on a tiny model, or why one does not run."""
    from benchmarks.clients import CLIENTS

    found: dict[tuple[str, str], Difference | str] = {}
    with tempfile.TemporaryDirectory() as folder:
        texts = save_model(Path(folder), kind)
        reference, ours = Reference(folder), CLIENTS[OURS](folder).ways()[READING]
        for client, make in CLIENTS.items():
            for way, run in make(folder).ways().items():
                try:
                    captures = run(texts)
                except Exception as error:  # whatever a library raises is the result of that way
                    found[client, way] = f"{type(error).__name__}: {error}".splitlines()[0][:80]
                else:
                    found[client, way] = difference(captures, texts, reference, ours)
    return found


def save_model(folder: Path, kind: str) -> "list[Text]":
    """Save a tiny random model; return the texts as its tokenizer has them."""
    from benchmarks.clients import Text
    from tests.families import save_family
    from tests.helpers import byte_tokenizer, save_gpt2

    if kind == "gpt2":
        save_gpt2(folder)
    else:
        save_family(folder, kind)
    tokenizer = byte_tokenizer()
    return [Text(string, tuple(tokenizer(string)["input_ids"])) for string in STRINGS]


def difference(
    captures: "Sequence[Capture]",
    texts: "Sequence[Text]",
    reference: Reference,
    ours: "Callable[[Sequence[Text]], list[Capture]]",
) -> Difference:
    """Return how captures of these texts differ from the reference, and from our reading."""
    import numpy as np

    from benchmarks.clients import Text

    other, total = 0, np.zeros(5, np.int64)
    mine = ours([Text(text.string, it.ids) for text, it in zip(texts, captures, strict=True)])
    for text, theirs, read in zip(texts, captures, mine, strict=True):
        given, following = reference.read(theirs.ids)
        there = slice(theirs.first, theirs.first + len(theirs.active))
        given, own = given[there], read.active[there]
        right = given > 0
        wrong, clear = theirs.active != right, np.abs(given) >= NEAR_ZERO
        rounded, apart = wrong & ~clear, (theirs.active != own) & clear
        counts = (wrong.size, wrong.sum(), rounded.sum(), apart.sum(), (apart & wrong).sum())
        total += np.array(counts)
        end = len(text.ids)
        other += list(theirs.ids[end:]) != following[end - 1 : -1]
    return Difference(len(captures), int(other), *map(int, total))


if __name__ == "__main__":
    main()
