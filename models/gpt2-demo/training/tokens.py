"""The tokenizer and the token stream: byte-level BPE, documents cut at random spaces."""

import random
import re
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from tokenizers import Tokenizer

END = "<|endoftext|>"
VOCABULARY = 2000
# One cut about every CUT_WORDS words: about six in a window of 256 tokens.  The tokenizer is fitted
# to text with more cuts, so that frequent words without a leading space become tokens too.
CUT_WORDS = 25
TOKENIZER_CUT_WORDS = 8
BATCH_DOCUMENTS = 4000
SPACE = re.compile(r"(?<=\S) (?=\S)")


def cut(text: str, rng: random.Random, every: int = CUT_WORDS) -> list[str]:
    """Return the text in pieces of ``every`` words on average, each but the last ending in a space.

    A prompt that ends in a space is encoded like such a piece: the space is a token of its own and
    the next word begins without one.
    """
    places = [match.end() for match in SPACE.finditer(text) if rng.random() < 1 / every]
    return [text[start:end] for start, end in zip([0, *places], [*places, len(text)], strict=True)]


def train_tokenizer(texts: Iterable[str], seed: int) -> "Tokenizer":
    """Return a byte-level BPE tokenizer of VOCABULARY tokens, fitted to the texts cut at spaces."""
    from tokenizers import (
        AddedToken,
        Tokenizer,
        decoders,
        models,
        pre_tokenizers,
        processors,
        trainers,
    )

    rng = random.Random(f"tokenizer/{seed}")
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=[AddedToken(END, special=True, normalized=False)],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    pieces = (piece for text in texts for piece in cut(text, rng, TOKENIZER_CUT_WORDS))
    tokenizer.train_from_iterator(pieces, trainer)
    return tokenizer


def save_tokenizer(tokenizer: "Tokenizer", folder: Path, positions: int) -> None:
    """Write tokenizer.json and tokenizer_config.json as transformers reads them.

    The class is named as versions 4 and 5 of transformers both know it.
    """
    import json

    from transformers import PreTrainedTokenizerFast

    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=END,
        eos_token=END,
        unk_token=END,
        model_max_length=positions,
        clean_up_tokenization_spaces=False,
    ).save_pretrained(folder)
    path = folder / "tokenizer_config.json"
    config = json.loads(path.read_text())
    config["tokenizer_class"] = "PreTrainedTokenizerFast"
    config.pop("backend", None)
    path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")


def encode(
    tokenizer: "Tokenizer", texts: Iterable[str], seed: int | None
) -> "tuple[np.ndarray, np.ndarray]":
    """Return the token stream (uint16), each document after an end token, and where each starts.

    With a seed the documents are cut at random spaces; with None they are encoded whole.
    """
    import numpy as np

    rng = random.Random(f"cuts/{seed}")
    end = tokenizer.token_to_id(END)
    arrays, starts, position = [], [], 0
    for batch in _batches(texts):
        for ids in _encode_batch(tokenizer, batch, rng if seed is not None else None):
            starts.append(position + 1)
            arrays.append(np.array([end, *ids], dtype=np.uint16))
            position += len(ids) + 1
    arrays.append(np.array([end], dtype=np.uint16))
    return np.concatenate(arrays), np.array(starts, dtype=np.int64)


def _batches(texts: Iterable[str]) -> Iterator[list[str]]:
    """Yield the texts in lists of BATCH_DOCUMENTS."""
    iterator = iter(texts)
    while batch := list(islice(iterator, BATCH_DOCUMENTS)):
        yield batch


def _encode_batch(
    tokenizer: "Tokenizer", texts: list[str], rng: random.Random | None
) -> Iterator[list[int]]:
    """Yield the token ids of every text, its pieces encoded one by one."""
    pieces = [cut(text, rng) if rng else [text] for text in texts]
    encoded = iter(tokenizer.encode_batch([piece for row in pieces for piece in row]))
    for row in pieces:
        yield [token for _ in row for token in next(encoded).ids]
