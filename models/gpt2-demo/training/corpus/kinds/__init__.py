"""The kinds of documents: the weight of every kind and the function that writes it."""

from collections.abc import Callable

from ..scope import Scope
from . import answers, diary, everyday, moods, nature, numbers, opinions, stories, talk

Writer = Callable[[Scope], str]
KINDS: dict[str, tuple[int, Writer]] = {
    **opinions.KINDS,
    **moods.KINDS,
    **diary.KINDS,
    **stories.KINDS,
    **answers.KINDS,
    **numbers.KINDS,
    **nature.KINDS,
    **everyday.KINDS,
    **talk.KINDS,
}
