"""Which tokens stood before each sample. A table and a tokenizer in, token ids out.

history = token_history(samples, encode, 8)       # (n, 8): the context token, the one before, ...
"""

import sys
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from gelu.cli import UserError
from gelu.models import ModelSource, load_tokenizer
from gelu.statistics.samples import Samples

NO_TOKEN = -1
NEEDED_COLUMNS = ("input_text", "output_id", "context_token_id", "absolute_position")


def token_history(
    samples: Samples, encode: Callable[[str], Sequence[int]] | None, length: int
) -> NDArray[np.int64]:
    """Return the last `length` tokens that each sample's model had read, newest first.

    samples: with `NEEDED_COLUMNS`; encode: a text's token ids, or None where no tokenizer is at
    hand: then nothing but its last token is known of a prompt. Returns (n, length) ids, `NO_TOKEN`
    before the beginning and where unknown. Column 0 is the context token. Raises `UserError` where
    the tokenizer gives another context token than the table has.
    """
    table = samples.table
    outputs, context = (table[name].to_numpy() for name in ("output_id", "context_token_id"))
    place, texts = table["token_position"].to_numpy(), table["input_text"].to_numpy()
    history = np.full((len(table), length), NO_TOKEN, np.int64)
    starts = samples.completions.starts()
    for start, end in zip(starts, starts + samples.completions.lengths, strict=True):
        rows = slice(start, end)
        beginning = [] if encode is None else list(encode(str(texts[start])))
        n_written = int(place[end - 1]) + 1
        tokens = np.full(length + len(beginning) + n_written, NO_TOKEN, np.int64)
        tokens[length : length + len(beginning)] = beginning
        # Samples that were left out leave gaps: place, not row, says which token is which.
        tokens[length + len(beginning) + place[rows]] = outputs[rows]
        newest = length + len(beginning) - 1 + place[rows]
        history[rows] = tokens[newest[:, None] - np.arange(length)]
    if encode is not None:
        _require_same_context(samples, history[:, 0], context)
    history[:, 0] = context
    return history


def _require_same_context(
    samples: Samples, found: NDArray[np.int64], stated: NDArray[np.int64]
) -> None:
    differ = np.flatnonzero((found != stated) & (found != NO_TOKEN))
    if len(differ):
        row = differ[0]
        raise UserError(
            f"dataset CSV: sample {samples.table['sample_id'].iloc[row]} has context_token_id "
            f"{stated[row]}, the tokenizer of --model_type says {found[row]}: name the model that "
            "made the dataset"
        )


def prompt_encoder(
    source: ModelSource, skipped: dict[str, str]
) -> Callable[[str], Sequence[int]] | None:
    """Return a function that gives a prompt's token ids; None where the tokenizer is not at hand.

    That is then noted in `skipped` and on stderr.
    """
    try:
        tokenizer = load_tokenizer(source)
    except UserError as error:
        reason = f"of a prompt only its last token is known ({error})"
        print(f"note: {reason}", file=sys.stderr)
        skipped["tokens of the prompts"] = reason
        return None
    return lambda text: tokenizer.encode(text, add_special_tokens=False).ids
