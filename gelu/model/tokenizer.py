"""A model's tokenizer, and one text as its tokens."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from gelu.errors import UserError
from gelu.model.chat import ChatTemplate
from gelu.model.config import CONFIG, read_config
from gelu.model.source import Find, ModelSource, all_of, damaged_files, find_files
from gelu.neurons import Geometry

WHOLE, GPT2_FILES = "tokenizer.json", ("vocab.json", "merges.txt")
# What transformers may read to make a family's tokenizer where there is no tokenizer.json.
PARTS = (
    *GPT2_FILES, "tokenizer.model", "spiece.model", "tokenizer_config.json",
    "special_tokens_map.json", "added_tokens.json", CONFIG,
)  # fmt: skip
END_OF_TEXT = "<|endoftext|>"
QUICK_TEXT = 100_000  # characters, which are encoded in less than a second


def load_tokenizer(source: ModelSource) -> Any:
    """Return the model's `tokenizers.Tokenizer`: of `tokenizer.json`, else of its family's files.

    Raises `UserError` where these are missing or damaged.
    """
    gpt2 = read_config(source)["model_type"] == "gpt2"
    files = find_files(source, partial(_tokenizer_files, GPT2_FILES if gpt2 else PARTS))
    names = {file.name for file in files}
    needed = set(GPT2_FILES) if gpt2 else {"tokenizer.model", "spiece.model", "vocab.json"}
    if WHOLE not in names and not (names >= needed if gpt2 else names & needed):
        others = "vocab.json and merges.txt" if gpt2 else "tokenizer.model or vocab.json"
        raise UserError(f"`model_type` {source.shown}: no tokenizer ({WHOLE}, or {others})")
    from tokenizers import Tokenizer

    with damaged_files(source, "tokenizer"):
        if WHOLE in names:
            tokenizer = Tokenizer.from_file(str(files[0]))
        else:
            tokenizer = (
                _byte_level_tokenizer(*files) if gpt2 else _family_tokenizer(files[0].parent)
            )
    # A file can say that texts are cut to some length, or filled up to it.
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def _tokenizer_files(parts: Sequence[str], find: Find) -> list[Path]:
    return all_of(find, [WHOLE]) or [path for path in find(parts) if path is not None]


def _family_tokenizer(folder: Path) -> Any:
    """Return what transformers makes of a folder; no code of the folder is run."""
    from transformers import AutoTokenizer

    from gelu.model.pretrained import quiet_transformers

    with quiet_transformers():
        tokenizer = AutoTokenizer.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False
        )
    if not tokenizer.is_fast:
        raise ValueError(f"{type(tokenizer).__name__} has no fast tokenizer")
    return tokenizer.backend_tokenizer


def _byte_level_tokenizer(vocabulary: Path, merges: Path) -> Any:
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

    tokenizer = Tokenizer(models.BPE.from_file(str(vocabulary), str(merges)))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    if tokenizer.token_to_id(END_OF_TEXT) is not None:
        tokenizer.add_special_tokens([AddedToken(END_OF_TEXT, normalized=False)])
    return tokenizer


def token_ids_of(tokenizer: Any, text: str, chat: ChatTemplate | None = None) -> tuple[int, ...]:
    """Return the text's token ids, behind those that the tokenizer itself begins a text with.

    Tokens that it would end a text with are left out: the text is to be gone on with. chat: the
    text is a user's message, and the template says what stands around it.
    """
    if chat is not None:
        return tuple(tokenizer.encode(chat(text), add_special_tokens=False).ids)
    encoding = tokenizer.encode(text)
    ids, added = encoding.ids, encoding.special_tokens_mask
    end = len(ids)
    while end and added[end - 1]:
        end -= 1
    # A text without tokens of its own has none: what is added alone is no text.
    return tuple(ids[:end])


def encode_text(
    tokenizer: Any,
    text: str,
    geometry: Geometry,
    place: str,
    n_new: int = 0,
    chat: ChatTemplate | None = None,
) -> tuple[int, ...]:
    """Return the token ids of a text that the model can read and go on with for `n_new` tokens.

    chat: as in `token_ids_of`. `place` says where the text stands. Raises `UserError` for a text
    without tokens, for a token that the model has not, and for more tokens than it has positions; a
    text that is too long whatever its tokens are is not encoded.
    """
    if not text:
        raise UserError(f"{place}: the text is empty; give at least one character")
    require_text_length(tokenizer, text, geometry.n_positions, place)
    token_ids = token_ids_of(tokenizer, text, chat)
    if not token_ids:
        raise UserError(f"{place}: the tokenizer makes no token of this text")
    beyond = [token_id for token_id in token_ids if token_id >= geometry.vocab_size]
    if beyond:
        raise UserError(
            f"{place}: the tokenizer makes token {beyond[0]} of this text, the model's vocabulary "
            f"has {geometry.vocab_size}; the two of `model_type` do not belong together"
        )
    if len(token_ids) + n_new > geometry.n_positions:
        new = f" and {n_new:,} new ones are {len(token_ids) + n_new:,}" if n_new else ""
        raise UserError(
            f"{place}: the text's {len(token_ids):,} tokens{new}; the model has "
            f"{geometry.n_positions:,} positions"
        )
    return token_ids


def require_text_length(tokenizer: Any, text: str, n_positions: int, place: str) -> None:
    """Raise `UserError` for a text of more characters than the longest tokens could hold.

    A text of megabytes takes long to encode. Nothing is refused where a token may stand for any
    number of characters, as with a tokenizer that is not GPT-2's kind.
    """
    if len(text) <= QUICK_TEXT or not _keeps_every_byte(tokenizer):
        return
    # In the vocabulary each byte is a character.
    most = n_positions * max(map(len, tokenizer.get_vocab()))
    if len(text) > most:
        raise UserError(
            f"{place}: the text has {len(text):,} characters; the model has {n_positions} "
            f"positions, which hold {most:,} at most"
        )


def _keeps_every_byte(tokenizer: Any) -> bool:
    """Return whether tokens say every byte of a text: byte-level BPE that drops or adds nothing."""
    from tokenizers import models, pre_tokenizers

    bytes_known = set(pre_tokenizers.ByteLevel.alphabet()) <= tokenizer.get_vocab().keys()
    return (
        bytes_known
        and tokenizer.normalizer is None
        and isinstance(tokenizer.model, models.BPE)
        and isinstance(tokenizer.pre_tokenizer, pre_tokenizers.ByteLevel)
        and not any(it.lstrip or it.rstrip for it in tokenizer.get_added_tokens_decoder().values())
    )


def decode_token(tokenizer: Any, token_id: int) -> str:
    """Return one token's text; bytes that are no UTF-8 by themselves become U+FFFD."""
    from tokenizers import decoders

    text: str = tokenizer.decode([token_id], skip_special_tokens=False)
    if isinstance(tokenizer.decoder, decoders.ByteLevel):
        return text
    # Other decoders take a space off a text's beginning: behind another token it stays.
    before = tokenizer.encode("a", add_special_tokens=False).ids
    alone: str = tokenizer.decode(before, skip_special_tokens=False)
    both: str = tokenizer.decode([*before, token_id], skip_special_tokens=False)
    return both[len(alone) :] if both.startswith(alone) else text
