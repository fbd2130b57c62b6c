"""Each study as a notebook calls it: values in, tables out, nothing printed, nothing written."""

from pathlib import Path

import pytest

from gelu.analysis.output import write_analysis
from gelu.analysis.run import analyse_folder
from gelu.analysis.settings import AnalysisSettings
from gelu.errors import UserError
from gelu.learning.activations_run import learn_and_predict, predict_activations
from gelu.learning.next_token_run import predict_next_token
from gelu.learning.settings import ActivationSettings, NextTokenSettings
from gelu.patterns.output import write_patterns
from gelu.patterns.run import PatternSettings, patterns_of_folder
from gelu.patterns.testing import SearchSettings
from tests.scripts.test_analyze_activations import MODEL, write_toy


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_toy(tmp_path_factory.mktemp("studies") / "dataset", 8, 2, 8)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_an_analysis_is_tables_and_its_notes(
    dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = contents(dataset)
    settings = AnalysisSettings(fdr=0.1)
    first, second = (analyse_folder(dataset, MODEL, settings) for _ in range(2))
    assert len(first.analysis.important) == first.read.samples.geometry.n_neurons
    # What a run notes is in its result, and the samples that it was given stay as they are.
    assert first.analysis.notes.skipped == second.analysis.notes.skipped
    with pytest.raises(TypeError):
        first.read.samples.skipped["a"] = "b"  # type: ignore[index]
    assert capsys.readouterr().out == "" and contents(dataset) == before
    written = write_analysis(first, tmp_path / "one")
    write_analysis(second, tmp_path / "two")
    assert written.summary["tests"][0]["fdr"] == 0.1
    assert contents(tmp_path / "one") == contents(tmp_path / "two") != {}
    assert capsys.readouterr().out == ""


def test_patterns_are_tables(
    dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    search = SearchSettings(seed=0, fdr=0.05, most=2, null_draws=0)
    run = patterns_of_folder(dataset, MODEL, PatternSettings(search, 5))
    assert len(run.analysis.patterns) == run.analysis.document["summary"]["counts"]["kept"]
    written = write_patterns(run, tmp_path)
    assert all(path.is_file() for path in written.paths)
    assert capsys.readouterr().out == ""


def test_predictions_are_tables(dataset: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = contents(dataset)
    small = ActivationSettings(history=3, width=8, token_width=8, epochs=1, least_steps=1)
    run = predict_activations(dataset, MODEL, small, "cpu")
    assert {"predictor", "log_loss_bits"} <= set(run.study.layers.columns)
    tokens = predict_next_token(dataset, MODEL, NextTokenSettings(epochs=1), "cpu")
    assert {"predictor", "cross_entropy_bits"} <= set(tokens.study.scores.columns)
    # The toy's model is not at hand: the result says what is therefore unknown.
    assert "tokens of the prompts" in run.inputs.notes.skipped
    assert "the model's weights" in tokens.inputs.notes.skipped
    printed = capsys.readouterr()
    assert printed.out == "" and "note:" not in printed.err and contents(dataset) == before


def test_errors_name_parameters_and_no_flags(dataset: Path, tmp_path: Path) -> None:
    many = AnalysisSettings(n_clusters=10**6)
    with pytest.raises(UserError, match="`clusters` 1000000: there are"):
        analyse_folder(dataset, MODEL, many)
    with pytest.raises(UserError, match="`history` 9999: the model has read"):
        predict_activations(dataset, MODEL, ActivationSettings(history=9999))
    with pytest.raises(UserError, match="give `dataset_dir` to learn from, or `predict`"):
        learn_and_predict(tmp_path, MODEL, ActivationSettings())
    with pytest.raises(UserError, match=r"`dataset_dir` .*no such folder"):
        patterns_of_folder(
            tmp_path / "none", MODEL, PatternSettings(SearchSettings(0, 0.1, 1, 0), 5)
        )
