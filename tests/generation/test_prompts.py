"""The prompts CSV, right and wrong."""

import csv
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import normalizers

from gelu.artifacts import read_text
from gelu.errors import UserError
from gelu.generation.prompts import Prompt, encode_prompts, parse_prompts
from gelu.neurons import Geometry
from tests.helpers import byte_tokenizer, user_error

PATH = Path("prompts.csv")
HEADER = "prompts,number_of_new_tokens,num_samples\n"
NAMES = ["prompts", "number_of_new_tokens", "num_samples"]

texts = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20)
counts = st.integers(1, 10**6)


def parse(text: str) -> list[tuple[str, int, int]]:
    return [(row.text, row.n_new, row.n_samples) for row in parse_prompts(text, PATH)]


@given(st.lists(st.tuples(texts, counts, counts), min_size=1, max_size=5), st.sampled_from("\r\n"))
def test_whatever_csv_writes_is_read_back(rows: list[tuple[str, int, int]], end: str) -> None:
    file = io.StringIO(newline="")
    writer = csv.writer(file, quoting=csv.QUOTE_ALL, lineterminator="\r\n" if end == "\r" else "\n")
    writer.writerows([NAMES, *rows])
    assert parse(file.getvalue()) == rows


def test_quotes_commas_line_breaks_and_emoji() -> None:
    text = HEADER + '"He said ""no"", twice",3,2\n"two\nlines ",4,1\n😀 and plain,5,1\n'
    assert parse(text) == [
        ('He said "no", twice', 3, 2),
        ("two\nlines ", 4, 1),
        ("😀 and plain", 5, 1),
    ]


def test_a_byte_order_mark_and_crlf_ends(tmp_path: Path) -> None:
    path = tmp_path / "excel.csv"
    path.write_bytes(b"\xef\xbb\xbf" + HEADER.replace("\n", "\r\n").encode() + b'"a ",2,1\r\n')
    assert parse(read_text(path)) == [("a ", 2, 1)]


def test_num_samples_may_be_missing_and_columns_may_be_more_and_in_any_order() -> None:
    assert parse("topic,number_of_new_tokens,prompts\nlove,7,I think\n") == [("I think", 7, 1)]
    assert parse(HEADER + "a,2,\nb,3,4.0\n") == [("a", 2, 1), ("b", 3, 4)]
    assert parse(HEADER + "\n\na,2,3\n\n") == [("a", 2, 3)]


WRONG = {
    "missing column": ("prompts,num_samples\na,1\n", "row 1: the column number_of_new_tokens"),
    "empty file": ("", "row 1: the column prompts is missing"),
    "no rows": (HEADER, "no rows below the header"),
    "empty prompt": (HEADER + "ok,2,1\n,2,1\n", "row 2 (line 3): the prompt is empty"),
    "zero": (HEADER + "a,0,1\n", "row 1 (line 2): number_of_new_tokens is '0'"),
    "negative": (HEADER + "a,2,-3\n", "row 1 (line 2): num_samples is '-3'"),
    "fraction": (HEADER + '"two\nlines",2,1\na,2.5,1\n', "row 2 (line 4): number_of_new_tokens"),
    "no number": (HEADER + "a,many,1\n", "row 1 (line 2): number_of_new_tokens is 'many'"),
    "no count": (HEADER + "a,,1\n", "row 1 (line 2): number_of_new_tokens is ''"),
    "bare comma": (HEADER + "a, b,2,1\n", "row 1 (line 2): 4 fields where the header has 3"),
    "open quote": (HEADER + 'a,2,1\n"b,2,1\n', "line 3: not CSV"),
    "text after quote": (HEADER + '"a"b,2,1\n', "line 2: not CSV"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_files_are_refused_with_the_row(name: str) -> None:
    text, message = WRONG[name]
    with pytest.raises(UserError) as error:
        parse_prompts(text, PATH)
    assert str(error.value).startswith("prompts.csv")
    assert message in str(error.value)


@given(st.text(max_size=60) | st.text(alphabet='a,1"\r\n ', max_size=40).map(HEADER.__add__))
def test_any_text_is_read_or_refused_in_one_way(text: str) -> None:
    try:
        rows = parse_prompts(text, PATH)
    except UserError as error:
        assert "prompts.csv" in str(error)
    else:
        assert all(row.text and row.n_new > 0 and row.n_samples > 0 for row in rows)


def refused(path: Path, *more: object) -> str:
    """Run on a model that is not there: the message must come before any model is looked for."""
    return user_error(
        "generate_activation_dataset.py",
        *("--input_csv", path, "--export_dir", path.parent / "out", "--model_type", "no/such"),
        *more,
    )


def test_wrong_files_at_the_command_line(tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    for text, message in WRONG.values():
        path.write_text(text, newline="")
        line = refused(path)
        assert f"{path}, {message}" in line or f"{path}: {message}" in line
    path.write_bytes(b"\x89PNG\r\n\x1a\n\x00\xff")
    assert f"{path}: not UTF-8 text" in refused(path)
    path.write_text("prompts,number_of_new_tokens\na,1\n", encoding="utf-16")
    assert f"{path}: not UTF-8 text" in refused(path)
    assert f"{tmp_path}: this is a folder" in refused(tmp_path)
    assert "missing.csv: no such file" in refused(tmp_path / "missing.csv")
    assert not (tmp_path / "out").exists()


def test_prompts_that_fit_exactly_and_one_that_does_not() -> None:
    geometry = Geometry(1, 8, 32, n_positions=10)
    rows = parse_prompts(HEADER + "abcd,6,1\n", PATH)
    assert encode_prompts(rows, byte_tokenizer().backend_tokenizer, geometry) == [
        Prompt("abcd", tuple(byte_tokenizer().encode("abcd")), 6, 1)
    ]
    rows = parse_prompts(HEADER + "abcd,6,1\nabcd,7,1\n", PATH)
    with pytest.raises(UserError, match=r"row 2 \(line 3\): .*4 tokens and 7 new .*10 positions"):
        encode_prompts(rows, byte_tokenizer().backend_tokenizer, geometry)


def test_a_prompt_of_which_the_tokenizer_makes_no_token_is_named() -> None:
    tokenizer = byte_tokenizer().backend_tokenizer
    tokenizer.normalizer = normalizers.Strip()
    rows = parse_prompts(HEADER + '"a ",6,1\n"  ",6,1\n', PATH)
    with pytest.raises(UserError, match=r"row 2 \(line 3\): the tokenizer makes no token of this"):
        encode_prompts(rows, tokenizer, Geometry(1, 8, 32, n_positions=10))
