"""The headline numbers of an analysis, as plain values."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gelu.analysis.run import Analysis
from gelu.analysis.settings import AnalysisSettings
from gelu.artifacts.plain import Plain, plain, records
from gelu.samples.arrays import Samples
from gelu.statistics.consistent_neurons import Consistency
from gelu.statistics.position_specific import PositionTests
from gelu.statistics.prompt_comparison import PermutationTest
from gelu.statistics.token_specific import TokenTests
from gelu.statistics.tokens_across_prompts import AcrossPrompts

TOP = 10
TOKEN_TEST = (
    "the largest p-value of Fisher's exact test and of three with counts divided by a design "
    "effect (Rao and Scott 1992): the variance over circular shifts of the activity over "
    "completions and within them, samples of equal prefix counted once, and that over pairs of "
    "prompts, place by place; pairs that could not pass are not tested (Gilbert 2005)"
)
POSITION_TEST = (
    "the larger p-value of Fisher's exact test and of circular shifts within and over completions"
)
CONSISTENCY_TEST = (
    "exact permutation test over completions (shift algorithm, Streitberg and Roehmel 1986): the "
    "neuron's active tokens in the prompt's completions, if each has some, against all deals of "
    "completions of that length"
)


def summarise(samples: Samples, settings: AnalysisSettings, analysis: Analysis) -> dict[str, Any]:
    """Return the counts, findings, tests, and what was skipped or subsampled, and why."""
    return {
        "counts": _counts(samples, analysis),
        "clusters": _clusters(analysis),
        "important_neurons": _important(analysis),
        "completions": _completions(analysis),
        "tests": _tests(settings, analysis),
        "skipped": dict(analysis.notes.skipped),
        "subsampled": dict(analysis.notes.subsampled),
    }


def _counts(samples: Samples, analysis: Analysis) -> dict[str, int]:
    kinds = analysis.important["kind"].value_counts()
    return {
        "samples": len(samples),
        "completions": len(samples.completions.lengths),
        "prompts": len(samples.prompt_ids),
        "neurons": samples.geometry.n_neurons,
        "layers": samples.geometry.n_layer,
        **{kind: int(kinds.get(kind, 0)) for kind in ("selective", "always_on", "dead")},
    }


def _clusters(analysis: Analysis) -> dict[str, Any]:
    clusters = analysis.clusters
    return {
        "number": clusters.n_clusters,
        "silhouette": clusters.silhouette,
        "variance_in_components": clusters.explained_variance,
        "agreement": clusters.agreement,
    }


def _important(analysis: Analysis) -> dict[str, Any]:
    columns = ["neuron_id", "layer", "dimension", "activation_frequency", "importance"]
    selective = analysis.important[analysis.important["kind"] == "selective"]
    layers = analysis.layers.drop(columns="mean_importance_bits")
    return {"top": records(selective[columns].head(TOP)), "layers": records(layers)}


def _completions(analysis: Analysis) -> dict[str, Any]:
    prompts = analysis.prompts
    return {
        "mean_jaccard_within_a_prompt": _mean(prompts.within),
        "mean_jaccard_between_prompts": _mean(prompts.between),
        "mean_jaccard_by_token_within_a_prompt": plain(prompts.within_by_token),
        "mean_jaccard_by_token_between_prompts": plain(prompts.between_by_token),
    }


def _tests(settings: AnalysisSettings, analysis: Analysis) -> list[dict[str, Any]]:
    """Return one entry for each family of tests: what was tested how, how often, what passed."""
    prompts, fdr = analysis.prompts, settings.fdr
    entries = [
        _token_entry(analysis.tokens, fdr),
        _position_entry(analysis.positions, fdr),
        _consistency_entry(prompts.consistent, fdr),
        _across_entry(analysis.across, fdr),
    ]
    return entries if prompts.test is None else [*entries, _permutation_entry(prompts.test)]


def _entry(
    what: str, test: str, fdr: float, n_tests: int, n_passed: int, **more: Any
) -> dict[str, Any]:
    return {
        "what": what,
        "test": test,
        "correction": "Benjamini and Hochberg (1995) over all tests",
        "fdr": fdr,
        "n_tests": n_tests,
        "n_passed": n_passed,
        **more,
    }


def _token_entry(tokens: TokenTests, fdr: float) -> dict[str, Any]:
    return _entry(
        "token-specific neurons",
        TOKEN_TEST,
        fdr,
        sum(tokens.n_tests.values()),
        sum(tokens.n_passed.values()),
        n_tests_by_role=dict(tokens.n_tests),
        n_tokens_by_role=dict(tokens.n_tokens),
        n_passed_by_direction=dict(tokens.n_passed),
        rows_in_table=len(tokens.table),
        weaker_rows_left_out=tokens.n_left_out,
        unattainable=tokens.unattainable,
    )


def _position_entry(positions: PositionTests, fdr: float) -> dict[str, Any]:
    return _entry(
        "position-specific neurons",
        f"{POSITION_TEST}, the least of {2 * positions.n_ranges} ranges times their number or "
        "of the best range times the number of all (Bonferroni); of one completion of each "
        f"prompt at a time, {positions.n_sets} sets combined (Rueger 1978)",
        fdr,
        positions.n_tests,
        len(positions.table),
        smallest_p_value=positions.smallest_p,
        fewest_together=positions.fewest_together,
        unattainable=positions.unattainable,
        too_few=positions.too_few,
    )


def _consistency_entry(consistent: Consistency, fdr: float) -> dict[str, Any]:
    return _entry(
        "neurons consistent within a prompt",
        CONSISTENCY_TEST,
        fdr,
        consistent.n_tests,
        consistent.n_passed,
        smallest_p_value=consistent.smallest_p,
        fewest_together=consistent.fewest_together,
        unattainable=consistent.unattainable,
        rows_in_table=len(consistent.table),
        weaker_rows_left_out=consistent.n_left_out,
    )


def _across_entry(across: AcrossPrompts, fdr: float) -> dict[str, Any]:
    return _entry(
        "tokens across prompts",
        "circular shifts of the token's places within completions, one completion of each "
        "prompt at a time",
        fdr,
        across.n_tests,
        int((across.table["q_value"].fillna(1) <= fdr).sum()),
        smallest_p_value=across.smallest_p,
        unattainable=across.unattainable,
    )


def _permutation_entry(test: PermutationTest) -> dict[str, Any]:
    return {
        "what": "completions of one prompt more alike than those of two",
        "test": "permutation of whole completions, cut to the shortest one's length",
        "mean_jaccard_within": test.within,
        "mean_jaccard_between": test.between,
        "n_permutations": test.n_permutations,
        "p_value": test.p_value,
        "smallest_p_value": test.smallest_p,
        "unattainable": test.unattainable,
    }


def _mean(values: NDArray[np.float64]) -> Plain:
    """Return the mean, None where there is nothing to average."""
    return plain(values.mean()) if len(values) else None
