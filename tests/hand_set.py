"""GPT-2 folders whose neurons and next tokens are set by hand, so that the truth is known.

    layers = [[on_token("a"), on_positions(3, 9)], [always(), random_mixture(rng)]]
    save_hand_set_gpt2(folder, layers, persistent("abc", stay=0.9))
    truth = expected_active(layers, table["context_token"], table["absolute_position"])

A token is one letter a..z; a prompt may hold these alone (the tokenizer drops anything else). The
embedding of a token is one-hot, that of a position is one-hot in other coordinates, and no block
writes anything. So each hidden state has the same mean and the same deviation, a layer norm can
undo both exactly, and every neuron reads which token and which position it stands at. What came
before is unknown to it: prompts differ only by where their letters and positions lead.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from string import ascii_lowercase as LETTERS
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer, decoders, models
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

from tests.helpers import END_OF_TEXT, run_script_here, write_prompts

MODEL = "hand_set"
VOCABULARY = [*LETTERS, END_OF_TEXT]
MOST_POSITIONS = 1024
# Its exponential is 0 in float32 at any temperature up to 2.
IMPOSSIBLE = -300.0

# Context letter -> next letter -> probability. A letter that is no key is followed by any key.
NextToken = Mapping[str, Mapping[str, float]]


@dataclass(frozen=True)
class Rule:
    """A neuron: its value before the GELU is of_token(letter) + of_position(position) + bias.

    It is active where that is above 0. All rules here keep it 1/128 or more away from 0, where
    float32 cannot change its sign.
    """

    of_token: Callable[[str], float]
    of_position: Callable[[int], float]
    bias: float

    def is_active(self, token: str, position: int) -> bool:
        """Return whether the neuron is active at context token `token` at absolute `position`."""
        return self.of_token(token) + self.of_position(position) + self.bias > 0


def on_token(letters: str) -> Rule:
    """Return a neuron active exactly where the context token is one of `letters`."""
    return Rule(lambda token: 2.0 * (token in letters), _zero, -1.0)


def on_positions(start: int, end: int) -> Rule:
    """Return a neuron active exactly at the absolute positions start..end-1."""
    return Rule(_zero, lambda position: 2.0 * (start <= position < end), -1.0)


def on_every_other_position(first: int = 0) -> Rule:
    """Return a neuron active exactly at the positions first, first + 2, ... of the same parity."""
    return Rule(_zero, lambda position: 2.0 * (position % 2 == first % 2), -1.0)


def on_token_and_positions(letters: str, start: int, end: int) -> Rule:
    """Return a neuron active exactly where both `on_token` and `on_positions` would be."""
    token, position = on_token(letters), on_positions(start, end)
    return Rule(token.of_token, position.of_position, -3.0)


def on_token_or_positions(letters: str, start: int, end: int) -> Rule:
    """Return a neuron active exactly where `on_token` or `on_positions` or both would be."""
    token, position = on_token(letters), on_positions(start, end)
    return Rule(token.of_token, position.of_position, -1.0)


def always() -> Rule:
    """Return a neuron active everywhere."""
    return Rule(_zero, _zero, 1.0)


def never() -> Rule:
    """Return a neuron active nowhere."""
    return Rule(_zero, _zero, -1.0)


def inverse(rule: Rule) -> Rule:
    """Return a neuron active exactly where `rule` is not."""
    return Rule(
        lambda token: -rule.of_token(token),
        lambda position: -rule.of_position(position),
        -rule.bias,
    )


def random_mixture(
    rng: np.random.Generator,
    token_scale: float = 1.0,
    position_scale: float = 1.0,
    bias: float = 0.0,
) -> Rule:
    """Return a neuron with normal weights of these standard deviations for letters and positions.

    It is active at a random mixture of them: at half of all with bias 0, at fewer with bias < 0.
    A scale of 0 leaves letters or positions out.
    """
    tokens = dict(zip(LETTERS, _on_grid(rng.normal(0, token_scale, len(LETTERS))), strict=True))
    positions = _on_grid(rng.normal(0, position_scale, MOST_POSITIONS))
    # All weights are multiples of 1/64 and the bias lies between two of them: no sum is near 0.
    halfway = math.floor(bias * 64) / 64 + 1 / 128
    return Rule(lambda token: tokens.get(token, 0.0), positions.__getitem__, halfway)


def independent(probabilities: str | Mapping[str, float]) -> NextToken:
    """Return next tokens that do not depend on the context.

    probabilities: of each letter; or letters that are all as likely.
    """
    row = _uniform(probabilities) if isinstance(probabilities, str) else dict(probabilities)
    return dict.fromkeys(LETTERS, row)


def cycle(letters: str) -> NextToken:
    """Return next tokens that are certain: each letter is followed by the next one, in a circle."""
    following = letters[1:] + letters[:1]
    return {one: {other: 1.0} for one, other in zip(letters, following, strict=True)}


def persistent(letters: str, stay: float = 0.9) -> NextToken:
    """Return a chain that repeats its letter with probability `stay`, else takes another one."""
    leave = (1 - stay) / (len(letters) - 1)
    return {one: {other: stay if other == one else leave for other in letters} for one in letters}


def expected_active(
    layers: Sequence[Sequence[Rule]], tokens: Iterable[str], positions: Iterable[int]
) -> NDArray[np.bool_]:
    """Return where the neurons must be active, (samples, n_neurons) bool by neuron id.

    tokens, positions: the context token and its absolute position of each sample.
    """
    rules = [rule for layer in layers for rule in layer]
    samples = zip(tokens, positions, strict=True)
    rows = [[rule.is_active(token, position) for rule in rules] for token, position in samples]
    return np.array(rows, bool).reshape(-1, len(rules))


def save_hand_set_gpt2(
    folder: Path,
    layers: Sequence[Sequence[Rule]],
    next_token: NextToken,
    n_positions: int = 64,
) -> None:
    """Save a GPT-2 with these neurons, by layer and dimension, and its tokenizer to `folder`.

    next_token: drawn from as it stands at `--temperature 1`. Raises `ValueError` for layers of
    unequal size and for probabilities that do not add up to 1 or are of other tokens.
    """
    if len({len(layer) for layer in layers}) != 1 or n_positions > MOST_POSITIONS:
        raise ValueError("every layer needs as many neurons, and positions are 1,024 at most")
    config = GPT2Config(
        vocab_size=len(VOCABULARY),
        n_positions=n_positions,
        n_embd=len(VOCABULARY) + n_positions,
        n_layer=len(layers),
        n_head=1,
        n_inner=len(layers[0]),
        tie_word_embeddings=False,
        bos_token_id=len(LETTERS),
        eos_token_id=len(LETTERS),
    )
    model = GPT2LMHeadModel(config)
    with torch.no_grad():
        _set_weights(model, layers, _log_probabilities(next_token))
    model.save_pretrained(folder)
    letter_tokenizer().save_pretrained(folder)


def generate_hand_set(
    folder: Path,
    layers: Sequence[Sequence[Rule]],
    next_token: NextToken,
    prompts: Sequence[tuple[str, int, int]],
    seed: int = 42,
) -> Path:
    """Save the model `hand_set` below `folder` and let it write; return the dataset's folder.

    prompts: (letters, number of new tokens, number of completions) each. The probabilities are
    those of `next_token`: the temperature is 1.
    """
    folder.mkdir(parents=True, exist_ok=True)
    longest = max(len(text) + n_new for text, n_new, _ in prompts)
    save_hand_set_gpt2(folder / MODEL, layers, next_token, max(64, longest))
    run_script_here(
        "generate_activation_dataset.py",
        *("--model_type", folder / MODEL, "--device", "cpu", "--edges", "none"),
        *("--input_csv", write_prompts(folder / "prompts.csv", *prompts)),
        *("--export_dir", folder / "dataset", "--seed", seed, "--temperature", 1),
    )
    return folder / "dataset"


def letter_tokenizer() -> PreTrainedTokenizerFast:
    """Return a tokenizer whose tokens are the letters a..z, ids 0..25, and the end of text."""
    vocabulary = {token: index for index, token in enumerate(VOCABULARY)}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.decoder = decoders.Fuse()
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token=END_OF_TEXT, eos_token=END_OF_TEXT
    )


def _zero(_: object) -> float:
    return 0.0


def _on_grid(weights: NDArray[np.float64]) -> list[float]:
    on_grid: list[float] = (np.round(weights * 64) / 64).tolist()
    return on_grid


def _uniform(letters: Iterable[str]) -> dict[str, float]:
    distinct = sorted(set(letters))
    return dict.fromkeys(distinct, 1 / len(distinct))


def _log_probabilities(next_token: NextToken) -> torch.Tensor:
    """Return log-probabilities (context token, next token) over the vocabulary."""
    table = torch.full((len(VOCABULARY), len(VOCABULARY)), IMPOSSIBLE, dtype=torch.float64)
    for row, context in enumerate(VOCABULARY):
        probabilities = next_token.get(context, _uniform(next_token))
        if abs(sum(probabilities.values()) - 1) > 1e-9 or not set(probabilities) <= set(LETTERS):
            raise ValueError(f"after {context!r}: {probabilities} is no distribution of letters")
        for token, probability in probabilities.items():
            if probability > 0:
                table[row, VOCABULARY.index(token)] = math.log(probability)
    return table


def _set_weights(
    model: Any, layers: Sequence[Sequence[Rule]], log_probabilities: torch.Tensor
) -> None:
    body, n_tokens = model.transformer, len(VOCABULARY)
    n_embd, n_positions = model.config.n_embd, model.config.n_positions
    for parameter in model.parameters():
        parameter.zero_()
    body.wte.weight[:, :n_tokens] = torch.eye(n_tokens)
    body.wpe.weight[:, n_tokens:] = torch.eye(n_positions)
    # Of n numbers that are 0 but for two 1s the mean is 2/n and the variance 2/n - (2/n)^2.
    mean = 2 / n_embd
    deviation = math.sqrt(mean - mean**2 + model.config.layer_norm_epsilon)
    for norm in [body.ln_f, *(block.ln_2 for block in body.h)]:
        norm.weight.fill_(deviation)
        norm.bias.fill_(mean)
    for block, rules in zip(body.h, layers, strict=True):
        weights = torch.tensor([_read_weights(rule, n_positions) for rule in rules])
        block.mlp.c_fc.weight.copy_(weights.T)
        block.mlp.c_fc.bias.copy_(torch.tensor([rule.bias for rule in rules]))
    model.lm_head.weight[:, :n_tokens] = log_probabilities.T.float()


def _read_weights(rule: Rule, n_positions: int) -> list[float]:
    """Return what the neuron reads from each coordinate of the hidden state."""
    tokens = [rule.of_token(token) for token in LETTERS] + [0.0]
    return tokens + [rule.of_position(position) for position in range(n_positions)]
