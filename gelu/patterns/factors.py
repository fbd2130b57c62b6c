"""Groups of neurons that fire together: a Boolean factorisation of samples x neurons.

    patterns = find_patterns(activations, tokens, most)

A pattern is a set of neurons and a number: it is on in a sample if so many of its neurons or more
are active. As in ASSO (Miettinen, Mielikainen, Gionis, Das and Mannila 2008, *IEEE TKDE* 20, "The
discrete basis problem"), candidates are rows of a neuron-by-neuron association matrix cut at
several heights, and the factors are chosen greedily by the cells they explain: active ones less
silent ones, of those that no factor chosen before explains. Three things differ.
- Association is the correlation (phi) of two neurons after each context token's mean is taken off,
  so that neurons do not count as associated because one token makes both fire.
- A candidate is refined before it is judged, as k-means refines its centres: its samples are those
  in which enough of its neurons fire, its neurons those that fire in most of these samples.
- What a factor explains is counted beyond what it would explain if neurons fired by their tokens
  alone (module `pattern_null`).
Nothing is drawn at random. The neurons are read from packed bits, a block at a time.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from gelu.packed import PackedActivations
from gelu.patterns.permutation import ByToken, best_threshold, cells_explained

HEIGHTS = (0.6, 0.45, 0.3, 0.2)
LEAST_NEURONS, MOST_NEURONS = 3, 300
LEAST_ACTIVE, MOST_ACTIVE = 10, 0.5  # samples; share of the samples
LEAST_PHI = 0.2  # beyond tokens, for two neurons to be associated, or a neuron to belong
LEAST_RECALL, LEAST_EXCESS, LEAST_Z = 0.5, 0.4, 5.0  # for a neuron to belong; see _belongs
REFINEMENTS = 6
MOST_CANDIDATES = 2_400
ALIKE = 0.6  # Jaccard index from which two candidates are one
LEAST_PROMPTS_ON = 5
LEAST_SHARE_NEW = 0.5  # of the cells that a pattern explains, not explained before it
PAIR_PRODUCTS = 4e12  # of neurons' activities, that finding associations may take
NEURONS_AT_A_TIME = 1024


@dataclass(frozen=True)
class Pattern:
    """neurons: (k,) ascending; threshold: it is on where so many of them or more are active."""

    neurons: NDArray[np.int64]
    threshold: int

    def counts(self, activations: PackedActivations) -> NDArray[np.int64]:
        """Return how many of its neurons are active in each sample, (n,)."""
        return np.asarray(activations.columns(self.neurons).sum(axis=1), np.int64)


def jaccard(a: NDArray[np.int64], b: NDArray[np.int64]) -> float:
    """Return the share of the ids in either that are in both; each ascending."""
    both = len(np.intersect1d(a, b, assume_unique=True))
    return both / max(1, len(a) + len(b) - both)


def eligible_neurons(activations: PackedActivations) -> NDArray[np.int64]:
    """Return the neurons that can belong to a pattern: active in `LEAST_ACTIVE` samples or more,
    and in no more than half of them."""
    counts = activations.counts()
    chosen = (counts >= LEAST_ACTIVE) & (counts <= MOST_ACTIVE * len(activations))
    return np.flatnonzero(chosen)


def find_patterns(
    activations: PackedActivations,
    tokens: NDArray[np.int64],
    most: int,
    done: Callable[[], object] = lambda: None,
    prompts: NDArray[np.int64] | None = None,
) -> list[Pattern]:
    """Return at most `most` patterns, that which explains most first.

    tokens: (n,), each sample's context token; `done` is called after each of the `STEPS` steps.
    prompts: (n,), each sample's prompt, by default one of its own. A pattern is on in
    `LEAST_PROMPTS_ON` of them, or in all of fewer: of ten thousands of neurons hundreds share any
    one passage.
    """
    by_token = ByToken.of(tokens)
    eligible = eligible_neurons(activations)
    part = _for_pairs(activations, eligible)
    associations = associated(part, ByToken.of(tokens[: len(part)]), eligible)
    done()
    candidates = candidate_groups(associations)
    done()
    groups = refine(activations, by_token, eligible, candidates)
    done()
    prompts = np.arange(len(activations)) if prompts is None else prompts
    found = select(activations, by_token, [eligible[group] for group in groups], most, prompts)
    done()
    return found


STEPS = 4


def _for_pairs(activations: PackedActivations, eligible: NDArray[np.int64]) -> PackedActivations:
    """Return as many of the first samples as `PAIR_PRODUCTS` allows; they stand in no order."""
    n = int(PAIR_PRODUCTS / max(1, len(eligible)) ** 2)
    return PackedActivations(activations.bits[: max(n, 1000)], activations.n_neurons)


def associated(
    activations: PackedActivations, tokens: ByToken, neurons: NDArray[np.int64]
) -> scipy.sparse.csr_array:
    """Return phi of each two of the neurons beyond their tokens, where it is `LEAST_PHI` or more.

    Symmetric, (len(neurons), len(neurons)), the diagonal 1. The mean of each token is taken off
    one side of the product only: taking it off is a projection, so the result is the same.
    """
    spread = _spread(activations, tokens, neurons)
    rows, columns, values = [], [], []
    for first in range(0, len(neurons), NEURONS_AT_A_TIME):
        left = _centred(activations, tokens, neurons[first : first + NEURONS_AT_A_TIME])
        left /= spread[first : first + left.shape[1]]
        for second in range(first, len(neurons), NEURONS_AT_A_TIME):
            right = activations.columns(neurons[second : second + NEURONS_AT_A_TIME])
            phi = left.T @ right.astype(np.float32)
            phi /= spread[second : second + right.shape[1]]
            row, column = np.nonzero(phi >= LEAST_PHI)
            upper = row + first < column + second
            rows.append(row[upper] + first)
            columns.append(column[upper] + second)
            values.append(phi[row[upper], column[upper]])
    size = (len(neurons), len(neurons))
    if not rows:
        return scipy.sparse.csr_array(size, dtype=np.float32)
    places = (np.concatenate(rows), np.concatenate(columns))
    above = scipy.sparse.csr_array((np.concatenate(values), places), size)
    return (above + above.T + scipy.sparse.eye_array(len(neurons), dtype=np.float32)).tocsr()


def _spread(
    activations: PackedActivations, tokens: ByToken, neurons: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Return the length of each neuron's activity, its tokens' means taken off; 0 becomes inf."""
    squares = np.concatenate(
        [np.zeros(0, np.float32)]
        + [(_centred(activations, tokens, block) ** 2).sum(axis=0) for block in _blocks(neurons)]
    )
    # Of a neuron that its token decides but for a sample or two nothing can be said.
    return np.where(squares >= 1, np.sqrt(squares), np.inf).astype(np.float32)


def _blocks(neurons: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    for first in range(0, len(neurons), NEURONS_AT_A_TIME):
        yield neurons[first : first + NEURONS_AT_A_TIME]


def _centred(
    activations: PackedActivations, tokens: ByToken, neurons: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Return the neurons' activity less its mean over the token's samples, (n, neurons)."""
    return centre(activations.columns(neurons).astype(np.float32), tokens)


def centre(values: NDArray[np.float32], tokens: ByToken) -> NDArray[np.float32]:
    """Return values (n, columns) less their means over each token's samples."""
    return np.asarray(values - tokens.means(values)[tokens.codes], np.float32)


def candidate_groups(associations: scipy.sparse.csr_array) -> list[NDArray[np.int64]]:
    """Return groups of rows that go together, at each height; none much like another one.

    A group is a neuron and all whose phi with it reaches the height. Those with the largest sum of
    phi come first, `MOST_CANDIDATES` in all.
    """
    kept = _Unlike(associations.shape[0])
    for height in HEIGHTS:
        cut = associations.multiply(associations >= height).tocsr()
        cut.eliminate_zeros()
        cut.sort_indices()
        sizes = np.diff(cut.indptr)
        order = np.argsort(-np.asarray(cut.sum(axis=1)).ravel(), kind="stable")
        room = len(kept.groups) + MOST_CANDIDATES // len(HEIGHTS)
        for seed in order[sizes[order] >= LEAST_NEURONS].tolist():
            if len(kept.groups) >= room:
                break
            group = cut.indices[cut.indptr[seed] : cut.indptr[seed + 1]].astype(np.int64)
            kept.add(group[:MOST_NEURONS])
    return kept.groups


class _Unlike:
    """Groups of which no two are `ALIKE`: one that is like an earlier one is not added."""

    def __init__(self, n_rows: int) -> None:
        self.groups: list[NDArray[np.int64]] = []
        self._groups_of: list[list[int]] = [[] for _ in range(n_rows)]

    def add(self, group: NDArray[np.int64]) -> None:
        """Add the group, ascending, if it is new."""
        shared = np.zeros(len(self.groups), np.int64)
        for row in group.tolist():
            np.add.at(shared, self._groups_of[row], 1)
        sizes = np.array([len(other) for other in self.groups], np.int64)
        if (shared >= ALIKE * (sizes + len(group) - shared)).any():
            return
        for row in group.tolist():
            self._groups_of[row].append(len(self.groups))
        self.groups.append(group)


def refine(
    activations: PackedActivations,
    tokens: ByToken,
    eligible: NDArray[np.int64],
    groups: list[NDArray[np.int64]],
) -> list[NDArray[np.int64]]:
    """Return the groups after samples and neurons have been fitted to one another in turns.

    Groups are of places in `eligible`, (k,) each; those that fall apart are left out.
    """
    spread = _spread(activations, tokens, eligible)
    finished: list[NDArray[np.int64]] = []
    for _ in range(REFINEMENTS):
        if not groups:
            break
        refined = _refined(activations, tokens, eligible, spread, groups)
        pairs = list(zip(refined, groups, strict=True))
        finished += [new for new, group in pairs if np.array_equal(new, group)]
        moving = [new for new, group in pairs if not np.array_equal(new, group)]
        groups = _distinct([new for new in moving if len(new) >= LEAST_NEURONS], len(eligible))
    return _distinct(finished + groups, len(eligible))


def _distinct(groups: list[NDArray[np.int64]], n_rows: int) -> list[NDArray[np.int64]]:
    """Return the groups without those that are like an earlier one."""
    unlike = _Unlike(n_rows)
    for group in groups:
        unlike.add(group)
    return unlike.groups


def _refined(
    activations: PackedActivations,
    tokens: ByToken,
    eligible: NDArray[np.int64],
    spread: NDArray[np.float32],
    groups: list[NDArray[np.int64]],
) -> list[NDArray[np.int64]]:
    """Return each group's next neurons, those that fire in most of its samples and seldom else."""
    on = np.empty((len(activations), len(groups)), np.float32)
    # Chance over all samples alike: token by token it takes most of the time and changes little.
    alike = ByToken.of(np.zeros(len(activations), np.int64))
    own: list[NDArray[np.bool_]] = []
    for number, group in enumerate(groups):
        active = activations.columns(eligible[group])
        threshold, _ = best_threshold(active, alike)
        counts = active.sum(axis=1)
        on[:, number] = counts >= threshold
        own.append(_own_fit(active, counts, threshold, tokens, spread[group]))
    centred = centre(on, tokens)
    length = np.sqrt((centred**2).sum(axis=0))
    n_on = on.sum(axis=0)
    member = np.empty((len(eligible), len(groups)), bool)
    for first in range(0, len(eligible), NEURONS_AT_A_TIME):
        places = slice(first, first + NEURONS_AT_A_TIME)
        active_ = activations.columns(eligible[places]).astype(np.float32).T
        lengths = _lengths(spread[places, None], length)
        member[places] = _belongs(active_ @ on, active_ @ centred, n_on, lengths, len(on))
    for number, group in enumerate(groups):
        member[group, number] = own[number]
    return [np.flatnonzero(column)[:MOST_NEURONS] for column in member.T]


def _lengths(spread: NDArray[np.floating], length: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return the products of neurons' and groups' lengths, 0 where a group does not vary.

    The spread of a neuron that does not vary is infinite, so that it correlates with nothing.
    """
    return np.where(length > 0, spread, 0) * length


def _belongs(
    both: NDArray[np.float32],
    beyond: NDArray[np.float32],
    n_on: NDArray[np.floating],
    lengths: NDArray[np.floating],
    n: int,
) -> NDArray[np.bool_]:
    """Return which neurons fire with a group, in most of its samples and more than elsewhere.

    both: samples with group and neuron; beyond: how many more these are than the tokens of the
    group's samples give; n_on: samples with the group; lengths: that beyond / lengths is phi. A
    neuron that fires often correlates little with a rare group even if it never fails there, so a
    share of the group's samples far above its tokens' does as well as a correlation.
    """
    phi = beyond / np.where(lengths > 0, lengths, np.inf)
    n_on = np.maximum(n_on, 1)
    strong = (phi >= LEAST_PHI) | (beyond / n_on >= LEAST_EXCESS)
    return strong & (both / n_on >= LEAST_RECALL) & (phi * np.sqrt(n) >= LEAST_Z)


def _own_fit(
    active: NDArray[np.bool_],
    counts: NDArray[np.int64],
    threshold: int,
    tokens: ByToken,
    spread: NDArray[np.float32],
) -> NDArray[np.bool_]:
    """Return which of a group's own neurons stay, each judged by the samples that the others alone
    choose: a neuron that helps to choose them would always seem to belong. (k,)."""
    k = active.shape[1]
    without = max(1, -(-threshold * (k - 1) // k))
    on = (counts[:, None] - active) >= without
    centred = centre(on.astype(np.float32), tokens)
    lengths = _lengths(spread, np.sqrt((centred**2).sum(axis=0)))
    beyond = (centred * active).sum(axis=0)
    return _belongs((on & active).sum(axis=0), beyond, on.sum(axis=0), lengths, len(on))


def select(
    activations: PackedActivations,
    tokens: ByToken,
    groups: list[NDArray[np.int64]],
    most: int,
    prompts: NDArray[np.int64],
) -> list[Pattern]:
    """Return the patterns that explain most, at most `most`, each mostly of cells that none before
    it explains and on in several prompts; groups: neuron ids, (k,) each."""
    fits = [best_threshold(activations.columns(group), tokens) for group in groups]
    order = sorted(range(len(groups)), key=lambda number: (-fits[number][1], number))
    covered: dict[int, NDArray[np.bool_]] = {}
    chosen: list[Pattern] = []
    least_prompts = min(LEAST_PROMPTS_ON, len(np.unique(prompts)))
    for number in order:
        threshold, gain = fits[number]
        if gain <= 0 or len(chosen) == most:
            break
        pattern = Pattern(groups[number], threshold)
        active = activations.columns(pattern.neurons)
        on = active.sum(axis=1) >= threshold
        if len(np.unique(prompts[on])) < least_prompts:
            continue
        if _share_new(pattern, active, on, covered) >= LEAST_SHARE_NEW:
            chosen.append(pattern)
            for column, neuron in enumerate(pattern.neurons.tolist()):
                before = covered.get(neuron)
                now = active[:, column] & on
                covered[neuron] = now if before is None else now | before
    return chosen


def _share_new(
    pattern: Pattern,
    active: NDArray[np.bool_],
    on: NDArray[np.bool_],
    covered: dict[int, NDArray[np.bool_]],
) -> float:
    """Return which share of what a pattern explains is not explained by those before it."""
    worth = cells_explained(len(pattern.neurons), pattern.threshold)
    gain = int(worth[active.sum(axis=1)].sum())
    known = sum(
        int((active[:, column] & on & covered[neuron]).sum())
        for column, neuron in enumerate(pattern.neurons.tolist())
        if neuron in covered
    )
    return 1 - known / max(1, gain)
