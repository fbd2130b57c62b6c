"""Naming samples on the command line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gelu.errors import UserError
from gelu.samples.sample_ids import describe_samples, parse_sample_ids, select_sample_ids


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0,50,200", [0, 50, 200]),
        ("0-3", [0, 1, 2, 3]),
        ("7, 0-2 ,5", [7, 0, 1, 2, 5]),
        ("3,1-4,3", [3, 1, 2, 4]),
        ("5-5", [5]),
        ("007", [7]),
    ],
)
def test_ids_and_ranges_in_the_order_named(text: str, expected: list[int]) -> None:
    assert select_sample_ids(parse_sample_ids(text), list(range(201))) == expected


@pytest.mark.parametrize(
    "text", ["", ",", "1,", "a", "1-", "-1", "1-2-3", "1.5", "٣", "1_0", "9-3"]
)
def test_anything_else_is_refused_by_name(text: str) -> None:
    with pytest.raises(UserError, match="`sample_ids`"):
        parse_sample_ids(text)


def test_unknown_ids_are_named_with_the_ids_there_are() -> None:
    with pytest.raises(UserError, match=r"no sample 10, 12; the samples are 0 to 9$"):
        select_sample_ids(parse_sample_ids("0,10,12"), list(range(10)))


def test_a_huge_range_is_refused_at_once() -> None:
    message = r"no sample 3, 4, 5, 6, 7 and 999,999,999,992 more; the samples are 0 to 2"
    with pytest.raises(UserError, match=message):
        select_sample_ids(parse_sample_ids("0-999999999999"), [0, 1, 2])


def test_samples_are_described() -> None:
    assert describe_samples([]) == "there are no samples"
    assert describe_samples([4]) == "the only sample is 4"
    assert describe_samples([3, 1]) == "the samples are 1 to 3, with gaps (2 in all)"


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 8)), min_size=1))
def test_any_mix_gives_each_id_once_in_order(parts: list[tuple[int, int]]) -> None:
    text = ",".join(f"{first}-{first + more}" if more else f"{first}" for first, more in parts)
    named = [number for first, more in parts for number in range(first, first + more + 1)]
    assert select_sample_ids(parse_sample_ids(text), range(100)) == list(dict.fromkeys(named))


@given(st.text(alphabet="0123456789-, x", max_size=12))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    try:
        ranges = parse_sample_ids(text)
    except UserError:
        return
    assert all(len(named) > 0 for named in ranges)
