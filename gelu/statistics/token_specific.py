"""Neurons that are active with a token more often than without it, and neurons that are mostly
active but silent with it.

Tokens of few samples can hardly pass, whatever the data: a neuron that is active at these alone has
the least p-value that a token can reach. Pairs of a token and a neuron that could not pass are not
tested (module `family`), which leaves more room for the others.
"""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pandas as pd
import scipy.sparse
from numpy.typing import NDArray

from gelu.neurons import dimension_of, layer_of
from gelu.packed import PackedActivations
from gelu.samples.arrays import ROLES, Role, Samples, TokenLabels
from gelu.samples.completions import Completions
from gelu.samples.notes import Notes
from gelu.statistics.enrichment import Found, Labels, enriched, one_hot, selective_blocks
from gelu.statistics.family import Family, least_p_values, mostly_active, samples_needed
from gelu.statistics.multiple_testing import benjamini_hochberg

Direction = Literal["active", "silent"]
DIRECTIONS: tuple[Direction, ...] = ("active", "silent")
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
    "direction",
    "n_prompts",
)
# A neuron counts as silent for a token if it is active in at most this share of its samples.
SILENT = 0.1


@dataclass(frozen=True)
class TokenTests:
    """The strongest of what passed, columns as in the file contract.

    n_tests: tests done in each role; n_tokens: tokens tested in each; n_passed: pairs that passed
    in each direction, those that are too weak for the table included; unattainable: why nothing
    could pass, whatever the data.
    """

    table: pd.DataFrame
    n_tests: dict[str, int]
    n_tokens: dict[str, int]
    n_passed: dict[Direction, int]
    unattainable: str | None = None

    @property
    def n_left_out(self) -> int:
        """Pairs that passed and are too weak for the table."""
        return sum(self.n_passed.values()) - len(self.table)


@dataclass(frozen=True)
class _Tested:
    """The tokens tested: in which role, and which of its tokens; one entry a label."""

    roles: list[Role]
    tokens: list[int]

    def taken(self, rows: NDArray[np.int64]) -> "_Tested":
        return _Tested([self.roles[row] for row in rows], [self.tokens[row] for row in rows])

    def by_role(self, numbers: NDArray[np.integer | np.bool_]) -> dict[str, int]:
        """Return the sum of a number of each label over each role's labels."""
        roles = np.array(self.roles, object)
        return {role: int(numbers[roles == role].sum()) for role in ROLES}


def token_specific_neurons(
    samples: Samples,
    min_token_count: int,
    fdr: float,
    min_phi: float = 0.0,
    top_per_token: int | None = None,
    *,
    notes: Notes,
) -> TokenTests:
    """Test every token that has `min_token_count` samples, in each role, with every neuron.

    Neurons that are never or always active cannot be tested and are left out, and so are pairs
    that could not pass. The false-discovery rate `fdr` holds over all tests of both roles together,
    and within each role. min_phi, top_per_token: of what passed the table keeps active pairs with a
    phi of so much or more, silent ones whatever their phi, and so many of each token and direction.
    A pair passes as silent only if the neuron is active in at most `SILENT` of the token's samples.
    Ordered by role, active before silent, token by token with the strongest (|phi|) first,
    strongest neuron first.
    """
    labels = {role: samples.tokens(role) for role in ROLES}
    tested, indicator = _labels_to_test(labels, len(samples), min_token_count)
    counts = samples.activations.counts()
    selective = counts[(counts > 0) & (counts < len(samples))]
    _name_untested(samples, tested, min_token_count, notes)
    none = np.zeros(len(tested.roles), np.int64)
    nothing = TokenTests(
        pd.DataFrame(columns=list(COLUMNS)),
        tested.by_role(none),
        tested.by_role(none),
        dict.fromkeys(DIRECTIONS, 0),
    )
    if len(none) == 0 or len(selective) == 0:
        return nothing
    measured = _measured(samples, tested, indicator)
    least = least_p_values(measured, samples.completions)
    family = Family.of(measured.sizes, least, selective, len(samples), fdr)
    n_tests, n_tokens = tested.by_role(family.n_tests), tested.by_role(family.n_tests > 0)
    if family.n_tests.sum() == 0:
        return replace(
            nothing, unattainable=_too_few(measured, least, samples, len(selective), fdr)
        )
    found = _found(samples, measured, family, counts, fdr)
    table = _with_q_values(_describe(samples, labels, tested, measured, counts, *found), n_tests)
    table = table[(table["q_value"] <= fdr) & _shows_its_direction(table)]
    n_passed = {each: int((table["direction"] == each).sum()) for each in DIRECTIONS}
    strongest = _strongest(table, min_phi, top_per_token)
    return TokenTests(strongest, n_tests, n_tokens, n_passed)


def _measured(samples: Samples, tested: _Tested, indicator: scipy.sparse.csr_array) -> Labels:
    """Return the labels; those of a role have the same token before them in a passage."""
    roles = np.array(tested.roles, object)
    return Labels.joined(
        [
            Labels.from_indicator(
                indicator[np.flatnonzero(roles == role)],
                samples.completions,
                passages=samples.passages(role),
            )
            for role in ROLES
            if role in tested.roles
        ]
    )


def _found(
    samples: Samples,
    measured: Labels,
    family: Family,
    counts: NDArray[np.int64],
    alpha: float,
) -> tuple[Found, NDArray[np.bool_]]:
    """Return (the tests that come out at `alpha` or less, which of them are of silence)."""
    kept = np.flatnonzero(family.n_tests)
    parts, silent = [], []
    for direction in DIRECTIONS:
        found = find_enriched(
            measured.taken(kept), samples.activations, samples.completions, alpha, direction
        )
        label, is_silent = kept[found.label], direction == "silent"
        n_active = counts[found.neuron]
        n_shown = len(samples) - n_active if is_silent else n_active
        possible = np.flatnonzero(family.could_pass(label, n_shown))
        n_both = measured.sizes[label] - found.n_both if is_silent else found.n_both
        chosen = Found(label, found.neuron, n_both, found.p_value).taken(possible)
        parts.append(chosen)
        silent.append(np.full(len(possible), is_silent))
    return Found.joined(parts), np.concatenate(silent)


def _too_few(
    measured: Labels, least: NDArray[np.float64], samples: Samples, n_neurons: int, fdr: float
) -> str:
    best = int(np.argmin(least))
    needed = samples_needed(len(samples), n_neurons, fdr)
    return (
        f"a neuron that is active with one token and never else would have a p-value of "
        f"{least[best]:.2g} at best, for a token of {measured.sizes[best]:,} samples; among "
        f"{n_neurons:,} neurons a token needs {needed:,} samples at least, more where they stand "
        "in few completions or prompts"
    )


def find_enriched(
    labels: Labels,
    activations: PackedActivations,
    completions: Completions,
    alpha: float,
    direction: Direction = "active",
) -> Found:
    """Return the tests of all labels and selective neurons that come out at `alpha` or less.

    direction: `silent` tests whether neurons that are mostly active are so less often; n_both then
    counts the label's samples in which they are not.
    """
    parts = []
    for neurons, active in selective_blocks(activations):
        if direction == "silent":
            usual = mostly_active(active.sum(axis=0), len(active))
            found = enriched(labels, ~active[:, usual], completions, alpha)
            parts.append(found.with_neurons(neurons[usual]))
        else:
            parts.append(enriched(labels, active, completions, alpha).with_neurons(neurons))
    return Found.joined(parts)


def _with_q_values(table: pd.DataFrame, n_tests: dict[str, int]) -> pd.DataFrame:
    """Add the larger q-value of both roles' tests together and of the role's own.

    Findings in one role would else make room for false ones in the other.
    """
    p_values, roles = table["p_value"].to_numpy(), table["role"].to_numpy()
    q_values = benjamini_hochberg(p_values, sum(n_tests.values()))
    for role, count in n_tests.items():
        own = roles == role
        q_values[own] = np.maximum(q_values[own], benjamini_hochberg(p_values[own], count))
    return table.assign(q_value=q_values)[list(COLUMNS)]


def _shows_its_direction(table: pd.DataFrame) -> pd.Series:
    return (table["direction"] == "active") | (table["recall"] <= SILENT)


def _strongest(table: pd.DataFrame, min_phi: float, top_per_token: int | None) -> pd.DataFrame:
    table = table[(table["direction"] == "silent") | (table["phi"] >= min_phi)]
    if top_per_token is not None:
        tokens = [table["role"], table["direction"], table["token_id"], table["token"]]
        rank = table.groupby(tokens, dropna=False, sort=False).cumcount()
        table = table[rank < top_per_token]
    return table.reset_index(drop=True)


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


def _name_untested(samples: Samples, tested: _Tested, min_token_count: int, notes: Notes) -> None:
    for role in ROLES:
        if role not in tested.roles and f"{role} tokens" not in notes.skipped:
            notes.skipped[f"neurons specific to {role} tokens"] = (
                f"no {role} token has {min_token_count} samples or more and samples without it"
            )


def _describe(
    samples: Samples,
    labels: dict[Role, TokenLabels | None],
    tested: _Tested,
    measured: Labels,
    counts: NDArray[np.int64],
    found: Found,
    silent: NDArray[np.bool_],
) -> pd.DataFrame:
    """Return the table but for the q-values, in its order."""
    texts = [_text(labels[role], token) for role, token in _zip(tested)]
    ids = [_id(labels[role], token) for role, token in _zip(tested)]
    table = pd.DataFrame(
        {
            "role": np.array(tested.roles, object)[found.label],
            "token": np.array(texts, object)[found.label],
            "token_id": pd.array(ids, "Int64")[found.label],
            "neuron_id": found.neuron,
            "layer": layer_of(found.neuron, samples.geometry.d_mlp),
            "dimension": dimension_of(found.neuron, samples.geometry.d_mlp),
            **effect_sizes(
                found.n_both, measured.sizes[found.label], counts[found.neuron], len(samples)
            ),
            "p_value": found.p_value,
            "direction": np.where(silent, "silent", "active").astype(object),
            "n_prompts": _prompts_of_labels(measured, samples.completions)[found.label],
        }
    )
    strength = table["phi"].abs()
    best = -strength.groupby([found.label, silent]).transform("max").to_numpy()
    later_role = (table["role"] == "context").to_numpy()
    order = np.lexsort((found.neuron, -strength, found.label, best, silent, later_role))
    return table.iloc[order]


def _prompts_of_labels(measured: Labels, completions: Completions) -> NDArray[np.int64]:
    """Return under how many prompts of different texts each label has samples, (labels,)."""
    texts = completions.unit_texts()
    by_text = (measured.sums @ one_hot(texts, int(texts.max()) + 1).T).toarray() > 0
    return np.asarray(by_text.sum(axis=1), np.int64)


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
