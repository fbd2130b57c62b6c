"""What a gated MLP's neurons do, by the sign of the gate and by the sign of their value.

Example:
  python benchmarks/gate_signs.py --model_type SmolLM2-135M-Instruct.Q4_1.gguf

Reads texts of parcellation_datasets/general.csv, one token after another, and tells for each layer
the share of all cells (neuron and token) in which the activation function's output is above 0, and
in which the value, its product with the other projection, is. A share of one half at every layer is
what coins would give. Writes a section of RESULTS.md.
"""

import argparse
import sys
from pathlib import Path

import pandas as pd

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.measuring import report, table  # noqa: E402

PROMPTS = ROOT / "parcellation_datasets" / "general.csv"


def main() -> None:
    """Parse the command line and report the shares."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model_type", required=True, help="a model with gated MLPs")
    found = shares(parser.parse_args().model_type)
    rows = [[f"{it.layer}", f"{it.gate:.2%}", f"{it.value:.2%}"] for it in found.itertuples()]
    rows.append(["all", f"{found['gate'].mean():.2%}", f"{found['value'].mean():.2%}"])
    report("Gated MLPs", table(["layer", "gate above 0", "value above 0"], rows))


def shares(model_type: str) -> pd.DataFrame:
    """Return for each layer the share of cells whose gate, and whose value, is above 0."""
    import torch

    from gelu.model.hooks import GeluRecorder
    from gelu.model.loading import load_model
    from gelu.model.source import find_model
    from gelu.model.tokenizer import load_tokenizer, token_ids_of

    source = find_model(model_type)
    model, tokenizer = load_model(source, "cpu"), load_tokenizer(source)
    shape = (model.geometry.n_layer, model.geometry.d_mlp)
    counts, cells = torch.zeros(2, shape[0], dtype=torch.int64), 0
    for text in pd.read_csv(PROMPTS)["prompts"]:
        ids = torch.tensor([token_ids_of(tokenizer, text)])
        gate, value = GeluRecorder(model), GeluRecorder(model, keep="value")
        with torch.inference_mode(), gate, value:
            model(ids)
        for row, positive in enumerate((gate.take(), value.take() > 0)):
            counts[row] += positive.view(-1, *shape).sum(dim=(0, 2))
        cells += ids.shape[1] * shape[1]
    layers = range(shape[0])
    return pd.DataFrame({"layer": layers, "gate": counts[0] / cells, "value": counts[1] / cells})


if __name__ == "__main__":
    main()
