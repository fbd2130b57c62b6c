"""A model's chat template: what stands around a user's message before the assistant's turn.

    template = load_chat_template(find_model("SmolLM2-135M-Instruct"))
    template("Who was Ada Lovelace?")       # the text that the model is given

Templates are Jinja, run by transformers in Jinja's sandbox. Some state today's date; here it is
always the same one, so that equal commands give equal texts.
"""

from datetime import date
from pathlib import Path
from typing import Any

from gelu.errors import UserError
from gelu.model.source import Find, ModelSource, damaged_files, find_files

FILES = ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja", "chat_template.json",
         "special_tokens_map.json", "tokenizer.model", "vocab.json", "merges.txt",
         "config.json")  # fmt: skip
DATE = date(2024, 7, 26)  # the day that Llama 3's own templates fall back to
_FORMATS = "".join(
    f"|replace('%{code}', '{DATE.strftime(f'%{code}')}')" for code in "aAbBdHIjmMpSyYZ"
)
# Before a template, this takes the place of transformers' function of that name. The empty text at
# the end keeps a line break with which the template itself may begin.
_TODAY = "{%- macro strftime_now(format) -%}{{ format" + _FORMATS + " }}{%- endmacro %}{{ '' }}"


class ChatTemplate:
    """Turns a user's message into the text of a chat in which the assistant's turn has begun."""

    def __init__(self, tokenizer: Any, place: str) -> None:
        self._tokenizer, self._place = tokenizer, place

    def __call__(self, message: str) -> str:
        """Return the chat's text. Raises `UserError` where the template cannot take the message."""
        try:
            text = self._tokenizer.apply_chat_template(
                [{"role": "user", "content": message}],
                tokenize=False,
                add_generation_prompt=True,
                chat_template=_TODAY + self._tokenizer.get_chat_template(),
                date_string=DATE.strftime("%d %b %Y"),
            )
        except Exception as error:  # whatever a template of other people raises
            reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
            raise UserError(f"{self._place}: its chat template fails ({reason})") from None
        return str(text)


def load_chat_template(source: ModelSource) -> ChatTemplate:
    """Return the source's chat template; `UserError` where it has none."""
    files = find_files(source, _present)
    place = f"`model_type` {source.shown}"
    if not files:
        raise UserError(f"{place}: no tokenizer, so no chat template")
    from transformers import AutoTokenizer

    from gelu.model.pretrained import quiet_transformers

    with damaged_files(source, "tokenizer"), quiet_transformers():
        tokenizer = AutoTokenizer.from_pretrained(
            files[0].parent, local_files_only=True, trust_remote_code=False
        )
    if not tokenizer.chat_template:
        raise UserError(f"{place}: the tokenizer has no chat template; leave out `chat`")
    return ChatTemplate(tokenizer, place)


def _present(find: Find) -> list[Path]:
    return [path for path in find(FILES) if path is not None]
