"""A small folder of what the studies' scripts leave, every number made up and possible.

files = write_results(folder)                   # of 2 layers of 4 neurons
"""

import hashlib
import json
import struct
import zlib
from pathlib import Path
from typing import Any

from gelu import artifacts
from gelu.artifacts import Artifacts

MODEL = "m"
SAMPLES, NEURONS, LAYERS = 60, 8, 2
INPUTS = {
    "dataset_csv": "m_activation_dataset.csv",
    "dataset_csv_sha256": "a" * 64,
    "activations_file": "m_activation_matrix.npz",
    "activations_sha256": "b" * 64,
}
LOSSES = {"base_rate": 0.5, "token": 0.25, "two_tokens": 0.2, "learned": 0.125}
SCORES = {"unigram": 5.0, "bigram": 3.0, "trigram": 2.5, "linear": 2.0, "hidden_layer": 1.75}
HELD_OUT = {"samples_held_out": 12, "prompts_held_out": 3}


def png(width: int = 2, height: int = 2) -> bytes:
    """Return a white picture."""
    rows = (b"\0" + b"\xff" * 3 * width) * height
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks
    )


PICTURE = {"picture_sha256": hashlib.sha256(png()).hexdigest()}


def activation_prediction() -> dict[str, Any]:
    """Return the document of `predict_activations.py`."""
    return {
        "script": "predict_activations.py",
        "model_type": MODEL,
        "inputs": dict(INPUTS),
        "settings": {"seed": 42, "held_out": 0.2, "epochs": 2},
        "counts": {"samples": SAMPLES, "neurons": NEURONS, "layers": LAYERS, **HELD_OUT},
        "log_loss_bits": dict(LOSSES),
        "decided_by": {"token": 5, "position": 1, "constant": 2},
        "verdict": "It is better.",
        "intervals": "95 % intervals are over 2 held-out prompts.",
        "skipped": {"a thing": "no reason"},
        **PICTURE,
    }


def activation_layers() -> str:
    """Return the table of `predict_activations.py`."""
    names = "log_loss_bits,log_loss_low,log_loss_high,saved_bits,saved_low,saved_high"
    rows = [
        f'"{predictor}",{layer},{loss},{loss / 2},{loss * 2},-0.5,-1,0.125,0.5,,1e-05'
        for layer in (*range(LAYERS), '"all"')
        for predictor, loss in LOSSES.items()
    ]
    return "\n".join(
        [f"predictor,layer,{names},average_precision,auc,calibration_error", *rows, ""]
    )


def _pattern(number: int) -> dict[str, Any]:
    passed = {"lift": 3.5, "p_value": 1e-9, "q_value": 1e-8}
    token = {"token": " <b>", "token_id": 3, "n_token": 9, "n_on": 7, "n_both": 6, **passed}
    return {
        "pattern": number,
        "n_neurons": 3,
        "threshold": 2,
        "layer_0_neurons": 1,
        "layer_1_neurons": 2,
        "n_on": 7,
        "share_on": 7 / SAMPLES,
        "n_prompts_on": 4,
        "n_prompts_held_out": 2,
        "found_in": "both halves",
        "share_beyond_tokens": 0.75,
        "share_low": -0.5,
        "share_high": None,
        "q_value": 0.001,
        "neurons": [
            {"neuron_id": id, "layer": id // 4, "dimension": id % 4, "frequency_on": 0.9}
            for id in (1, 4, 7)
        ],
        "tokens": {"context": [token], "previous": [], "output": [token, token]},
        "positions": [{"range_start": 2, "range_end": 8, **passed}],
        "prompts": [{"prompt_idx": 1, "input_text": "a <b>", **passed}],
        "contexts": [
            {"before": "a\nb", "token": " c", "after": "d", "n_active": 3, "sample_id": 5},
            {"before": "", "token": "", "after": "", "n_active": 2, "sample_id": 6},
        ],
    }


def patterns() -> dict[str, Any]:
    """Return the document of `extract_patterns.py`."""
    counts = {"samples": SAMPLES, "prompts": 15, "neurons": NEURONS, "layers": LAYERS}
    arguments = {"model_type": MODEL, "seed": 1, "fdr": 0.05}
    return {
        "inputs": {"script": "extract_patterns.py", "arguments": arguments, **INPUTS},
        "summary": {
            "counts": {**counts, "tested": 5, "kept": 2},
            "fdr": 0.05,
            "intervals": "95 % intervals are over 2 held-out prompts.",
            "permuted_data": {"kept": [0, 1], "neurons": 8, "samples": SAMPLES},
            "skipped": {"x": "y"},
            "subsampled": {},
        },
        "patterns": [_pattern(0), _pattern(1)],
        **PICTURE,
    }


def next_token() -> dict[str, Any]:
    """Return the document of `predict_next_token.py`."""
    scores = {
        name: {"cross_entropy_bits": bits, "top1": 0.25, "top5": 0.5}
        for name, bits in SCORES.items()
    }
    return {
        "script": "predict_next_token.py",
        "model_type": MODEL,
        "inputs": dict(INPUTS),
        "settings": {"seed": 42, "held_out": 0.2, "epochs": 6},
        "drawn_with": {"temperature": 0.8, "top_k": 0},
        "counts": {"samples": SAMPLES, "neurons": NEURONS, "classes": 9, **HELD_OUT},
        "scores": {**scores, "model": {"cross_entropy_bits": 1.5, "top1": None, "top5": None}},
        "direct_path": [
            {"layer": layer, "correlation": 0.5 - layer / 4} for layer in range(LAYERS)
        ],
        "strongest_neurons": [[3, 1], [4, 7]],
        "intervals": "95 % intervals are over 2 held-out prompts.",
        "skipped": {"the model's weights": "not at hand"},
        **PICTURE,
    }


def next_token_scores() -> str:
    """Return the table of scores of `predict_next_token.py`."""
    rows = [
        (name, "none" if "gram" in name else "all", 0 if "gram" in name else NEURONS, bits, 0.25)
        for name, bits in SCORES.items()
    ]
    rows += [("linear", "layer 0", 4, 2.25, 0.125), ("linear", "best 3", 3, 2.375, 0.125)]
    lines = [
        f'"{name}","{neurons}",{n},{bits},{bits - 0.1},{bits + 0.1},{top},,,{top * 2},,'
        for name, neurons, n, bits, top in rows
    ]
    names = [f"{one}{end}" for one in ("cross_entropy_bits", "top1", "top5") for end in ENDS]
    header = ",".join(["predictor", "neurons", "n_neurons", *names])
    return "\n".join([header, *lines, '"model","model",0,1.5,1.25,1.75,,,,,,', ""])


ENDS = ("", "_low", "_high")
CARRIERS = (
    "token_id,token,n_token,neuron_id,layer,dimension,readout_weight,readout_effect,direct_weight,"
    'direct_rank\n3,"NA",9,1,0,1,2.5,1.25,-0.5,3\n3,"NA",9,4,1,0,1.5,0.25,0.125,1\n'
    '4," <b>\n""",7,7,1,3,0.5,1e-05,0,2\n'
)
DIRECT = (
    "layer,n_neurons,n_tokens,correlation,share_positive,null_neurons_mean,null_neurons_sd,"
    "p_neurons,null_tokens_mean,null_tokens_sd,p_tokens\n"
    "0,4,2,0.5,1.0,0.01,0.1,0.001,-0.01,0.1,0.002\n1,4,2,0.25,0.5,0.01,0.1,0.5,-0.01,0.1,0.5\n"
)


FAMILIES = (
    "token-specific neurons",
    "position-specific neurons",
    "neurons consistent within a prompt",
    "tokens across prompts",
)


def analysis() -> dict[str, Any]:
    """Return the document of `analyze_activations.py`."""
    files = {name: INPUTS[name] for name in ("dataset_csv", "activations_file")}
    hashes = {name: INPUTS[name] for name in ("dataset_csv_sha256", "activations_sha256")}
    tests: list[dict[str, Any]] = [
        {"what": what, "test": "a test", "n_tests": 9, "n_passed": 4, "unattainable": None}
        for what in FAMILIES
    ]
    alike = {"what": "completions", "test": "a test", "n_permutations": 99, "p_value": 0.25}
    important = {"activation_frequency": 0.5, "importance": 0.25}
    return {
        "script": "analyze_activations.py",
        "arguments": {"model_type": MODEL, "seed": 42, "fdr": 0.05, **files},
        **hashes,
        "counts": {
            **{"samples": SAMPLES, "completions": 20, "prompts": 15},
            **{"neurons": NEURONS, "layers": LAYERS, "selective": 5, "always_on": 1, "dead": 2},
        },
        "clusters": {"number": 3, "silhouette": 0.25},
        "important_neurons": {
            "top": [
                {"neuron_id": 5, "layer": 1, "dimension": 1, **important},
                {"neuron_id": 2, "layer": 0, "dimension": 2, **important},
            ],
            "layers": [
                {
                    **{"layer": 0, "mean_activity": 0.25},
                    **{"n_selective": 3, "n_always_on": 1, "n_dead": 0},
                },
                {
                    **{"layer": 1, "mean_activity": 0.125},
                    **{"n_selective": 2, "n_always_on": 0, "n_dead": 2},
                },
            ],
        },
        "tests": [*tests, alike],
        "skipped": {"a part": "no column"},
        "subsampled": {"another part": "some samples"},
        "not_drawn": {artifacts.POSITION_PICTURE: "all samples have one position"},
    }


TEMPERATURES = (
    "temperature,layer,n_samples,mean_active,std_active,distinct_neurons,"
    "mean_jaccard_between_completions,distinct_output_tokens,mean_output_logprob\n"
    "0.0,0,60,1.5,0.5,3,0.5,7,0.0\n0.0,1,60,1.25,0.5,4,0.25,7,0.0\n"
    '0.0,"all",60,2.75,0.75,7,0.375,7,0.0\n0.8,0,60,1.5,0.5,3,,9,-1.5\n'
    '0.8,1,60,1.25,0.5,4,,9,-1.5\n0.8,"all",60,2.75,0.75,7,,9,-1.5\n'
)
PICTURES = (
    artifacts.ACTIVATION_PREDICTION_PICTURE,
    artifacts.PATTERNS_PICTURE,
    artifacts.NEXT_TOKEN_PICTURE,
    artifacts.TOP_NEURONS_PICTURE,
    artifacts.CLUSTERS_PICTURE,
    artifacts.TEMPERATURE_PICTURE,
)


def contents() -> dict[str, bytes]:
    """Return the content of every file of a folder of results, by its name's ending."""
    documents = {
        artifacts.ACTIVATION_PREDICTION: activation_prediction(),
        artifacts.PATTERNS_DOCUMENT: patterns(),
        artifacts.NEXT_TOKEN: next_token(),
        artifacts.SUMMARY: analysis(),
    }
    tables = {
        artifacts.ACTIVATION_PREDICTION_LAYERS: activation_layers(),
        artifacts.NEXT_TOKEN_SCORES: next_token_scores(),
        artifacts.NEXT_TOKEN_NEURONS: CARRIERS,
        artifacts.NEXT_TOKEN_DIRECT: DIRECT,
        artifacts.TEMPERATURE_STUDY: TEMPERATURES,
    }
    return {
        **{ending: json.dumps(content).encode() for ending, content in documents.items()},
        **{ending: text.encode() for ending, text in tables.items()},
        **dict.fromkeys(PICTURES, png()),
    }


def write_results(folder: Path) -> Artifacts:
    """Write every file of a folder of results."""
    files = Artifacts(folder, MODEL)
    folder.mkdir(parents=True, exist_ok=True)
    for ending, content in contents().items():
        files.path(ending).write_bytes(content)
    return files
