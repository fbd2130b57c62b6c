"""What a pattern goes with: tokens, prompts, positions, and the contexts in which it is strongest.

Whether a pattern is on is tested like whether a neuron is active (module `enrichment`): against
tokens in three roles, and against ranges of positions. Prompts are compared by Fisher's exact test
over completions. The lift is the share of the label's samples in which the pattern is on, divided
by that share in all samples.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gelu.neurons import Geometry
from gelu.packed import PackedActivations
from gelu.samples.arrays import Samples, TokenLabels
from gelu.samples.grouping import written_text
from gelu.samples.notes import Notes
from gelu.statistics.enrichment import Labels, enriched, fisher_found, one_hot
from gelu.statistics.multiple_testing import benjamini_hochberg
from gelu.statistics.position_specific import position_specific_neurons

ROLES = ("context", "previous", "output")
TOKEN_COLUMNS = (
    "pattern",
    "role",
    "token",
    "token_id",
    "n_token",
    "n_on",
    "n_both",
    "lift",
    "p_value",
    "q_value",
)
PROMPT_COLUMNS = (
    "pattern",
    "prompt_idx",
    "input_text",
    "n_completions",
    "n_completions_on",
    "lift",
    "p_value",
    "q_value",
)
N_CONTEXTS = 10
TOKENS_BEFORE, TOKENS_AFTER = 60, 4  # characters of a context before its token; tokens after


@dataclass(frozen=True)
class Meaning:
    """Tables of what passed; n_tests: of each family."""

    tokens: pd.DataFrame
    prompts: pd.DataFrame
    positions: pd.DataFrame
    n_tests: dict[str, int]


def meaning(
    samples: Samples, on: NDArray[np.bool_], min_token_count: int, fdr: float, notes: Notes
) -> Meaning:
    """Test each pattern against tokens, prompts and positions; on: (n, patterns)."""
    n_on = on.sum(axis=0)
    varied = np.flatnonzero((n_on > 0) & (n_on < len(on)))
    n_tests: dict[str, int] = {}
    tokens = [
        _token_tests(samples, role, on, varied, min_token_count, fdr, n_tests) for role in ROLES
    ]
    return Meaning(
        _joined(tokens, TOKEN_COLUMNS),
        _prompt_tests(samples, on, fdr, n_tests),
        _position_tests(samples, on, fdr, n_tests, notes),
        n_tests,
    )


def _joined(parts: list[pd.DataFrame], columns: tuple[str, ...]) -> pd.DataFrame:
    filled = [part for part in parts if len(part)]
    return pd.concat(filled, ignore_index=True) if filled else pd.DataFrame(columns=list(columns))


def labels_in_role(samples: Samples, role: str) -> tuple[NDArray[np.int64], TokenLabels] | None:
    """Return (each sample's token in that role, -1 where unknown; the tokens).

    `context` is the token just read, `previous` the one before it, `output` the one written.
    """
    if role != "previous":
        tokens = samples.tokens("context" if role == "context" else "output")
        return None if tokens is None else (tokens.codes, tokens)
    tokens = samples.tokens("context")
    if tokens is None:
        return None
    codes = np.roll(tokens.codes, 1)
    codes[samples.completions.starts()] = -1
    # Where a row is missing, the row before is not that of the token before.
    places = samples.table["token_position"].to_numpy()
    codes[np.roll(places, 1) != places - 1] = -1
    return codes, tokens


def _token_tests(
    samples: Samples,
    role: str,
    on: NDArray[np.bool_],
    varied: NDArray[np.int64],
    min_token_count: int,
    fdr: float,
    n_tests: dict[str, int],
) -> pd.DataFrame:
    labels = labels_in_role(samples, role)
    n_tests[f"{role} tokens"] = 0
    if labels is None or len(varied) == 0:
        return pd.DataFrame(columns=list(TOKEN_COLUMNS))
    codes, tokens = labels
    sizes = np.bincount(codes[codes >= 0], minlength=len(tokens.texts))
    chosen = np.flatnonzero((sizes >= min_token_count) & (sizes < len(on)))
    n_tests[f"{role} tokens"] = len(chosen) * len(varied)
    if len(chosen) == 0:
        return pd.DataFrame(columns=list(TOKEN_COLUMNS))
    place = np.full(len(sizes) + 1, -1)
    place[chosen] = np.arange(len(chosen))
    indicator = one_hot(place[codes], len(chosen))
    n_both = np.asarray(indicator @ on[:, varied].astype(np.float32), np.int64)
    n_on = on[:, varied].sum(axis=0).astype(np.int64)
    # Fisher's test alone first: the p-value is never below it, and it costs a fraction.
    likely = np.unique(fisher_found(n_both, sizes[chosen], n_on, len(on), fdr).label)
    if len(likely) == 0:
        return pd.DataFrame(columns=list(TOKEN_COLUMNS))
    passages = samples.passages(role)
    measured = Labels.from_indicator(indicator[likely], samples.completions, passages=passages)
    found = enriched(measured, on[:, varied], samples.completions, fdr)
    token, size = chosen[likely[found.label]], measured.sizes[found.label]
    table = pd.DataFrame(
        {
            "pattern": varied[found.neuron],
            "role": role,
            "token": np.array(tokens.texts, object)[token],
            "token_id": pd.array(
                [None if tokens.ids is None else tokens.ids[index] for index in token], "Int64"
            ),
            "n_token": size,
            "n_on": n_on[found.neuron],
            "n_both": found.n_both,
            "lift": found.n_both * len(on) / (size * n_on[found.neuron]),
            "p_value": found.p_value,
            "q_value": benjamini_hochberg(found.p_value, n_tests[f"{role} tokens"]),
        }
    )
    return _passed(table, fdr, ["n_both", "lift"])


def _passed(table: pd.DataFrame, fdr: float, by: list[str]) -> pd.DataFrame:
    """Return what passes, pattern by pattern; within one by significance, then by `by`."""
    passed = table[table["q_value"] <= fdr]
    ascending = [True, True, *[False] * len(by)]
    return passed.sort_values(["pattern", "p_value", *by], ascending=ascending, kind="stable")


def _prompt_tests(
    samples: Samples, on: NDArray[np.bool_], fdr: float, n_tests: dict[str, int]
) -> pd.DataFrame:
    completions = samples.completions
    ever = np.logical_or.reduceat(on, completions.starts(), axis=0)
    sizes = np.bincount(completions.prompts)
    n_ever = ever.sum(axis=0).astype(np.int64)
    n_tests["prompts"] = len(sizes) * on.shape[1]
    if len(sizes) < 2 or on.shape[1] == 0:
        return pd.DataFrame(columns=list(PROMPT_COLUMNS))
    indicator = one_hot(completions.prompts, len(sizes))
    n_both = np.asarray(indicator @ ever.astype(np.float32), np.int64)
    found = fisher_found(n_both, sizes, n_ever, len(ever), fdr)
    in_prompt = one_hot(completions.prompts_of_samples(), len(sizes))
    share = (in_prompt @ on.astype(np.float32)) / np.asarray(in_prompt.sum(axis=1))[:, None]
    chosen = (found.label, found.neuron)
    table = pd.DataFrame(
        {
            "pattern": found.neuron,
            "prompt_idx": samples.prompt_ids[found.label],
            "input_text": np.array(samples.prompt_texts(), object)[found.label],
            "n_completions": sizes[found.label],
            "n_completions_on": found.n_both,
            "lift": share[chosen] / np.maximum(on.mean(axis=0)[found.neuron], 1e-12),
            "p_value": found.p_value,
            "q_value": benjamini_hochberg(found.p_value, n_tests["prompts"]),
        }
    )
    return _passed(table, fdr, ["lift"])


def _position_tests(
    samples: Samples, on: NDArray[np.bool_], fdr: float, n_tests: dict[str, int], notes: Notes
) -> pd.DataFrame:
    """Return the positions of each pattern that depends on them: a pattern tested as a neuron."""
    n_patterns = on.shape[1]
    as_neurons = replace(
        samples,
        activations=PackedActivations.from_bool(on),
        geometry=Geometry(1, 0, max(1, n_patterns), 0),
    )
    tests = position_specific_neurons(as_neurons, np.zeros(n_patterns), fdr, notes)
    n_tests["positions"] = tests.n_tests
    table = tests.table.rename(columns={"neuron_id": "pattern"})
    table = table.drop(columns=["layer", "dimension", "mi_bits"])
    everywhere = on.mean(axis=0)[table["pattern"].to_numpy(np.int64)]
    table["lift"] = table["frequency_inside"].to_numpy(float) / np.maximum(everywhere, 1e-12)
    return table.sort_values("pattern", kind="stable").reset_index(drop=True)


def strongest_contexts(samples: Samples, counts: NDArray[np.int64], threshold: int) -> list[int]:
    """Return the rows of the ten samples in which most of a pattern's neurons are active.

    counts: (n,), its active neurons. Samples with the same tokens before them count as one; of
    equally strong ones those of different prompts come first.
    """
    rows = np.flatnonzero(counts >= threshold)
    prefixes = samples.completions.prefixes
    if prefixes is not None:
        rows = np.sort(rows[np.unique(prefixes[rows], return_index=True)[1]])
    prompts = samples.completions.prompts_of_samples()[rows]
    ranked = pd.DataFrame({"prompt": prompts, "count": counts[rows]})
    turn = ranked.groupby(["count", "prompt"]).cumcount().to_numpy()
    order = np.lexsort((rows, turn, -counts[rows]))
    return [int(row) for row in rows[order][:N_CONTEXTS]]


def context_of(samples: Samples, row: int) -> dict[str, Any]:
    """Return the text around the token just read in a sample: before, token, after."""
    table, completions = samples.table, samples.completions
    completion = int(np.searchsorted(completions.starts(), row, side="right")) - 1
    start = int(completions.starts()[completion])
    end = start + int(completions.lengths[completion])
    rows = table.iloc[start:end]
    place = int(table["token_position"].iloc[row])
    last = int(table["token_position"].iloc[end - 1])
    prompt = str(table["input_text"].iloc[row]) if "input_text" in table.columns else ""
    read = prompt + written_text(rows, 0, place)
    token = str(table["context_token"].iloc[row]) if "context_token" in table.columns else ""
    before = read[: len(read) - len(token)] if token and read.endswith(token) else read
    cut = before[-TOKENS_BEFORE:]
    return {
        "before": cut if len(cut) == len(before) else "…" + cut,
        "token": token,
        "after": written_text(rows, place, min(place + TOKENS_AFTER, last + 1)),
        "output": str(table["output"].iloc[row]),
        "sample_id": int(table["sample_id"].iloc[row]),
        "prompt_idx": int(samples.prompt_ids[completions.prompts[completion]]),
    }
