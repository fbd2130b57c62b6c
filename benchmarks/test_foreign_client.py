"""Where other libraries record other neurons than this project, transformers says it is right.

Run by `make bench-client`, in the environment that has these libraries.
"""

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.clients import CLIENTS
from benchmarks.foreign_client import (
    OURS,
    READING,
    REASONS,
    SHAPES,
    Difference,
    Reference,
    compare_all,
    difference,
    save_model,
)

# The ways that go wrong by family; a release that mends one, or breaks another, is to be looked at.
EVERYWHERE = {
    ("TransformerLens", "padded ids without mask"),
    ("nnsight", "padded ids without mask"),
}
BEGINNING_OF_TEXT = {
    ("TransformerLens", "list of strings, left"),
    ("TransformerLens", "list of strings, its defaults"),
    ("TransformerLens", "writing, list of strings"),
}
WRONG = {
    "gpt2": EVERYWHERE | BEGINNING_OF_TEXT | {("transformers", "padded ids and mask")},
    "gpt_neox": EVERYWHERE,
    "opt": EVERYWHERE | BEGINNING_OF_TEXT | {("nnsight", "an invoke for each text")},
    "llama": EVERYWHERE
    | BEGINNING_OF_TEXT
    | {("TransformerLens", "each text alone, hook_post > 0")},
}


@pytest.mark.parametrize("kind", SHAPES.values())
def test_where_another_client_differs_we_are_right(kind: str) -> None:
    found = compare_all(kind)
    assert {client for client, _ in found} == set(CLIENTS)
    for (client, way), it in found.items():
        if isinstance(it, Difference):
            assert it.texts == 6 and it.compared > 1000, way
            assert it.apart == it.ours_right, (client, way)
        if client == OURS:
            assert isinstance(it, Difference)
            assert it.wrong == it.rounded and it.other_tokens == 0
    wrong = {
        key
        for key, it in found.items()
        if isinstance(it, str) or it.wrong > it.rounded or it.other_tokens
    }
    assert wrong == WRONG[kind]
    assert wrong <= set(REASONS)


def test_one_neuron_on_the_wrong_side_is_found(tmp_path: Path) -> None:
    texts = save_model(tmp_path, "llama")
    ours, reference = CLIENTS[OURS](str(tmp_path)).ways()[READING], Reference(str(tmp_path))
    captures = ours(texts)
    assert difference(captures, texts, reference, ours).wrong == 0
    active = captures[2].active.copy()
    given, _ = reference.read(texts[2].ids)
    clear = abs(given[1]).argmax()
    active[1, clear] = ~active[1, clear]
    captures[2] = replace(captures[2], active=active)
    found = difference(captures, texts, reference, ours)
    assert (found.wrong, found.rounded, found.apart, found.ours_right) == (1, 0, 1, 1)
    # A client that is right where we are not would be told from one that is wrong.
    swapped = difference(ours(texts), texts, reference, lambda _: captures)
    assert (swapped.wrong, swapped.apart, swapped.ours_right) == (0, 1, 0)


def test_another_continuation_is_found(tmp_path: Path) -> None:
    texts = save_model(tmp_path, "gpt_neox")
    ways, reference = CLIENTS[OURS](str(tmp_path)).ways(), Reference(str(tmp_path))
    captures = ways["writing, padded batch"](texts)
    ids = captures[0].ids
    captures[0] = replace(captures[0], ids=(*ids[:-1], (ids[-1] + 1) % 300))
    assert difference(captures, texts, reference, ways[READING]).other_tokens == 1
