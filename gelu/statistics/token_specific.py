"""Neurons that are active with a token and not without it."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy.sparse
from numpy.typing import NDArray

from gelu.packed import PackedActivations
from gelu.statistics.completions import Completions
from gelu.statistics.enrichment import Found, Labels, enriched, one_hot, selective_blocks
from gelu.statistics.multiple_testing import benjamini_hochberg
from gelu.statistics.samples import ROLES, Role, Samples, TokenLabels

COLUMNS = (
    "role",
    "token",
    "token_id",
    "neuron_id",
    "layer",
    "dimension",
    "n_token",
    "n_active",
    "n_both",
    "precision",
    "recall",
    "phi",
    "log_odds",
    "p_value",
    "q_value",
)


@dataclass(frozen=True)
class TokenTests:
    """What passed, columns as in the file contract, and how many tests were done in each role."""

    table: pd.DataFrame
    n_tests: dict[str, int]
    n_tokens: dict[str, int]


@dataclass(frozen=True)
class _Tested:
    """The tokens tested: in which role, and which of its tokens; one entry a label."""

    roles: list[Role]
    tokens: list[int]


def token_specific_neurons(samples: Samples, min_token_count: int, fdr: float) -> TokenTests:
    """Test every token that has `min_token_count` samples, in each role, with every neuron.

    Neurons that are never or always active cannot be tested and are left out. The false-discovery
    rate `fdr` holds over all tests of both roles together, and within each role. Ordered by role,
    token by token with the strongest (phi) first, strongest neuron first.
    """
    labels = {role: samples.tokens(role) for role in ROLES}
    tested, indicator = _labels_to_test(labels, len(samples), min_token_count)
    counts = samples.activations.counts()
    n_selective = int(((counts > 0) & (counts < len(samples))).sum())
    n_tokens: dict[str, int] = {role: tested.roles.count(role) for role in ROLES}
    n_tests = {role: count * n_selective for role, count in n_tokens.items()}
    _name_untested(samples, n_tokens, min_token_count)
    if sum(n_tests.values()) == 0:
        return TokenTests(pd.DataFrame(columns=list(COLUMNS)), n_tests, n_tokens)
    measured = Labels.from_indicator(indicator, samples.completions)
    found = find_enriched(measured, samples.activations, samples.completions, fdr)
    q_values = _q_values(found, tested, n_tests)
    table = _describe(samples, labels, tested, measured, counts, found, q_values)
    return TokenTests(table[table["q_value"] <= fdr].reset_index(drop=True), n_tests, n_tokens)


def find_enriched(
    labels: Labels, activations: PackedActivations, completions: Completions, alpha: float
) -> Found:
    """Return the tests of all labels and selective neurons that come out at `alpha` or less."""
    return Found.joined(
        [
            enriched(labels, active, completions, alpha).with_neurons(neurons)
            for neurons, active in selective_blocks(activations)
        ]
    )


def _q_values(found: Found, tested: _Tested, n_tests: dict[str, int]) -> NDArray[np.float64]:
    """Return the larger q-value of both roles' tests together and of the role's own.

    Findings in one role would else make room for false ones in the other.
    """
    q_values = benjamini_hochberg(found.p_value, sum(n_tests.values()))
    roles = np.array(tested.roles)[found.label]
    for role, count in n_tests.items():
        own = roles == role
        q_values[own] = np.maximum(q_values[own], benjamini_hochberg(found.p_value[own], count))
    return q_values


def _labels_to_test(
    labels: dict[Role, TokenLabels | None], n_samples: int, min_token_count: int
) -> tuple[_Tested, scipy.sparse.csr_array]:
    """Return the tokens with enough samples, and the samples of each; a token that has them all
    has no samples without it."""
    tested, blocks = _Tested([], []), [scipy.sparse.csr_array((0, n_samples), dtype=np.float32)]
    for role, tokens in labels.items():
        if tokens is None:
            continue
        sizes = tokens.sizes()
        chosen = np.flatnonzero((sizes >= min_token_count) & (sizes < n_samples))
        tested.roles.extend([role] * len(chosen))
        tested.tokens.extend(chosen.tolist())
        place = np.full(len(sizes), -1)
        place[chosen] = np.arange(len(chosen))
        blocks.append(one_hot(place[tokens.codes], len(chosen)))
    return tested, scipy.sparse.csr_array(scipy.sparse.vstack(blocks))


def _name_untested(samples: Samples, n_tokens: dict[str, int], min_token_count: int) -> None:
    for role, count in n_tokens.items():
        if count == 0 and f"{role} tokens" not in samples.skipped:
            samples.skipped[f"neurons specific to {role} tokens"] = (
                f"no {role} token has {min_token_count} samples or more and samples without it"
            )


def _describe(
    samples: Samples,
    labels: dict[Role, TokenLabels | None],
    tested: _Tested,
    measured: Labels,
    counts: NDArray[np.int64],
    found: Found,
    q_values: NDArray[np.float64],
) -> pd.DataFrame:
    texts = [_text(labels[role], token) for role, token in _zip(tested)]
    ids = [_id(labels[role], token) for role, token in _zip(tested)]
    table = pd.DataFrame(
        {
            "role": np.array(tested.roles, object)[found.label],
            "token": np.array(texts, object)[found.label],
            "token_id": pd.array(ids, "Int64")[found.label],
            "neuron_id": found.neuron,
            "layer": found.neuron // samples.geometry.d_mlp,
            "dimension": found.neuron % samples.geometry.d_mlp,
            **effect_sizes(
                found.n_both, measured.sizes[found.label], counts[found.neuron], len(samples)
            ),
            "p_value": found.p_value,
            "q_value": q_values,
        },
        columns=list(COLUMNS),
    )
    best = -pd.Series(table["phi"]).groupby(found.label).transform("max").to_numpy()
    later_role = (table["role"] == "context").to_numpy()
    order = np.lexsort((found.neuron, -table["phi"], found.label, best, later_role))
    return table.iloc[order]


def _zip(tested: _Tested) -> "zip[tuple[Role, int]]":
    return zip(tested.roles, tested.tokens, strict=True)


def _text(labels: TokenLabels | None, token: int) -> str:
    assert labels is not None
    return labels.texts[token]


def _id(labels: TokenLabels | None, token: int) -> int | None:
    assert labels is not None
    return None if labels.ids is None else labels.ids[token]


def effect_sizes(
    n_both: NDArray[np.int64],
    n_token: NDArray[np.int64],
    n_active: NDArray[np.int64],
    n_samples: int,
) -> dict[str, NDArray[np.float64]]:
    """Return how strongly token and activity go together, each array like the given ones.

    precision: share of the neuron's active samples that have the token; recall: share of the
    token's samples in which it is active; phi: their correlation; log_odds: natural log of the odds
    ratio, drawn towards 0 by half a sample in each cell (Haldane 1956, Anscombe 1956).
    """
    without, silent = n_active - n_both, n_token - n_both
    neither = n_samples - n_token - without
    spread = np.sqrt(
        n_token.astype(float) * (n_samples - n_token) * n_active * (n_samples - n_active)
    )
    return {
        "n_token": n_token,
        "n_active": n_active,
        "n_both": n_both,
        "precision": n_both / n_active,
        "recall": n_both / n_token,
        "phi": (n_both * n_samples - n_token.astype(float) * n_active) / spread,
        "log_odds": np.log((n_both + 0.5) * (neither + 0.5) / ((without + 0.5) * (silent + 0.5))),
    }
