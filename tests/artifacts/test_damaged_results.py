"""`report_findings.py` on damaged, hostile and mixed results: a page that is text, or one line."""

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from gelu import artifacts
from gelu.artifacts import Artifacts
from gelu.page import POLICY
from tests import study_results
from tests.damaged_files import REFRESH, damaged, places
from tests.helpers import run_here
from tests.mutations import FUZZING, no_hang
from tests.scripts.test_names_and_text import CHROMIUM, page_after_loading
from tests.study_results import MODEL, PICTURES, contents, png, write_results

PAGE = "report_findings.py"
# Of the values tried at each place; with `make fuzz` all.
EVERY = 1 if FUZZING else 53


@pytest.fixture
def files(tmp_path: Path) -> Artifacts:
    (tmp_path / MODEL).mkdir()
    return write_results(tmp_path / "results")


def make_page(files: Artifacts, *others: Path) -> tuple[str | None, str]:
    """Return the page, or None and the one line that refuses to make it."""
    path = files.path(artifacts.FINDINGS_REPORT)
    path.unlink(missing_ok=True)
    with no_hang():
        code, out, told = run_here(
            PAGE,
            *("--model_type", files.folder.parent / MODEL, "--results_dir", files.folder, *others),
        )
    if code == 0:
        assert out.splitlines() == [str(path)]
        return path.read_text(encoding="utf-8"), told
    assert code == 2 and out == "" and not path.exists()
    assert len(told.splitlines()) == 1 and told.startswith("error: ") and len(told) < 600
    return None, told


class _Page(HTMLParser):
    """Collects what would load, run or lead away, and whether every element is closed."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.suspect: list[str] = []
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        known = set(values) <= KNOWN.get(tag, set()) and tag in {*KNOWN, *PLAIN}
        own = tag != "meta" or values.get("http-equiv") in (None, "Content-Security-Policy")
        source = (values.get("src") or "data:image/png;base64,").startswith("data:image/png;base64")
        local = (values.get("href") or "#").startswith("#")
        if not (known and own and source and local):
            self.suspect.append(f"{tag} {attrs}"[:200])

    def handle_data(self, data: str) -> None:
        self.text += data


KNOWN: dict[str, set[str]] = {
    "meta": {"charset", "name", "content", "http-equiv"},
    "html": {"lang"},
    "a": {"href"},
    "section": {"id"},
    "h3": {"id"},
    "img": {"src", "alt"},
    "div": {"class"},
    "td": {"class"},
    "th": {"class"},
}
PLAIN = {"head", "title", "style", "body", "h1", "h2", "nav", "ul", "ol", "li", "p", "figure",
         "code", "figcaption", "table", "caption", "thead", "tbody", "tr", "mark"}  # fmt: skip


def test_valid_results_make_a_page(files: Artifacts) -> None:
    page, told = make_page(files)
    assert page is not None and told == "" and POLICY in page
    parsed = _Page(page)
    assert parsed.suspect == [] and page.count("data:image/png;base64") == len(PICTURES)
    assert "guesses the next token right 25%" in parsed.text and "NA" in parsed.text
    assert "Not drawn: m_position_layer_heatmap.png: all samples have one position" in parsed.text
    assert "Not computed: a part: no column." in parsed.text and "4 passed" in parsed.text
    assert "On a part of the samples: another part: some samples." in parsed.text
    assert "Of 8 neurons, 5 are active for some" in parsed.text and "-1.5" not in parsed.text
    assert "has not been run" not in parsed.text
    assert "Made by extract_patterns.py with --seed 1, --fdr 0.05." in parsed.text
    assert "12 of the tokens, of 3 prompts, are held out" in parsed.text
    assert " nan" not in parsed.text


@pytest.mark.parametrize("ending", sorted(contents()))
def test_a_damaged_file_is_one_line_or_a_page(files: Artifacts, ending: str) -> None:
    valid = contents()[ending]
    for name, content in damaged(ending, valid, EVERY):
        files.path(ending).write_bytes(content)
        page, told = make_page(files)
        assert (page is None) == (told != "") and (page is not None or ending in told), name
        assert page is None or _Page(page).suspect == [], name


DOCUMENTS = [ending for ending in sorted(contents()) if ending.endswith(".json")]


@pytest.mark.parametrize("ending", DOCUMENTS)
def test_markup_in_a_documents_numbers_is_refused_and_in_its_texts_is_text(
    files: Artifacts, ending: str
) -> None:
    valid = json.loads(contents()[ending])
    tried = [(place, value) for place in places(valid) if _is_leaf(value := _at(valid, place))]
    assert len(tried) > 20
    for place, value in tried:
        changed = json.loads(contents()[ending])
        _at(changed, place[:-1])[place[-1]] = REFRESH
        files.path(ending).write_text(json.dumps(changed))
        page, told = make_page(files)
        # A number that no page and no check uses, such as a neuron's id, may be anything.
        unused = place[-1] in UNUSED or place[-2:-1] == ("settings",)
        assert isinstance(value, str) or page is None or unused, place
        assert page is None or _Page(page).suspect == [], place
        assert page is not None or ending in told


UNUSED = {"neuron_id", "frequency_on", "p_value", "token_id", "n_token", "n_both", "n_on"} | {
    *("sample_id", "prompt_idx", "samples", "neurons", "classes", "seed", "fdr")
}


def _is_leaf(value: Any) -> bool:
    return not isinstance(value, (dict, list)) and value is not None


def _at(content: Any, place: tuple[Any, ...]) -> Any:
    for key in place:
        content = content[key]
    return content


FAMILY = "token-specific neurons"


@pytest.mark.parametrize(
    ("ending", "change", "told"),
    [
        (artifacts.PATTERNS_DOCUMENT, ("patterns", 1, "n_on", "7"), "patterns[1].n_on is '7'; a"),
        (artifacts.PATTERNS_DOCUMENT, ("patterns", 1, "n_on", 61), "patterns[1].n_on is 61 of 60"),
        (artifacts.PATTERNS_DOCUMENT, ("patterns", 0, "threshold", 4), "threshold is 4 of 3"),
        (
            artifacts.PATTERNS_DOCUMENT,
            ("patterns", 0, "neurons", 1, "layer", 2),
            "neurons names L2.0; the model has 2 layers of 4",
        ),
        (artifacts.PATTERNS_DOCUMENT, ("summary", "counts", "kept", 3), "2 patterns stand there"),
        (artifacts.PATTERNS_DOCUMENT, ("patterns", 0, "layer_1_neurons", 1), "neurons names 2"),
        (artifacts.ACTIVATION_PREDICTION, ("decided_by", "token", 6), "adds up to 9 neurons"),
        (artifacts.ACTIVATION_PREDICTION, ("verdict", None), "verdict is null; a text is needed"),
        (artifacts.ACTIVATION_PREDICTION, ("inputs", "dataset_csv_sha256", "a"), "no SHA-256"),
        (artifacts.NEXT_TOKEN, ("counts", "samples_held_out", 61), "more than the 60 of"),
        (artifacts.NEXT_TOKEN, ("counts", "samples", True), "counts.samples is true or false"),
        (artifacts.NEXT_TOKEN, ("scores", "linear", "top1", 1.5), "top1 is 1.5; a number from 0"),
        (artifacts.NEXT_TOKEN, ("scores", "trigram"), "scores.trigram is missing"),
        (artifacts.SUMMARY, ("counts", "dead", 3), "counts.dead is 3, its layers have 2"),
        (artifacts.SUMMARY, ("counts", "prompts", 21), "more than the 20 of counts.completions"),
        (artifacts.SUMMARY, ("counts", "layers", 3), "counts.neurons is 8, of 3 layers"),
        (artifacts.SUMMARY, ("tests", 0, "n_passed", 10), "tests[0].n_passed is 10 of 9"),
        (artifacts.SUMMARY, ("tests", 0, "what", "tokens"), "tests has no token-specific neurons"),
        (artifacts.SUMMARY, ("tests", 1, "what", FAMILY), "tests[0].what stands there twice"),
        (artifacts.SUMMARY, ("tests", 4, "p_value", 2), "tests[4].p_value is 2; a number from 0"),
        (
            artifacts.SUMMARY,
            ("important_neurons", "top", 0, "layer", 0),
            "important_neurons.top: 5 is not L0.1",
        ),
        (
            artifacts.SUMMARY,
            ("important_neurons", "layers", 1, "layer", 2),
            "important_neurons.layers are not the 2 of counts.layers",
        ),
        (
            artifacts.SUMMARY,
            ("important_neurons", "layers", 1, "n_dead", 1),
            "counts.dead is 2, its layers have 1",
        ),
    ],
)
def test_what_cannot_be_is_named(
    files: Artifacts, ending: str, change: tuple[Any, ...], told: str
) -> None:
    content = json.loads(contents()[ending])
    if len(change) == 2 and isinstance(content[change[0]], dict):
        del content[change[0]][change[1]]
    else:
        _at(content, change[:-2])[change[-2]] = change[-1]
    files.path(ending).write_text(json.dumps(content))
    page, error = make_page(files)
    assert page is None and told in error and ending in error


def test_a_wrong_cell_is_named_with_its_row(files: Artifacts) -> None:
    for ending, old, new, told in (
        (artifacts.NEXT_TOKEN_DIRECT, b"0.25", b"x", "row 2 (line 3): correlation is 'x'; a num"),
        (artifacts.NEXT_TOKEN_NEURONS, b"\n4,", b"\n-4,", "row 3 (line 4): token_id is -4; a wh"),
        (artifacts.NEXT_TOKEN_SCORES, b"0.25", b"2.5", "row 1 (line 2): top1 is 2.5; a number f"),
        (artifacts.TEMPERATURE_STUDY, b",1.25,", b",x,", "row 2 (line 3): mean_active is 'x'; a n"),
        (artifacts.TEMPERATURE_STUDY, b"\n0.8,0,", b"\n0.7,0,", "temperature 0.7 are not the lay"),
        (artifacts.ACTIVATION_PREDICTION_LAYERS, b',1,', b",01,", "layer is '01'; a layer's numbe"),
    ):  # fmt: skip
        assert old in contents()[ending]
        files.path(ending).write_bytes(contents()[ending].replace(old, new, 1))
        page, error = make_page(files)
        assert page is None and told in error and ending in error
        files.path(ending).write_bytes(contents()[ending])


# Files that are no files


def _folder(path: Path) -> None:
    path.mkdir()


def _link_to_nothing(path: Path) -> None:
    path.symlink_to("nowhere")


def _link_to_zeros(path: Path) -> None:
    path.symlink_to("/dev/zero")


@pytest.mark.parametrize("make", [_folder, os.mkfifo, _link_to_nothing, _link_to_zeros])
def test_what_is_no_file_is_refused(files: Artifacts, make: Callable[[Path], None]) -> None:
    for ending in contents():
        path = files.path(ending)
        path.unlink()
        make(path)
        page, told = make_page(files)
        assert page is None and ending in told and "a file is needed" in told
        path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
        path.write_bytes(contents()[ending])


def test_a_study_without_its_table_is_left_out_and_said(files: Artifacts) -> None:
    files.path(artifacts.NEXT_TOKEN_SCORES).unlink()
    page, told = make_page(files)
    assert page is not None and "next_token_prediction.json is left out" in told
    text = _Page(page).text
    assert "Left out: m_next_token_prediction.csv is missing; run predict_next_token.py" in text
    assert "has not been run" not in text and "How much of the next token" not in text


# Results of several runs


def _changed(files: Artifacts, ending: str, **changes: Any) -> None:
    """Change values of a document, by place: `counts__samples`."""
    content = json.loads(contents()[ending])
    for place, value in changes.items():
        *parents, last = place.split("__")
        _at(content, tuple(parents))[last] = value
    files.path(ending).write_text(json.dumps(content))


NEXT, ACTIVATIONS = artifacts.NEXT_TOKEN, artifacts.ACTIVATION_PREDICTION
OTHER_COUNTS = {"samples": 61, "neurons": 8, "layers": 2, "prompts": 15, "tested": 5, "kept": 2}


@pytest.mark.parametrize(
    ("ending", "changes", "told"),
    [
        (NEXT, {"inputs__dataset_csv_sha256": "c" * 64}, "the dataset's hash is ccc"),
        (NEXT, {"inputs__activations_sha256": "c" * 64}, "the hash of the activations (.npz)"),
        (NEXT, {"counts__samples": 61}, "the number of samples is 61, there 60"),
        (NEXT, {"counts__neurons": 12}, "the number of neurons is 12, there 8"),
        (NEXT, {"model_type": "other"}, "its model is other, --model_type is m"),
        (
            ACTIVATIONS,
            {"inputs__dataset_csv_sha256": "c" * 64},
            "m_activation_prediction.json: is of",
        ),
        (artifacts.PATTERNS_DOCUMENT, {"inputs__dataset_csv_sha256": "c" * 64}, "dataset's hash"),
        (artifacts.PATTERNS_DOCUMENT, {"summary__counts": OTHER_COUNTS}, "samples is 61, there 60"),
        (artifacts.SUMMARY, {"dataset_csv_sha256": "c" * 64}, "the dataset's hash is aaa"),
        (artifacts.SUMMARY, {"arguments__model_type": "other"}, "its model is other, --model_type"),
        (artifacts.SUMMARY, {"counts__samples": 61}, "the number of samples is 60, there 61"),
    ],
)
def test_studies_of_different_runs_are_refused(
    files: Artifacts, ending: str, changes: dict[str, Any], told: str
) -> None:
    _changed(files, ending, **changes)
    page, error = make_page(files)
    assert page is None and told in error
    if not any("model_type" in place for place in changes):
        assert "run the scripts again on one dataset" in error
        named = [other for other in DOCUMENTS if f"{MODEL}_{other}" in error]
        assert len(named) == 2 and (ending in named or ending == ACTIVATIONS)


def test_a_study_of_temperatures_must_have_as_many_layers(files: Artifacts) -> None:
    rows = study_results.TEMPERATURES.splitlines(True)
    table = "".join(row for row in rows if not row.startswith(("0.0,1", "0.8,1")))
    files.path(artifacts.TEMPERATURE_STUDY).write_text(table)
    page, error = make_page(files)
    assert page is None and "temperature_study.csv: is of another run" in error
    assert "the number of layers is 1, there 2" in error


def test_a_picture_that_was_not_drawn_is_refused(files: Artifacts) -> None:
    files.path(artifacts.POSITION_PICTURE).write_bytes(png())
    page, error = make_page(files)
    assert page is None and "position_layer_heatmap.png: is of another run" in error


# In several folders


def _parted(files: Artifacts, endings: Sequence[str]) -> Artifacts:
    """Move the files of these endings to a folder of their own."""
    other = Artifacts(files.folder.parent / "other", MODEL)
    other.folder.mkdir()
    for ending in endings:
        files.path(ending).rename(other.path(ending))
    return other


ANALYSIS = (artifacts.SUMMARY, artifacts.TOP_NEURONS_PICTURE, artifacts.CLUSTERS_PICTURE)


def test_studies_of_several_folders_stand_on_one_page(files: Artifacts) -> None:
    together, _ = make_page(files)
    other = _parted(files, ANALYSIS)
    alone, _ = make_page(files)
    parted, told = make_page(files, other.folder, files.folder)
    assert parted == together != alone and told == ""
    assert not other.path(artifacts.FINDINGS_REPORT).exists()


@pytest.mark.parametrize("ending", sorted(contents()))
def test_a_study_that_stands_in_two_folders_is_refused(files: Artifacts, ending: str) -> None:
    other = Artifacts(files.folder.parent / "other", MODEL)
    other.folder.mkdir()
    other.path(ending).write_bytes(contents()[ending])
    page, error = make_page(files, other.folder)
    assert page is None and "are in two of the folders: " in error
    assert str(other.path(ending)) in error and str(files.folder) in error


def test_results_of_other_runs_in_another_folder_are_refused_with_both_paths(
    files: Artifacts,
) -> None:
    other = _parted(files, ANALYSIS)
    _changed(other, artifacts.SUMMARY, dataset_csv_sha256="c" * 64)
    page, error = make_page(files, other.folder)
    assert page is None and str(other.path(artifacts.SUMMARY)) in error
    assert str(files.path(ACTIVATIONS)) in error


def test_the_settings_of_studies_may_differ_and_are_stated(files: Artifacts) -> None:
    other = {"settings__seed": 7, "settings__held_out": 0.25, "counts__samples_held_out": 15}
    pickled = {"inputs__activations_file": "m.pickle", "inputs__activations_sha256": "d" * 64}
    _changed(files, NEXT, **other, **pickled)
    page, _ = make_page(files)
    assert page is not None
    text = _Page(page).text
    assert "with --seed 7, --held_out 0.25" in text and "with --seed 42, --held_out 0.2," in text
    assert "15 of the tokens, of 3 prompts, or, for which neurons will fire, 12 of" in text


def _of_another_run() -> Iterator[tuple[str, bytes, str]]:
    layers, scores = study_results.activation_layers(), study_results.next_token_scores()
    yield artifacts.ACTIVATION_PREDICTION_LAYERS, layers.replace(',0.125,', ',0.126,').encode(), (
        "log_loss_bits of learned"
    )  # fmt: skip
    yield artifacts.ACTIVATION_PREDICTION_LAYERS, _without_layer(layers), "the layers differ"
    yield artifacts.NEXT_TOKEN_SCORES, scores.replace('8,2.0,', '8,2.1,').encode(), (
        "cross_entropy_bits of linear"
    )  # fmt: skip
    direct = study_results.DIRECT.replace("0.25", "0.26").encode()
    yield artifacts.NEXT_TOKEN_DIRECT, direct, "the correlation at layer of 1"
    carriers = study_results.CARRIERS.replace("9,1,0,1,", "9,2,0,2,").encode()
    yield artifacts.NEXT_TOKEN_NEURONS, carriers, "the strongest neurons"
    for ending in (
        artifacts.ACTIVATION_PREDICTION_PICTURE,
        artifacts.PATTERNS_PICTURE,
        artifacts.NEXT_TOKEN_PICTURE,
    ):
        yield ending, png(3, 2), "the picture's bytes"


def _without_layer(table: str) -> bytes:
    return "".join(row for row in table.splitlines(True) if ",1," not in row).encode()


@pytest.mark.parametrize(("ending", "content", "told"), list(_of_another_run()))
def test_a_table_or_picture_of_another_run_is_refused(
    files: Artifacts, ending: str, content: bytes, told: str
) -> None:
    assert content != contents()[ending]
    files.path(ending).write_bytes(content)
    page, error = make_page(files)
    assert page is None and told in error and "is of another run than m_" in error


# In a browser


def _hostile(value: Any) -> Any:
    """Return a document with markup in every text, keys of free objects included."""
    if isinstance(value, dict):
        return {key: item if key in KEPT else _hostile(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_hostile(item) for item in value]
    return f"{RUN_IT}{value}" if isinstance(value, str) else value


KEPT = {"model_type", "found_in", "what", "picture_sha256"} | {
    *("dataset_csv_sha256", "activations_sha256")
}
RUN_IT = f"</code></p></li></section></style></title><script>document.title='ran'</script>{REFRESH}"

QUOTED = '"' + RUN_IT.replace('"', '""')


def write_hostile(files: Artifacts) -> None:
    for ending in DOCUMENTS:
        content = _hostile(json.loads(contents()[ending]))
        for place in (content, content.get("summary", {})):
            if "skipped" in place:
                place["skipped"] = {RUN_IT: RUN_IT}
        files.path(ending).write_text(json.dumps(content))
    for ending, old, new in (
        (artifacts.NEXT_TOKEN_NEURONS, '" <b>', QUOTED),
        (artifacts.NEXT_TOKEN_SCORES, '"best 3', QUOTED),
    ):
        text = contents()[ending].decode()
        assert old in text
        files.path(ending).write_text(text.replace(old, new))


def test_markup_in_every_text_is_text(files: Artifacts) -> None:
    write_hostile(files)
    page, told = make_page(files)
    assert page is not None, told
    parsed = _Page(page)
    assert parsed.suspect == [] and parsed.text.count(REFRESH) > 10


@pytest.mark.skipif(not CHROMIUM, reason="no Chromium on this machine")
def test_a_browser_stays_on_the_page_and_runs_nothing(files: Artifacts, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere.html"
    elsewhere.write_text("<title>elsewhere</title>", encoding="utf-8")
    write_hostile(files)
    page, told = make_page(files)
    assert page is not None, told
    here = page.replace("https://example.org/", elsewhere.as_uri())
    # Without the policy as well, so that it is the escaping that is tested.
    for version in (here, here.replace(POLICY, "")):
        loaded = page_after_loading(version, tmp_path)
        assert "<title>What the neurons of m know" in loaded
        assert "<script" not in loaded and loaded.count("<meta") == 3
    # The same, not escaped, does lead away, whatever the policy is: the test can tell.
    refresh = REFRESH.replace("https://example.org/", elsewhere.as_uri())
    spoiled = page.replace("</h1>", f"</h1>{refresh}")
    assert "<title>elsewhere" in page_after_loading(spoiled, tmp_path)


def test_only_whole_pictures_are_embedded(files: Artifacts) -> None:
    document = json.loads(contents()[NEXT])
    picture = png(400, 300)
    document["picture_sha256"] = hashlib.sha256(picture).hexdigest()
    files.path(NEXT).write_text(json.dumps(document))
    files.path(artifacts.NEXT_TOKEN_PICTURE).write_bytes(picture)
    page, _ = make_page(files)
    assert page is not None
    files.path(artifacts.NEXT_TOKEN_PICTURE).write_bytes(picture[:-12])
    page, told = make_page(files)
    assert page is None and "not a PNG picture: it does not end as one" in told
