"""Measure the stored model: bits per token beside n-gram models, by kind of token, and overlap."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ngrams
import numpy as np
from corpus.lexicon.people import MEN, WOMEN
from tokens import encode

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from transformers import GPT2LMHeadModel

WINDOW, STRIDE, BATCH = 256, 128, 32
FIRST = ngrams.MAX_ORDER - 1
SENTENCE_END = re.compile(r"(?<=[.!?]) +|\n+")
NAME = re.compile(rf"\b(?:{'|'.join(sorted({*WOMEN, *MEN}))})\b")
SPANS = {
    "he, she, his, her, him": re.compile(r"\b(?:he|she|his|her|him|himself|herself)\b", re.I),
    "forms of be, have and do": re.compile(r"\b(?:is|are|was|were|has|have|does|do)\b"),
    "sentence after a question": re.compile(r"(?<=\? )[^?.\n]+\.|(?<=Answer: )[^?.\n]+\."),
    "numbers in figures": re.compile(r"\b\d+\b"),
}


def model_bits(model: "GPT2LMHeadModel", stream: ngrams.Tokens) -> ngrams.Floats:
    """Return the cost in bits of every token of the stream from position FIRST on.

    Windows of WINDOW tokens move on by STRIDE, so all but the first tokens of the stream are
    predicted from at least WINDOW - STRIDE - 1 tokens, whatever document these belong to.
    """
    costs = np.full(len(stream), np.nan)
    starts = list(range(0, max(1, len(stream) - WINDOW), STRIDE))
    starts.append(max(0, len(stream) - WINDOW))
    for place in range(0, len(starts), BATCH):
        group = starts[place : place + BATCH]
        for start, row in zip(group, _window_bits(model, stream, group), strict=True):
            fresh = np.isnan(costs[start + 1 : start + 1 + len(row)])
            costs[start + 1 : start + 1 + len(row)][fresh] = row[fresh]
    return costs[FIRST:]


def _window_bits(
    model: "GPT2LMHeadModel", stream: ngrams.Tokens, starts: Sequence[int]
) -> ngrams.Floats:
    """Return the bits of every token but the first of the windows that begin at ``starts``."""
    import torch

    windows = torch.from_numpy(np.stack([stream[start : start + WINDOW] for start in starts]))
    with torch.inference_mode():
        logits = model(windows[:, :-1], use_cache=False).logits
        costs = torch.nn.functional.cross_entropy(
            logits.float().flatten(0, 1), windows[:, 1:].flatten(), reduction="none"
        )
    bits: ngrams.Floats = costs.view(len(starts), -1).double().numpy() / np.log(2)
    return bits


def all_bits(
    model: "GPT2LMHeadModel", training: ngrams.Tokens, streams: dict[str, ngrams.Tokens]
) -> dict[str, dict[str, ngrams.Floats]]:
    """Return for every held-out stream the bits of every token under every model."""
    vocabulary = model.config.vocab_size
    found = {name: {"gpt2-demo": model_bits(model, stream)} for name, stream in streams.items()}
    for order in range(1, ngrams.MAX_ORDER + 1):
        grams = ngrams.KneserNey(training, order, vocabulary)
        for name, stream in streams.items():
            found[name][f"{order}-gram"] = grams.bits(stream)
    return found


def labels(tokenizer: "Tokenizer", texts: Iterable[str]) -> list[str]:
    """Return the kind of every token of the stream of whole documents."""
    found = []
    for text in texts:
        spans = _spans(text)
        encoding = tokenizer.encode(text)
        found.append("end of text")
        found += [_label(spans, *offsets) for offsets in encoding.offsets]
    return [*found, "end of text"]


def _spans(text: str) -> list[tuple[int, int, str]]:
    """Return (start, end, label) of the labelled parts of a document; the first counts."""
    seen: set[str] = set()
    spans = []
    for match in NAME.finditer(text):
        again = match.group() in seen
        seen.add(match.group())
        spans.append((*match.span(), "name that came before" if again else "new name"))
    for label, pattern in SPANS.items():
        spans += [(*match.span(), label) for match in pattern.finditer(text)]
    return spans


def _label(spans: list[tuple[int, int, str]], start: int, end: int) -> str:
    """Return the label of the token between two character offsets."""
    for low, high, label in spans:
        if start < high and end > low:
            return label
    return "everything else"


def breakdown(
    kinds: list[str], bits: dict[str, ngrams.Floats], models: Sequence[str]
) -> dict[str, dict[str, float]]:
    """Return for every kind of token how many there are and their mean bits under some models."""
    names = np.array(kinds[FIRST:])
    table = {}
    for kind in sorted(set(kinds)):
        chosen = names == kind
        table[kind] = {"tokens": int(chosen.sum())} | {
            model: round(float(bits[model][chosen].mean()), 3) for model in models
        }
    return table


def overlap(held_out: Iterable[str], training: Iterable[str]) -> dict[str, float]:
    """Return the shares of held-out documents and sentences that are in the training text."""
    documents, sentences = set(), set()
    for text in training:
        documents.add(text)
        sentences.update(SENTENCE_END.split(text))
    texts = list(held_out)
    parts = [part for text in texts for part in SENTENCE_END.split(text)]
    return {
        "documents": round(sum(text in documents for text in texts) / len(texts), 4),
        "sentences": round(sum(part in sentences for part in parts) / len(parts), 4),
    }


def load(folder: Path) -> "tuple[GPT2LMHeadModel, Any]":
    """Return the stored model and its tokenizer."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    return AutoModelForCausalLM.from_pretrained(folder).eval(), AutoTokenizer.from_pretrained(
        folder
    )


def held_out_stream(
    tokenizer: "Tokenizer", texts: Sequence[str], seed: int | None
) -> ngrams.Tokens:
    """Return the held-out documents as one stream of tokens."""
    return encode(tokenizer, texts, seed)[0].astype(np.int64)
