"""Which neurons are active, predicted from tokens alone: learn, then test on held-out prompts.

study = study_activations(samples, groups, history, settings, device, bars)
study.layers, study.neurons, study.reliability       # tables
study.predictor.probabilities(token_ids)             # of the text's last token
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from gelu.learning.backoff import Contexts, Rates, backed_off, base_rate
from gelu.learning.mixture import Mixtures
from gelu.learning.network import (
    ActivationNetwork,
    NetworkInputs,
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
    Learned,
    NetworkLogits,
    Strengths,
    choose_mixtures,
    choose_strengths,
    layer_table,
    measure,
    mixture_rows,
    neuron_table,
    reliability_table,
)
from gelu.learning.settings import ActivationSettings
from gelu.neurons import Geometry, layer_of
from gelu.packed import PackedActivations
from gelu.progress import Bars
from gelu.samples.arrays import Samples
from gelu.samples.notes import Notes
from gelu.samples.splits import Parts, coverage_note, split_parts
from gelu.samples.token_history import NO_TOKEN, UNKNOWN_TOKEN

SHOWN: dict[str, Shown] = {
    "learned": "all",
    "learned_token_only": "token",
    "learned_position_only": "position",
}
COUNTED_BITS, COUNTED_TOKENS = "counted.bits", "counted.tokens"
STRENGTHS, MIXTURE = "counted.strengths", "mixture.weights"
COUNTS = (COUNTED_BITS, COUNTED_TOKENS, STRENGTHS, MIXTURE)
MOST_TOKEN_ID = (1 << 31) - 2


def training_of(settings: ActivationSettings) -> Training:
    """Return how the network learns."""
    return Training(
        settings.epochs,
        settings.batch_size,
        settings.learning_rate,
        settings.weight_decay,
        settings.dropout,
        settings.patience,
        settings.least_steps,
        settings.seed,
    )


@dataclass(frozen=True)
class Counted:
    """What the counts of a predictor are taken from: the samples of all training prompts.

    activations: of m samples; history: (m, 2), their context token and the one before.
    """

    activations: PackedActivations
    history: NDArray[np.int64]

    def rates(self, asked: NDArray[np.int64], strengths: Strengths) -> Rates:
        """Return the back-off rates of all neurons for one more sample; asked: (2,), its tokens."""
        contexts = Contexts.of(np.concatenate([self.history, asked[None]]))
        m, n_neurons = len(self.history), self.activations.n_neurons
        parts = []
        for first, active in self.activations.neuron_blocks():
            layers = np.arange(first, first + active.shape[1]) * len(strengths.token) // n_neurons
            both = (strengths.token[layers], strengths.pair[layers])
            parts.append(backed_off(active, contexts, np.arange(m), np.array([m]), both))
        return Rates(
            np.concatenate([part.base for part in parts]),
            np.concatenate([part.token for part in parts], axis=1),
            np.concatenate([part.pair for part in parts], axis=1),
        )


@dataclass(frozen=True)
class Predictor:
    """A trained network with the tokens that it knows, and the counts that it is mixed with."""

    network: ActivationNetwork
    codes: TokenCodes
    geometry: Geometry
    counted: Counted
    strengths: Strengths
    mixture: NDArray[np.float32]

    def probabilities(self, token_ids: Sequence[int]) -> NDArray[np.float32]:
        """Return each neuron's probability of being active at the last token, (n_neurons,).

        token_ids: of the whole text, at least one.
        """
        length = self.network.sizes.history
        newest_first = list(token_ids)[::-1][:length]
        history = np.full((1, length), NO_TOKEN, np.int64)
        history[0, : len(newest_first)] = newest_first
        positions = np.array([len(token_ids) - 1], np.int64)
        inputs = NetworkInputs(self.codes.encode(history), positions)
        hidden = hidden_states(self.network, inputs, np.zeros(1, np.int64))
        weights, biases = neuron_weights(self.network)
        rates = self.counted.rates(history[0, :2], self.strengths)
        layers = layer_of(np.arange(self.geometry.n_neurons), self.geometry.d_mlp)
        mixtures = Mixtures({"learned": self.mixture})
        logits = mixtures.logits("learned", layers, rates, hidden @ weights + biases)[0]
        probabilities: NDArray[np.float32] = 1 / (1 + np.exp(-logits))
        return probabilities

    def description(self) -> dict[str, Any]:
        """Return what `load_predictor` needs beside the tensors, as plain values."""
        return {
            "sizes": asdict(self.network.sizes),
            "token_ids": self.codes.ids.tolist(),
            "n_layer": self.geometry.n_layer,
            "d_mlp": self.geometry.d_mlp,
        }

    def tensors(self) -> dict[str, torch.Tensor]:
        """Return the network's weights, the mixture's, and the samples that are counted."""
        arrays = {
            COUNTED_BITS: self.counted.activations.bits,
            COUNTED_TOKENS: self.counted.history,
            STRENGTHS: np.stack([self.strengths.token, self.strengths.pair]),
            MIXTURE: self.mixture,
        }
        kept = {name: torch.from_numpy(np.ascontiguousarray(x)) for name, x in arrays.items()}
        return {**self.network.state_dict(), **kept}


def load_predictor(description: dict[str, Any], tensors: dict[str, torch.Tensor]) -> Predictor:
    """Return the predictor that was saved; description: of `gelu.artifacts.read_predictor`.

    Raises `ValueError` where the two do not fit each other.
    """
    sizes = Sizes(**{field.name: description["sizes"][field.name] for field in fields(Sizes)})
    codes = TokenCodes(np.array(description["token_ids"], np.int64))
    if len(codes) != sizes.n_codes:
        raise ValueError(f"sizes.n_codes is {sizes.n_codes}, token_ids make {len(codes)}")
    geometry = Geometry(description["n_layer"], 0, description["d_mlp"], 0)
    weights = {name: tensor for name, tensor in tensors.items() if name not in COUNTS}
    for name, tensor in weights.items():
        if tensor.dtype != torch.float32 or not tensor.isfinite().all():
            raise ValueError(f"{ascii(name)[:60]} holds other than finite float32 numbers")
    counted, strengths, mixture = _load_counts(tensors, geometry)
    try:
        # Without memory of its own: it takes that of the file's tensors, however large it says.
        with torch.device("meta"):
            network = ActivationNetwork(sizes)
        network.load_state_dict(weights, assign=True)
    except (ArithmeticError, RuntimeError) as error:
        raise ValueError(" ".join(str(error).split())[:200]) from None
    return Predictor(network.eval(), codes, geometry, counted, strengths, mixture)


def _load_counts(
    tensors: dict[str, torch.Tensor], geometry: Geometry
) -> tuple[Counted, Strengths, NDArray[np.float32]]:
    """Return counted samples, strengths and mixture; `ValueError` for ones never saved."""
    if missing := [name for name in COUNTS if name not in tensors]:
        raise ValueError(f"there is no tensor {missing[0]}")
    bits, history, strengths, mixture = (tensors[name] for name in COUNTS)
    m = bits.numel() // -(-geometry.n_neurons // 8)
    expected = {
        COUNTED_BITS: (torch.uint8, (m, (geometry.n_neurons + 7) // 8)),
        COUNTED_TOKENS: (torch.int64, (m, 2)),
        STRENGTHS: (torch.float32, (2, geometry.n_layer)),
        MIXTURE: (torch.float32, (geometry.n_layer, 3)),
    }
    for name, (dtype, shape) in expected.items():
        if tensors[name].dtype != dtype or tuple(tensors[name].shape) != shape or m == 0:
            raise ValueError(f"{name} is of another type or shape than was saved")
    if int(history.min()) < UNKNOWN_TOKEN or int(history.max()) > MOST_TOKEN_ID:
        raise ValueError(f"{COUNTED_TOKENS} holds what is no token's id")
    for name in (STRENGTHS, MIXTURE):
        if not tensors[name].isfinite().all() or (tensors[name] < 0).any():
            raise ValueError(f"{name} holds other than finite numbers of 0 or more")
    if not strengths.all():
        raise ValueError(f"{STRENGTHS} holds 0, counts need a strength above it")
    counted = Counted(PackedActivations(bits.numpy(), geometry.n_neurons), history.numpy())
    return counted, Strengths(*strengths.numpy()), mixture.numpy()


@dataclass(frozen=True)
class ActivationStudy:
    """layers, neurons, reliability: tables of `gelu.learning.prediction`; losses: the network's on
    the validation prompts, by epoch, in bits."""

    parts: Parts
    strengths: Strengths
    mixtures: Mixtures
    losses: list[float]
    predictor: Predictor
    layers: pd.DataFrame
    neurons: pd.DataFrame
    reliability: pd.DataFrame


def study_activations(
    samples: Samples,
    groups: NDArray[np.int64],
    history: NDArray[np.int64],
    settings: ActivationSettings,
    device: str,
    bars: Bars,
) -> ActivationStudy:
    """Learn all predictors on the training prompts and measure them on the held-out ones.

    groups: (n,), of `gelu.samples.splits.prompt_groups`; history: (n, settings.history).
    """
    geometry, activations = samples.geometry, samples.activations
    parts = split_parts(groups, settings.held_out, settings.seed)
    contexts = Contexts.of(history)
    with bars("smoothing", geometry.n_neurons, "neuron") as done:
        strengths = choose_strengths(activations, contexts, parts, geometry.n_layer, done)
    codes = TokenCodes.of(history[parts.learn])
    positions = samples.table["absolute_position"].to_numpy(np.int64)
    inputs = NetworkInputs(codes.encode(history), positions)
    network = _network(samples, codes, positions, parts, settings).to(device)
    training = training_of(settings)
    most = training.n_epochs(len(parts.learn)) * len(parts.learn)
    with bars("learning", most, "sample") as done:
        losses = train(network, inputs, activations, parts.learn, parts.validate, training, done)
    mixed = mixture_rows(parts.validate, geometry.d_mlp)
    with bars("mixing", geometry.n_neurons, "neuron") as done:
        logits = _network_logits(network, inputs, mixed)
        mixtures = choose_mixtures(activations, contexts, parts, strengths, logits, done)
    learned = Learned(_network_logits(network, inputs, parts.held_out), mixtures)
    with bars("testing", geometry.n_neurons, "neuron") as done:
        measured = measure(activations, geometry.n_layer, contexts, parts, strengths, learned, done)
    counted = Counted(activations.taken(parts.training), history[parts.training, :2])
    predictor = Predictor(
        network.cpu(), codes, geometry, counted, strengths, mixtures.weights["learned"]
    )
    return ActivationStudy(
        parts,
        strengths,
        mixtures,
        losses,
        predictor,
        layer_table(measured),
        neuron_table(measured, geometry),
        reliability_table(measured),
    )


def _network_logits(
    network: ActivationNetwork, inputs: NetworkInputs, rows: NDArray[np.int64]
) -> NetworkLogits:
    hidden = {name: hidden_states(network, inputs, rows, shown) for name, shown in SHOWN.items()}
    return NetworkLogits(hidden, *neuron_weights(network))


def _network(
    samples: Samples,
    codes: TokenCodes,
    positions: NDArray[np.int64],
    parts: Parts,
    settings: ActivationSettings,
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
    return new_network(sizes, rates, training_of(settings))


def summarise_activation_study(
    study: ActivationStudy, samples: Samples, settings: ActivationSettings, notes: Notes
) -> dict[str, Any]:
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
        "mixture": {
            name: study.mixtures.weights["learned"][:, number].round(4).tolist()
            for number, name in enumerate(("token", "two_tokens", "network"))
        },
        "validation_log_loss_bits_by_epoch": [round(loss, 6) for loss in study.losses],
        "log_loss_bits": {name: round(float(everywhere[name]), 6) for name in PREDICTORS},
        "decided_by": {kind: int(kinds.get(kind, 0)) for kind in KINDS},
        "not_clearly_better_at": [
            str(layer) for layer in learned.loc[~(learned["saved_low"] > 0), "layer"]
        ],
        "verdict": verdict(layers),
        "intervals": coverage_note(int(study.parts.held_out_groups.max()) + 1),
        "skipped": dict(notes.skipped),
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
        named = ", ".join(f"layer {layer} (best: {names[layer]})" for layer in worse)
        parts.append(
            f"The learned predictor does not beat the best baseline at {named}: either there is "
            "nothing to learn beyond the last two tokens, or too few prompts to learn it from."
        )
    if unsure:
        named = ", ".join(f"layer {layer}" for layer in unsure)
        parts.append(
            f"It is better at {named}, but the 95 % interval of the difference contains 0: too few "
            "held-out prompts to tell."
        )
    return " ".join(parts)
