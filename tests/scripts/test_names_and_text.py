"""Texts and names that come from data stay texts and names: in the report, on disk, in CSVs."""

import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gelu.artifacts import DATASET, MATRIX, REPORT, RUN, Artifacts, read_dataset, write_table
from gelu.artifacts.csv_safe import FORMULA_STARTS, MARK
from gelu.errors import UserError, one_line
from gelu.model.source import LONGEST_NAME, find_model
from gelu.page import POLICY
from tests.helpers import run_here, save_gpt2, write_prompts
from tests.scripts.test_analyze_activations import LETTERS, MODEL, write_toy

RUN_IT = "document.title='executed'"
PROMPTS = [
    f"<script>{RUN_IT}</script>",
    f'"><img src=x onerror="{RUN_IT}">',
    f"'><svg onload={RUN_IT}>",
    f"</code></td></tr></table></section><script>{RUN_IT}</script>",
    f'" onmouseover="{RUN_IT}" style="position:fixed;inset:0',
]
TOKENS = [
    f"<script>{RUN_IT}</script>",
    "<!-- <b>",
    "&lt;script&gt;&#0;",
    "../../x",
    "=HYPERLINK(1)",
    "$\\frac{",
    "\u202e\x1b[2J\r\n",
    "'=1",
]
assert len(TOKENS) == len(LETTERS)


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset's folder whose prompts and tokens are hostile, and its analysis beside it."""
    folder = write_toy(tmp_path_factory.mktemp("hostile") / "dataset", 5, 3, 12)
    path = Artifacts(folder, MODEL).path(DATASET)
    table = read_dataset(path)
    token = dict(zip(LETTERS, TOKENS, strict=True))
    for column in ("output", "context_token"):
        table[column] = table[column].map(token)
    table["input_text"] = [PROMPTS[number] for number in table["prompt_idx"]]
    write_table(path, table)
    analyse(folder, folder.parent / "analysis")
    return folder


def analyse(folder: Path, output: Path, *arguments: object) -> None:
    files = Artifacts(folder, MODEL)
    (folder.parent / MODEL).mkdir(exist_ok=True)
    code, _, told = run_here(
        "analyze_activations.py",
        *("--dataset_csv", files.path(DATASET), "--activations_file", files.path(MATRIX)),
        *("--output_dir", output, "--model_type", folder.parent / MODEL, *arguments),
    )
    assert code == 0, told


def page_of(hostile: Path) -> str:
    path = Artifacts(hostile.parent / "analysis", MODEL).path(REPORT)
    return path.read_text(encoding="utf-8")


class _Elements(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_report_shows_hostile_texts_as_text(hostile: Path) -> None:
    parser = _Elements()
    parser.feed(page_of(hostile))
    tags = {tag for tag, _ in parser.elements}
    assert not tags & {"script", "svg", "b", "iframe", "object", "embed", "link", "form", "a:x"}
    attributes = {name for _, found in parser.elements for name in found}
    assert not {name for name in attributes if name.startswith("on")} and "style" not in attributes
    pictures = [found["src"] or "" for tag, found in parser.elements if tag == "img"]
    assert pictures and all(source.startswith("data:image/png;base64,") for source in pictures)
    links = [found["href"] or "" for tag, found in parser.elements if tag == "a"]
    assert all(link.startswith("#") for link in links)
    shown = [text for text in PROMPTS + TOKENS if text in parser.text]
    assert PROMPTS[0] in shown


CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), ""
)


def page_after_loading(page: str, folder: Path) -> str:
    """Return a page's elements, as HTML, after a real browser has loaded and run it."""
    path = folder / "page.html"
    path.write_text(page, encoding="utf-8")
    options = ("--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=2000")
    result = subprocess.run(
        [CHROMIUM, *options, f"--user-data-dir={folder / 'profile'}", "--dump-dom", path.as_uri()],
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=60,
        check=True,
    )
    return result.stdout


@pytest.mark.skipif(not CHROMIUM, reason="no Chromium on this machine")
def test_a_browser_runs_nothing_of_the_report(hostile: Path, tmp_path: Path) -> None:
    page = page_of(hostile)
    assert POLICY in page
    # Without the policy as well, so that it is the escaping that is tested.
    unguarded = page.replace(POLICY, "")
    for version in (page, unguarded):
        loaded = page_after_loading(version, tmp_path)
        assert "<title>executed" not in loaded and "<title>What the neurons" in loaded
        assert "<script" not in loaded and "onerror=" not in re.sub(r">[^<]*<", "><", loaded)
    # The same texts, not escaped, do run: the test can tell.
    spoiled = unguarded.replace("</body>", f"{''.join(PROMPTS)}</body>")
    assert "<title>executed" in page_after_loading(spoiled, tmp_path)


# Names


def tree(folder: Path) -> set[Path]:
    return set(folder.rglob("*"))


NAMES = ["../x", "x/..", ".hidden", "..x", "a b", "x\ny", "-rf", "--help", "<script>", "%2e%2e",
         "模型", "=cmd", "a\x1b[2J", "CON", "~", "$HOME", "*", "a;b",
         "x" * LONGEST_NAME]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_files_stay_in_the_output_folder_whatever_the_model_is_called(
    tmp_path: Path, name: str
) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "x").mkdir()
    model = tmp_path / "models" / name
    model.mkdir(exist_ok=True, parents=True)
    config = {"model_type": "gpt2", "n_layer": 2, "n_embd": 2, "n_head": 1}
    (model / "config.json").write_text(json.dumps(config))
    before = tree(tmp_path)
    output = tmp_path / "out"
    code, _, told = run_here(
        "a_generate_gelu_graph.py", "--model_type", model, "--output_dir", output
    )
    assert code == 0, told
    made = tree(tmp_path) - before - {output}
    assert len(made) == 2 and {path.parent for path in made} == {output}
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+", path.name) for path in made)


@pytest.mark.parametrize(
    "name",
    ["../x", "x/../../y", "a/b/c", "", "x\ny", "a\0b", "/", "x" * 300, "a/" * 200, "~nobody/x", "é",
     "https://x", "\ud800"],
)  # fmt: skip
def test_names_that_are_neither_folders_nor_hub_ids_are_one_line(tmp_path: Path, name: str) -> None:
    code, out, told = run_here(
        "a_generate_gelu_graph.py", "--model_type", name, "--output_dir", tmp_path / "out"
    )
    assert (code, out) == (2, "")
    assert re.fullmatch(r"error: --model_type .*\n", told)
    assert tree(tmp_path) == set()


def test_a_name_too_long_for_its_files_is_refused_before_anything_is_written(
    tmp_path: Path,
) -> None:
    folder = tmp_path / ("x" * (LONGEST_NAME + 1))
    folder.mkdir()
    with pytest.raises(UserError, match="1 to 160 characters; this one has 161"):
        find_model(str(folder))
    with pytest.raises(UserError, match="`model_type` /"):
        find_model("/")


def test_tokens_name_no_files(hostile: Path, tmp_path: Path) -> None:
    before = tree(hostile.parent)
    output = tmp_path / "pictures"
    code, _, told = run_here(
        "visualize_sample_activations.py",
        *("--dataset_dir", hostile, "--sample_ids", "0-7", "--export_dir", output),
        *("--model_type", hostile.parent / MODEL),
    )
    assert code == 0, told
    assert sorted(path.name for path in output.iterdir()) == [
        f"{MODEL}_sample_{number}_activation.png" for number in range(8)
    ]
    assert tree(hostile.parent) == before


def test_messages_are_one_line_that_moves_no_cursor() -> None:
    shown = one_line("a\nb\x1b[2J\x00\u202e\ud800 ü 模" + "x" * 10_000)
    assert shown.startswith("a b\\x1b[2J\\x00\\u202e\\ud800 ü 模x") and len(shown) < 2100


# Formulas in CSVs

FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "\uff1d1", "=", "-"]
ODD_TEXTS = [*FORMULAS, "'", "''", "'=1", "'a", "", " =1", "a=1", "NA", '"', ",", "\x00"]


def dataset_of(texts: list[str]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "sample_id": np.arange(len(texts)),
            "prompt_sample_idx": 0,
            "token_position": np.arange(len(texts)),
            "input_text": texts[::-1],
            "output": texts,
            "output_logprob": -0.125,
        }
    )


@given(st.lists(st.sampled_from(ODD_TEXTS) | st.text(st.characters(codec="utf-8")), min_size=1))
def test_guarded_texts_begin_no_formula_and_come_back(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str]
) -> None:
    table = dataset_of(texts)
    folder = tmp_path_factory.mktemp("safe")
    path = write_table(folder / "a.csv", table, csv_safe=True)
    cells = pd.read_csv(path, keep_default_na=False, dtype=str)
    assert list(cells.columns) == [*table.columns, MARK]
    for column in ("input_text", "output"):
        assert not cells[column].str[:1].isin(list(FORMULA_STARTS)).any()
    assert (cells["output_logprob"] == "-0.125").all()
    pd.testing.assert_frame_equal(read_dataset(path), table, check_dtype=False)


def test_without_the_flag_texts_are_as_they_are(tmp_path: Path) -> None:
    path = write_table(tmp_path / "a.csv", dataset_of(ODD_TEXTS))
    cells = pd.read_csv(path, keep_default_na=False, dtype=str)
    assert cells["output"].tolist() == ODD_TEXTS and MARK not in cells.columns


def test_a_guarded_table_that_was_changed_is_refused(tmp_path: Path) -> None:
    path = write_table(tmp_path / "a.csv", dataset_of(["=1", "b"]), csv_safe=True)
    text = path.read_text()
    for changed, told in [
        (text.replace('"\'=1"', '"=1"', 1), "row 1: output lacks the apostrophe"),
        (text.replace(",1\n", ",0\n"), "the column csv_safe is not 1 in every row"),
    ]:
        path.write_text(changed)
        with pytest.raises(UserError, match=told):
            read_dataset(path)


def test_the_flag_changes_the_datasets_texts_and_nothing_else(tmp_path: Path) -> None:
    save_gpt2(tmp_path / "m")
    prompts = write_prompts(tmp_path / "p.csv", ("=1+1", 9, 1), ("-2", 9, 1), ("'a", 9, 1))

    def generate(name: str, *arguments: object) -> Artifacts:
        code, _, told = run_here(
            "generate_activation_dataset.py",
            *("--model_type", tmp_path / "m", "--input_csv", prompts, "--device", "cpu"),
            *("--export_dir", tmp_path / name, "--temperature", 2, *arguments),
        )
        assert code == 0, told
        return Artifacts(tmp_path / name, "m")

    plain, safe = generate("plain"), generate("safe", "--csv_safe")
    for path in plain.folder.iterdir():
        same = path.read_bytes() == (safe.folder / path.name).read_bytes()
        assert same == (path.name not in (f"m_{DATASET}", f"m_{RUN}")), path.name
    table = read_dataset(plain.path(DATASET))
    assert table["input_text"].unique().tolist() == ["=1+1", "-2", "'a"]
    pd.testing.assert_frame_equal(read_dataset(safe.path(DATASET)), table)
    stated: list[Any] = [json.loads(files.path(RUN).read_text()) for files in (plain, safe)]
    assert stated[1]["arguments"].pop("csv_safe") is True
    assert stated[0] == stated[1]


def test_the_analysis_of_a_guarded_dataset_is_that_of_the_plain_one(
    hostile: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "dataset"
    shutil.copytree(hostile, folder)
    path = Artifacts(folder, MODEL).path(DATASET)
    write_table(path, read_dataset(path), csv_safe=True)
    analyse(folder, tmp_path / "analysis", "--csv_safe")
    for plain in (hostile.parent / "analysis").glob("*.csv"):
        expected = pd.read_csv(plain, keep_default_na=False)
        guarded = pd.read_csv(tmp_path / "analysis" / plain.name, keep_default_na=False)
        assert (guarded.pop(MARK) == 1).all()
        for column in guarded.columns:
            texts = guarded[column].astype(str)
            begins = texts.str[:1].isin(list(FORMULA_STARTS))
            assert not begins.any() or pd.api.types.is_numeric_dtype(guarded[column])
            undone = texts.where(texts.str[:1] != "'", texts.str[1:])
            assert undone.tolist() == expected[column].astype(str).tolist()
