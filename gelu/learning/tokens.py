"""The next token from tokens: unigram, bigram and trigram, and how any distribution is scored.

    counted = TokenModel.count(before, rows, n_tokens, strengths)
    scores = score_distributions(probabilities, targets)    # surprise and rank of what came

A distribution over tokens is scored by the surprise at the token that came, in bits, and by that
token's rank, 0 for the likeliest; of equally likely tokens the one with the lower id comes first.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from gelu.samples.token_history import number_contexts

BITS = 1 / np.log(2)
GRID = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
ORDERS = ("unigram", "bigram", "trigram")
BATCH_VALUES = 1 << 22
UNKNOWN_RANK = -1

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class TokenScores:
    """Of each sample: surprise (m,), -log2 of the probability of what came; rank (m,),
    `UNKNOWN_RANK` where it cannot be told."""

    surprise: NDArray[np.float64]
    rank: Ints

    def columns(self) -> NDArray[np.float64]:
        """Return surprise, top-1 and top-5 side by side, (m, 3); NaN for an unknown rank."""
        known = self.rank != UNKNOWN_RANK
        hits = [np.where(known, self.rank < top, np.nan) for top in (1, 5)]
        return np.stack([self.surprise, *hits], axis=1)

    @classmethod
    def joined(cls, parts: "list[TokenScores]") -> "TokenScores":
        """Return the scores of several batches, one after another."""
        return cls(
            np.concatenate([np.empty(0), *(part.surprise for part in parts)]),
            np.concatenate([np.empty(0, np.int64), *(part.rank for part in parts)]),
        )


def score_distributions(probabilities: NDArray[np.floating], targets: Ints) -> TokenScores:
    """Return the scores of distributions (m, n_tokens) for the tokens that came, (m,)."""
    rows = np.arange(len(targets))
    given = probabilities[rows, targets]
    higher = (probabilities > given[:, None]).sum(axis=1)
    equal = probabilities == given[:, None]
    earlier = (equal & (np.arange(probabilities.shape[1]) < targets[:, None])).sum(axis=1)
    return TokenScores(-np.log(given.astype(np.float64)) * BITS, higher + earlier)


@dataclass(frozen=True)
class Before:
    """What comes before each sample's token: last, pair: (n,), numbers of the last token and of
    the last two; targets: (n,), the id of the token that came."""

    last: Ints
    pair: Ints
    targets: Ints

    @classmethod
    def of(cls, history: Ints, targets: Ints) -> "Before":
        """Number the contexts of a token history, two columns or more."""
        return cls(*number_contexts(history), targets)


@dataclass(frozen=True)
class TokenModel:
    """Counts of what followed, each order backing off to the one below with its strength.

    unigram: (n_tokens,), all above 0; bigram, trigram: counts (contexts, n_tokens); strengths: of
    the bigram and the trigram (MacKay and Peto 1995: Dirichlet smoothing).
    """

    unigram: NDArray[np.float64]
    bigram: scipy.sparse.csr_array
    trigram: scipy.sparse.csr_array
    strengths: tuple[float, float]

    @classmethod
    def count(
        cls, before: Before, rows: Ints, n_tokens: int, strengths: tuple[float, float]
    ) -> "TokenModel":
        """Count in these rows."""
        counts = np.bincount(before.targets[rows], minlength=n_tokens)
        # Half a count of every token, spread out, keeps those that were never seen possible.
        unigram = counts + 0.5 * len(rows) / (len(rows) + n_tokens)
        return cls(
            unigram / unigram.sum(),
            _counts(before.last, before.targets, rows, n_tokens),
            _counts(before.pair, before.targets, rows, n_tokens),
            strengths,
        )

    def surprise(self, before: Before, rows: Ints) -> dict[str, NDArray[np.float64]]:
        """Return each order's surprise at what came in these rows, in bits, (m,).

        Like `score`, but without the distributions over all other tokens.
        """
        targets = before.targets[rows]
        given = {"unigram": self.unigram[targets]}
        for order, below, counts, codes, strength in (
            ("bigram", "unigram", self.bigram, before.last[rows], self.strengths[0]),
            ("trigram", "bigram", self.trigram, before.pair[rows], self.strengths[1]),
        ):
            seen = np.asarray(counts.sum(axis=1)).reshape(-1)[codes]
            found = np.asarray(counts[codes, targets]).reshape(-1)
            given[order] = (found + strength * given[below]) / (seen + strength)
        return {order: -np.log(p) * BITS for order, p in given.items()}

    def distributions(self, before: Before, rows: Ints) -> dict[str, NDArray[np.float64]]:
        """Return each order's distribution for these rows, (m, n_tokens)."""
        unigram = np.broadcast_to(self.unigram, (len(rows), len(self.unigram)))
        bigram = _backed_off(self.bigram[before.last[rows]], unigram, self.strengths[0])
        trigram = _backed_off(self.trigram[before.pair[rows]], bigram, self.strengths[1])
        return {"unigram": unigram, "bigram": bigram, "trigram": trigram}

    def score(self, before: Before, rows: Ints) -> dict[str, TokenScores]:
        """Return each order's scores for these rows."""
        parts: dict[str, list[TokenScores]] = {order: [] for order in ORDERS}
        for batch in batches(rows, len(self.unigram)):
            for order, distribution in self.distributions(before, batch).items():
                parts[order].append(score_distributions(distribution, before.targets[batch]))
        return {order: TokenScores.joined(part) for order, part in parts.items()}


def batches(rows: Ints, width: int) -> Iterator[Ints]:
    """Yield rows in parts whose matrices of this width stay small."""
    step = max(1, BATCH_VALUES // max(1, width))
    for start in range(0, len(rows), step):
        yield rows[start : start + step]


def _counts(codes: Ints, targets: Ints, rows: Ints, n_tokens: int) -> scipy.sparse.csr_array:
    shape = (int(codes.max()) + 1, n_tokens)
    ones = np.ones(len(rows))
    # The sum over equal places is what csr makes of coordinates.
    return scipy.sparse.csr_array((ones, (codes[rows], targets[rows])), shape=shape)


def _backed_off(
    counts: scipy.sparse.csr_array, below: NDArray[np.float64], strength: float
) -> NDArray[np.float64]:
    dense = counts.toarray()
    seen = dense.sum(axis=1, keepdims=True)
    smoothed: NDArray[np.float64] = (dense + strength * below) / (seen + strength)
    return smoothed


def choose_token_strengths(
    before: Before, learn: Ints, validate: Ints, n_tokens: int
) -> tuple[float, float]:
    """Return the strengths with the least cross-entropy on the rows `validate`.

    First the bigram's, then the trigram's on top of it.
    """
    model = TokenModel.count(before, learn, n_tokens, (1.0, 1.0))
    for order in (0, 1):
        tried = [
            replace(model, strengths=(s, 1.0) if order == 0 else (model.strengths[0], s))
            for s in GRID
        ]
        losses = [each.surprise(before, validate)[ORDERS[order + 1]].mean() for each in tried]
        model = tried[int(np.argmin(losses))]
    return model.strengths


@dataclass(frozen=True)
class Classes:
    """The tokens that a readout tells apart; all others share one more class, the last.

    ids: (C,), ascending; others: (n_tokens,), the share of each token within that class, 0 for the
    tokens of `ids`.
    """

    ids: Ints
    others: NDArray[np.float64]

    @classmethod
    def choose(
        cls, targets: Ints, groups: Ints, unigram: NDArray[np.float64], most: int
    ) -> "Classes":
        """Choose the tokens that came in two prompts or more, the `most` most frequent ones.

        targets, groups: (m,), token and prompt of each training sample. What came in one prompt
        alone stands for what has never been seen, so that the last class has something to learn
        from.
        """
        pairs = np.unique(np.stack([targets, groups]), axis=1)[0]
        tokens, n_prompts = np.unique(pairs, return_counts=True)
        common = tokens[n_prompts >= 2]
        frequency = np.bincount(targets, minlength=len(unigram))[common]
        ids = np.sort(common[np.argsort(-frequency, kind="stable")][:most])
        others = unigram.copy()
        others[ids] = 0
        total = others.sum()
        return cls(ids.astype(np.int64), others / total if total > 0 else others)

    def __len__(self) -> int:
        return len(self.ids) + 1

    def encode(self, targets: Ints) -> Ints:
        """Return the class of each token, `len(ids)` for the others."""
        if len(self.ids) == 0:
            return np.zeros(len(targets), np.int64)
        place = np.minimum(np.searchsorted(self.ids, targets), len(self.ids) - 1)
        return np.where(self.ids[place] == targets, place, len(self.ids))

    def prior(self, unigram: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the probability of each class by the unigram, (C + 1,)."""
        own = unigram[self.ids]
        return np.append(own, max(1 - own.sum(), 1e-6))

    def score(self, logprobs: NDArray[np.floating], targets: Ints) -> TokenScores:
        """Return the scores of distributions over the classes for the tokens that came.

        logprobs: (m, C + 1), natural log. A token of the last class has its share of it.
        """
        codes, rows = self.encode(targets), np.arange(len(targets))
        is_other = codes == len(self.ids)
        share = np.where(is_other, np.maximum(self.others[targets], 1e-300), 1.0)
        given = logprobs[rows, codes].astype(np.float64) + np.log(share)
        own, other = logprobs[:, :-1], logprobs[:, -1].astype(np.float64)
        higher = (own > given[:, None]).sum(axis=1)
        equal = (own == given[:, None]) & (np.arange(len(self.ids)) < codes[:, None])
        shares = np.sort(np.log(self.others[self.others > 0]))
        above = len(shares) - np.searchsorted(shares, given - other + 1e-12, side="right")
        return TokenScores(-given * BITS, higher + equal.sum(axis=1) + above)
