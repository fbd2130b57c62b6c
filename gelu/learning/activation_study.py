"""Which neurons are active, predicted from tokens alone: learn, then test on held-out prompts.

study = study_activations(samples, groups, history, settings, device, bars)
study.layers, study.neurons, study.reliability       # tables
study.predictor.probabilities(token_ids)             # of the text's last token
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from gelu.learning.backoff import Contexts, base_rate
from gelu.learning.network import (
    ActivationNetwork,
    Inputs,
    Shown,
    Sizes,
    TokenCodes,
    Training,
    hidden_states,
    neuron_weights,
    new_network,
    train,
)
from gelu.learning.prediction import (
    BASELINES,
    KINDS,
    PREDICTORS,
    LearnedLogits,
    Strengths,
    choose_strengths,
    layer_table,
    measure,
    neuron_table,
    reliability_table,
)
from gelu.models import Geometry
from gelu.splits import Parts, coverage_note, split_parts
from gelu.statistics.samples import Samples
from gelu.token_history import NO_TOKEN

SHOWN: dict[str, Shown] = {
    "learned": "all",
    "learned_token_only": "token",
    "learned_position_only": "position",
}
# Gives a function that counts progress: (description, total, unit).
Bars = Callable[[str, int, str], AbstractContextManager[Callable[[int], object]]]


@dataclass(frozen=True)
class Settings:
    """held_out: share of the prompts to test on; history: tokens the network reads; width: of its
    hidden layer; token_width: of a token's vector."""

    seed: int
    held_out: float
    history: int
    width: int
    token_width: int
    epochs: int
    batch_size: int = 256
    learning_rate: float = 4e-3
    weight_decay: float = 0.05
    dropout: float = 0.1
    patience: int = 3
    least_steps: int = 600

    def training(self) -> Training:
        """Return how the network learns."""
        return Training(
            self.epochs,
            self.batch_size,
            self.learning_rate,
            self.weight_decay,
            self.dropout,
            self.patience,
            self.least_steps,
            self.seed,
        )


@dataclass(frozen=True)
class Predictor:
    """A trained network with the tokens that it knows."""

    network: ActivationNetwork
    codes: TokenCodes
    geometry: Geometry

    def probabilities(self, token_ids: Sequence[int]) -> NDArray[np.float32]:
        """Return each neuron's probability of being active at the last token, (n_neurons,).

        token_ids: of the whole text, at least one.
        """
        length = self.network.sizes.history
        newest_first = list(token_ids)[::-1][:length]
        history = np.full((1, length), NO_TOKEN, np.int64)
        history[0, : len(newest_first)] = newest_first
        positions = np.array([len(token_ids) - 1], np.int64)
        inputs = Inputs(self.codes.encode(history), positions)
        hidden = hidden_states(self.network, inputs, np.zeros(1, np.int64))
        weights, biases = neuron_weights(self.network)
        rates: NDArray[np.float32] = 1 / (1 + np.exp(-(hidden @ weights + biases)[0]))
        return rates

    def description(self) -> dict[str, Any]:
        """Return what `load_predictor` needs beside the weights, as plain values."""
        return {
            "sizes": asdict(self.network.sizes),
            "token_ids": self.codes.ids.tolist(),
            "n_layer": self.geometry.n_layer,
            "d_mlp": self.geometry.d_mlp,
        }


def load_predictor(description: dict[str, Any], tensors: dict[str, torch.Tensor]) -> Predictor:
    """Return the predictor that was saved; description: of `gelu.artifacts.read_predictor`.

    Raises `ValueError` where the two do not fit each other.
    """
    sizes = Sizes(**{field.name: description["sizes"][field.name] for field in fields(Sizes)})
    codes = TokenCodes(np.array(description["token_ids"], np.int64))
    if len(codes) != sizes.n_codes:
        raise ValueError(f"sizes.n_codes is {sizes.n_codes}, token_ids make {len(codes)}")
    for name, tensor in tensors.items():
        if tensor.dtype != torch.float32 or not tensor.isfinite().all():
            raise ValueError(f"{ascii(name)[:60]} holds other than finite float32 numbers")
    try:
        # Without memory of its own: it takes that of the file's tensors, however large it says.
        with torch.device("meta"):
            network = ActivationNetwork(sizes)
        network.load_state_dict(tensors, assign=True)
    except (ArithmeticError, RuntimeError) as error:
        raise ValueError(" ".join(str(error).split())[:200]) from None
    geometry = Geometry(description["n_layer"], 0, description["d_mlp"], 0)
    return Predictor(network.eval(), codes, geometry)


@dataclass(frozen=True)
class Study:
    """layers, neurons, reliability: tables of `gelu.learning.prediction`; losses: the network's on
    the validation prompts, by epoch, in bits."""

    parts: Parts
    strengths: Strengths
    losses: list[float]
    predictor: Predictor
    layers: pd.DataFrame
    neurons: pd.DataFrame
    reliability: pd.DataFrame


def study_activations(
    samples: Samples,
    groups: NDArray[np.int64],
    history: NDArray[np.int64],
    settings: Settings,
    device: str,
    bars: Bars,
) -> Study:
    """Learn all predictors on the training prompts and measure them on the held-out ones.

    groups: (n,), of `gelu.splits.prompt_groups`; history: (n, settings.history).
    """
    geometry, activations = samples.geometry, samples.activations
    parts = split_parts(groups, settings.held_out, settings.seed)
    contexts = Contexts.of(history)
    with bars("smoothing", geometry.n_neurons, "neuron") as done:
        strengths = choose_strengths(activations, contexts, parts, geometry.n_layer, done)
    codes = TokenCodes.of(history[parts.learn])
    positions = samples.table["absolute_position"].to_numpy(np.int64)
    inputs = Inputs(codes.encode(history), positions)
    network = _network(samples, codes, positions, parts, settings).to(device)
    training = settings.training()
    most = training.n_epochs(len(parts.learn)) * len(parts.learn)
    with bars("learning", most, "sample") as done:
        losses = train(network, inputs, activations, parts.learn, parts.validate, training, done)
    hidden = {
        name: hidden_states(network, inputs, parts.held_out, shown) for name, shown in SHOWN.items()
    }
    learned = LearnedLogits(hidden, *neuron_weights(network))
    with bars("testing", geometry.n_neurons, "neuron") as done:
        measured = measure(activations, geometry.n_layer, contexts, parts, strengths, learned, done)
    return Study(
        parts,
        strengths,
        losses,
        Predictor(network.cpu(), codes, geometry),
        layer_table(measured),
        neuron_table(measured, geometry),
        reliability_table(measured),
    )


def _network(
    samples: Samples,
    codes: TokenCodes,
    positions: NDArray[np.int64],
    parts: Parts,
    settings: Settings,
) -> ActivationNetwork:
    activations = samples.activations
    rates = np.concatenate(
        [base_rate(active[parts.learn]) for _, active in activations.neuron_blocks()]
    )
    sizes = Sizes(
        n_codes=len(codes),
        n_positions=int(positions[parts.learn].max()) + 1,
        history=settings.history,
        token_width=settings.token_width,
        width=settings.width,
        n_neurons=activations.n_neurons,
    )
    return new_network(sizes, rates, settings.training())


def summarise_study(study: Study, samples: Samples, settings: Settings) -> dict[str, Any]:
    """Return the headline numbers as plain values."""
    layers = study.layers
    learned = layers[layers["predictor"] == "learned"]
    kinds = study.neurons["decided_by"].value_counts()
    everywhere = layers[layers["layer"] == "all"].set_index("predictor")["log_loss_bits"]
    return {
        "settings": asdict(settings),
        "counts": {
            "samples": len(samples),
            "neurons": samples.geometry.n_neurons,
            "layers": samples.geometry.n_layer,
            "samples_to_learn": len(study.parts.learn),
            "samples_to_validate": len(study.parts.validate),
            "samples_held_out": len(study.parts.held_out),
            "prompts_held_out": int(study.parts.held_out_groups.max()) + 1,
        },
        "smoothing": {
            "token": study.strengths.token.tolist(),
            "two_tokens": study.strengths.pair.tolist(),
        },
        "validation_log_loss_bits_by_epoch": [round(loss, 6) for loss in study.losses],
        "log_loss_bits": {name: round(float(everywhere[name]), 6) for name in PREDICTORS},
        "decided_by": {kind: int(kinds.get(kind, 0)) for kind in KINDS},
        "not_clearly_better_at": [
            str(layer) for layer in learned.loc[~(learned["saved_low"] > 0), "layer"]
        ],
        "verdict": verdict(layers),
        "intervals": coverage_note(int(study.parts.held_out_groups.max()) + 1),
        "skipped": dict(samples.skipped),
    }


def verdict(layers: pd.DataFrame) -> str:
    """Return in a sentence whether the network beats every baseline at every layer, or where not.

    layers: the table of `layer_table`.
    """
    learned = layers[(layers["predictor"] == "learned") & (layers["layer"] != "all")]
    worse = learned[learned["saved_bits"] <= 0]["layer"].tolist()
    unsure = learned[(learned["saved_bits"] > 0) & ~(learned["saved_low"] > 0)]["layer"].tolist()
    if not worse and not unsure:
        return (
            "The learned predictor has a lower log-loss on held-out prompts than every baseline at "
            "every layer, and every 95 % interval of the difference is above 0."
        )
    best = layers[layers["predictor"].isin(BASELINES)].copy()
    best = best.loc[best.groupby("layer", sort=False)["log_loss_bits"].idxmin()]
    names = dict(zip(best["layer"], best["predictor"], strict=True))
    parts = []
    if worse:
        told = ", ".join(f"layer {layer} (best: {names[layer]})" for layer in worse)
        parts.append(
            f"The learned predictor does not beat the best baseline at {told}: either there is "
            "nothing to learn beyond the last two tokens, or too few prompts to learn it from."
        )
    if unsure:
        told = ", ".join(f"layer {layer}" for layer in unsure)
        parts.append(
            f"It is better at {told}, but the 95 % interval of the difference contains 0: too few "
            "held-out prompts to tell."
        )
    return " ".join(parts)
