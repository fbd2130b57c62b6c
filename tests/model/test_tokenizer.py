"""Texts and tokens with tokenizers of other families: what they add by themselves, and spaces."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from gelu.errors import UserError
from gelu.model.chat import load_chat_template
from gelu.model.source import ModelSource, find_model
from gelu.model.tokenizer import decode_token, load_tokenizer, token_ids_of
from tests.families import save_family
from tests.helpers import byte_tokenizer

TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}<{{ m['role'] }}>{{ m['content'] }}\n{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)


def sentence_piece_like() -> Tokenizer:
    """Return a tokenizer as Llama's and Gemma's: spaces are letters, unknown ones bytes."""
    words = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    letters = ["\u2581", *"abcdefghilorvwe"]
    merges = [("\u2581", "l"), ("\u2581l", "o"), ("\u2581lo", "v"), ("\u2581lov", "e")]
    vocabulary = {
        word: i for i, word in enumerate([*words, *letters, *("".join(pair) for pair in merges)])
    }
    tokenizer = Tokenizer(
        models.BPE(vocab=vocabulary, merges=merges, byte_fallback=True, unk_token="<unk>")
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
    tokenizer.decoder = decoders.Sequence(
        [
            decoders.Replace("\u2581", " "),
            decoders.ByteFallback(),
            decoders.Fuse(),
            decoders.Strip(" ", 1, 0),
        ]
    )
    return tokenizer


def with_added(begin: str, end: str) -> Tokenizer:
    tokenizer = sentence_piece_like()
    ids = {name: tokenizer.token_to_id(name) for name in ("<s>", "</s>")}
    tokenizer.add_special_tokens(list(ids))
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{begin} $A {end}".strip(), special_tokens=list(ids.items())
    )
    return tokenizer


def test_a_token_keeps_the_space_before_it() -> None:
    tokenizer = sentence_piece_like()
    ids = tokenizer.get_vocab()
    texts = {"\u2581love": " love", "a": "a", "\u2581": " ", "<0xE4>": "\N{REPLACEMENT CHARACTER}"}
    assert {name: decode_token(tokenizer, ids[name]) for name in texts} == texts


@given(st.text(alphabet="abcdef lov", min_size=1, max_size=20))
def test_tokens_one_after_another_are_the_text(text: str) -> None:
    tokenizer = sentence_piece_like()
    ids = token_ids_of(tokenizer, text)
    # The tokenizer itself puts a space before a text.
    assert "".join(decode_token(tokenizer, i) for i in ids).lstrip(" ") == text.lstrip(" ")


@pytest.mark.parametrize(("begin", "end"), [("", ""), ("<s>", ""), ("<s>", "</s>"), ("", "</s>")])
def test_what_a_tokenizer_begins_a_text_with_is_kept_and_an_end_is_not(
    begin: str, end: str
) -> None:
    tokenizer = with_added(begin, end)
    plain = tokenizer.encode("love a", add_special_tokens=False).ids
    bos = [tokenizer.token_to_id(begin)] if begin else []
    assert list(token_ids_of(tokenizer, "love a")) == [*bos, *plain]
    # The end that a person has typed is the text's own.
    assert token_ids_of(tokenizer, "love a</s>")[-1] == tokenizer.token_to_id("</s>")


@pytest.mark.parametrize("kind", ["llama", "gpt_neox", "opt"])
def test_text_becomes_the_tokens_of_transformers_own_tokenizer(kind: str, tmp_path: Path) -> None:
    save_family(tmp_path, kind)
    ours = load_tokenizer(ModelSource("m", tmp_path, None))
    theirs = AutoTokenizer.from_pretrained(tmp_path)
    for text in ("I think love is", " \n\t", "\u00e4\u4f60\U0001f600<|endoftext|>"):
        assert list(token_ids_of(ours, text)) == theirs(text)["input_ids"]


def test_without_a_whole_tokenizer_transformers_makes_it_of_its_parts(tmp_path: Path) -> None:
    save_family(tmp_path, "opt")
    Tokenizer.from_file(str(tmp_path / "tokenizer.json")).model.save(str(tmp_path))
    (tmp_path / "tokenizer.json").unlink()
    (tmp_path / "tokenizer_config.json").write_text(
        json.dumps({"tokenizer_class": "GPT2Tokenizer", "bos_token": "!", "add_bos_token": True})
    )
    source = ModelSource("m", tmp_path, None)
    tokenizer = load_tokenizer(source)
    plain = tokenizer.encode("love", add_special_tokens=False).ids
    theirs = AutoTokenizer.from_pretrained(tmp_path)("love")["input_ids"]
    assert list(token_ids_of(tokenizer, "love")) == theirs
    assert theirs[-len(plain) :] == plain
    (tmp_path / "vocab.json").unlink()
    with pytest.raises(UserError, match=r"no tokenizer \(tokenizer\.json, or tokenizer\.model"):
        load_tokenizer(source)


def chatty(folder: Path, template: str | None) -> ModelSource:
    save_family(folder, "llama")
    tokenizer: PreTrainedTokenizerFast = byte_tokenizer()
    tokenizer.chat_template = template
    tokenizer.save_pretrained(folder)
    return find_model(str(folder))


def test_a_prompt_is_a_users_message_with_the_assistants_turn_begun(tmp_path: Path) -> None:
    source = chatty(tmp_path / "m", TEMPLATE)
    template = load_chat_template(source)
    assert template("Who?") == "<|endoftext|><user>Who?\n<assistant>"
    tokenizer = load_tokenizer(source)
    theirs: Any = AutoTokenizer.from_pretrained(tmp_path / "m").apply_chat_template(
        [{"role": "user", "content": "Who?"}], add_generation_prompt=True
    )
    assert list(token_ids_of(tokenizer, "Who?", template)) == theirs["input_ids"]


def test_a_template_that_asks_for_the_date_is_the_same_every_day(tmp_path: Path) -> None:
    source = chatty(tmp_path / "m", "\n{{ strftime_now('%d %b %Y') }}|{{ date_string }}")
    assert load_chat_template(source)("x") == "\n26 Jul 2024|26 Jul 2024"


@pytest.mark.parametrize(
    ("template", "message"),
    [
        (None, "has no chat template; leave out `chat`"),
        ("{{ raise_exception('no user') }}", "chat template fails .*no user"),
        ("{{ ''.__class__.__mro__ }}", "chat template fails .*(Security|unsafe)"),
        ("{% for i in range(10000000000) %}x{% endfor %}", "chat template fails .*[Rr]ange"),
        ("{% if %}", "chat template fails"),
    ],
)
def test_a_template_that_cannot_be_used_is_one_line(
    template: str | None, message: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=message) as raised:
        load_chat_template(chatty(tmp_path / "m", template))("hello")
    assert "\n" not in str(raised.value)
