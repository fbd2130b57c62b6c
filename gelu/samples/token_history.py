"""Which tokens stood before each sample. A table and a tokenizer in, token ids out.

history = token_history(samples, encode, 8, notes)   # (n, 8): the newest token first
for tokens in known_tokens(samples, encode): ...  # what is known of each completion's tokens

A table may lack rows. A token is known where the prompt, an output or a context token says which it
is; what none of them says is `UNKNOWN_TOKEN`, and never taken for a token or for no token.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gelu.errors import UserError
from gelu.model.chat import load_chat_template
from gelu.model.config import known_geometry
from gelu.model.source import ModelSource
from gelu.model.tokenizer import load_tokenizer, require_text_length, token_ids_of
from gelu.samples.arrays import Samples
from gelu.samples.notes import Notes

NO_TOKEN, UNKNOWN_TOKEN = -1, -2
NEEDED_COLUMNS = ("input_text", "output_id", "context_token_id", "absolute_position")

Ints = NDArray[np.int64]
Encoder = Callable[[str], Sequence[int]]


@dataclass(frozen=True)
class KnownTokens:
    """What is known of the tokens of one completion.

    rows: (m,), its samples; ids: prompt and completion, `UNKNOWN_TOKEN` where unknown; n_prompt:
    how many of these are the prompt's; places: (m,), the place of each sample's context token in
    them; starts: (m,), the place of the first token that the model had read.
    """

    rows: Ints
    ids: Ints
    n_prompt: int
    places: Ints
    starts: Ints

    def unknown_before(self) -> NDArray[np.bool_]:
        """Return for which samples a token that the model had read is unknown, (m,)."""
        n_unknown = np.append(0, np.cumsum(self.ids == UNKNOWN_TOKEN))
        unknown: NDArray[np.bool_] = n_unknown[self.places + 1] > n_unknown[self.starts]
        return unknown


def known_tokens(
    samples: Samples, encode: Encoder | None, chosen: Ints | None = None
) -> Iterator[KnownTokens]:
    """Yield what is known of each completion, or of those `chosen` by number, in their order.

    samples: with `NEEDED_COLUMNS`; encode: a text's token ids, or None where no tokenizer is at
    hand: then nothing but its last token is known of a prompt. Raises `UserError` where the
    tokenizer gives a prompt of other length, or another token, than the table has.
    """
    table = samples.table
    outputs, context = (table[name].to_numpy() for name in ("output_id", "context_token_id"))
    position, absolute = (
        table[name].to_numpy() for name in ("token_position", "absolute_position")
    )
    texts, starts = table["input_text"].to_numpy(), samples.completions.starts()
    for completion in range(len(starts)) if chosen is None else chosen.tolist():
        rows = starts[completion] + np.arange(samples.completions.lengths[completion])
        n_prompt = max(1, int((absolute[rows] - position[rows]).max()) + 1)
        prompt = [] if encode is None else list(encode(str(texts[rows[0]])))
        if prompt and len(prompt) != n_prompt:
            row = rows[int((absolute[rows] - position[rows]).argmax())]
            _refuse(samples, row, "absolute_position", absolute, len(prompt) - 1 + position[row])
        ids = np.full(n_prompt + int(position[rows[-1]]) + 1, UNKNOWN_TOKEN, np.int64)
        ids[: len(prompt)] = prompt
        # Samples that were left out leave gaps: position, not row, says which token is which.
        ids[n_prompt + position[rows]] = outputs[rows]
        places = n_prompt - 1 + position[rows]
        found = ids[places]
        wrong = np.flatnonzero((found != context[rows]) & (found != UNKNOWN_TOKEN))
        if len(wrong):
            _refuse(samples, rows[wrong[0]], "context_token_id", context, found[wrong[0]])
        ids[places] = context[rows]
        yield KnownTokens(rows, ids, n_prompt, places, places - absolute[rows])


def _refuse(samples: Samples, row: int, column: str, stated: Ints, found: int) -> None:
    raise UserError(
        f"dataset CSV: sample {samples.table['sample_id'].iloc[row]} has {column} {stated[row]}, "
        f"the tokenizer of `model_type` and the rows before say {found}: name the model that made "
        "the dataset"
    )


def token_history(samples: Samples, encode: Encoder | None, length: int, notes: Notes) -> Ints:
    """Return the last `length` tokens that each sample's model had read, newest first.

    samples, encode, errors: see `known_tokens`. Returns (n, length) ids, `NO_TOKEN` before the
    beginning, `UNKNOWN_TOKEN` where unknown. Column 0 is the context token. Of how many samples
    rows are missing is entered in `notes`.
    """
    history = np.full((len(samples), length), NO_TOKEN, np.int64)
    n_after_gaps = 0
    for tokens in known_tokens(samples, encode):
        back = tokens.places[:, None] - np.arange(length)
        there = back >= tokens.starts[:, None]
        history[tokens.rows] = np.where(there, tokens.ids[np.maximum(back, 0)], NO_TOKEN)
        unknown = (history[tokens.rows] == UNKNOWN_TOKEN) & (back >= tokens.n_prompt)
        n_after_gaps += int(unknown.any(axis=1).sum())
    if n_after_gaps:
        notes.skipped["tokens before some samples"] = (
            f"the dataset CSV lacks rows; of {n_after_gaps:,} of {len(samples):,} samples not all "
            f"of the last {length} tokens are known"
        )
    return history


def number_contexts(history: Ints) -> tuple[Ints, Ints]:
    """Return a number for each sample's last token, 0..T-1, and for its last two, 0..P-1.

    history: (n, 2 or more), of `token_history`. What is unknown counts as a token of its own.
    """
    last = np.unique(history[:, 0], return_inverse=True)[1].reshape(-1)
    pairs = history[:, 0] * (history.max() + 3) + history[:, 1] - UNKNOWN_TOKEN
    pair = np.unique(pairs, return_inverse=True)[1].reshape(-1)
    return last.astype(np.int64), pair.astype(np.int64)


def prompt_encoder(source: ModelSource, notes: Notes, chat: bool = False) -> Encoder | None:
    """Return a function that gives a prompt's token ids; None where the tokenizer is not at hand.

    That is then entered in `notes`. chat: prompts are users' messages in the chat template.
    """
    try:
        tokenizer = load_tokenizer(source)
        template = load_chat_template(source) if chat else None
    except UserError as error:
        reason = f"of a prompt only its last token is known ({error})"
        notes.skipped["tokens of the prompts"] = reason
        return None
    known = known_geometry(source)

    def encode(text: str) -> Sequence[int]:
        if known is not None:
            require_text_length(tokenizer, text, known.n_positions, "dataset CSV: input_text")
        return token_ids_of(tokenizer, text, template)

    return encode
