"""A model's tokenizer, and one text as its tokens."""

from pathlib import Path
from typing import Any

from gelu.errors import UserError
from gelu.model.source import Find, ModelSource, all_of, damaged_files, find_files
from gelu.neurons import Geometry

TOKENIZERS = (("tokenizer.json",), ("vocab.json", "merges.txt"))
END_OF_TEXT = "<|endoftext|>"
QUICK_TEXT = 100_000  # characters, which are encoded in less than a second


def load_tokenizer(source: ModelSource) -> Any:
    """Return the model's `tokenizers.Tokenizer`, of `tokenizer.json` or else of GPT-2's two files.

    Raises `UserError` where these are missing or damaged.
    """
    files = find_files(source, _tokenizer_files)
    if not files:
        raise UserError(
            f"`model_type` {source.shown}: no tokenizer (tokenizer.json, or "
            "vocab.json and merges.txt)"
        )
    from tokenizers import Tokenizer

    with damaged_files(source, "tokenizer"):
        if len(files) == 1:
            tokenizer = Tokenizer.from_file(str(files[0]))
        else:
            tokenizer = _byte_level_tokenizer(*files)
    # A file can say that texts are cut to some length, or filled up to it.
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def _tokenizer_files(find: Find) -> list[Path]:
    return next((files for names in TOKENIZERS if (files := all_of(find, names))), [])


def _byte_level_tokenizer(vocabulary: Path, merges: Path) -> Any:
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

    tokenizer = Tokenizer(models.BPE.from_file(str(vocabulary), str(merges)))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    if tokenizer.token_to_id(END_OF_TEXT) is not None:
        tokenizer.add_special_tokens([AddedToken(END_OF_TEXT, normalized=False)])
    return tokenizer


def token_ids_of(tokenizer: Any, text: str) -> tuple[int, ...]:
    """Return the text's token ids, no special ones added."""
    return tuple(tokenizer.encode(text, add_special_tokens=False).ids)


def encode_text(
    tokenizer: Any, text: str, geometry: Geometry, place: str, n_new: int = 0
) -> tuple[int, ...]:
    """Return the token ids of a text that the model can read and go on with for `n_new` tokens.

    `place` says where the text stands. Raises `UserError` for a text without tokens, for a token
    that the model has not, and for more tokens than it has positions; a text that is too long
    whatever its tokens are is not encoded.
    """
    if not text:
        raise UserError(f"{place}: the text is empty; give at least one character")
    require_text_length(tokenizer, text, geometry.n_positions, place)
    token_ids = token_ids_of(tokenizer, text)
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
    text: str = tokenizer.decode([token_id], skip_special_tokens=False)
    return text
