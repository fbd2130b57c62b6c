"""One page from the files of predict_activations, extract_patterns and predict_next_token.

Example:
  python report_part2.py --model_type gpt2-demo --results_dir part2

Reads what the three scripts wrote to --results_dir and writes {m}_part2_report.html there, with the
pictures inside it. A part that has not been run is left out, and the page says so. Neither torch
nor the model is needed.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from gelu.cli import (
    UserError,
    add_device_argument,
    add_model_argument,
    build_parser,
    existing_directory,
    output_directory,
    run_script,
)

if TYPE_CHECKING:
    from gelu.artifacts import Artifacts
    from gelu.part2_report import Found
    from gelu.report import Picture

CAPTIONS = {
    "activations": "Top left, the lower the better: each predictor's surprise at each layer. Top "
    "right, the higher the better. Bottom left, what decides a layer's neurons; bottom right, "
    "points on the line are probabilities that can be taken at their word.",
    "tokens": "Top: surprise and accuracy of each predictor. Bottom: the same readout of single "
    "layers, of the best k neurons, and how its weights agree with the model's own direct path.",
}


def main() -> None:
    """Parse the command line and write the page."""
    parser = build_parser(__doc__)
    parser.add_argument(
        "--results_dir", required=True, help="the --output_dir of the three scripts"
    )
    add_model_argument(parser)
    add_device_argument(parser, "no effect here: no model runs; all scripts accept it")
    arguments = parser.parse_args()
    make_page(arguments.results_dir, arguments.model_type)


def make_page(results_dir: str, model_type: str) -> None:
    """Read the scripts' files and write the page beside them."""
    from gelu.artifacts import PART2_REPORT, Artifacts
    from gelu.models import find_model
    from gelu.part2_report import part2_page

    model = find_model(model_type).name
    folder = existing_directory(results_dir, "--results_dir")
    files = Artifacts(folder, model)
    found = read_found(files)
    if found.activations is None and found.patterns is None and found.tokens is None:
        raise UserError(
            f"--results_dir {folder}: nothing of {model} is there; run predict_activations.py, "
            "extract_patterns.py or predict_next_token.py with this --output_dir first"
        )
    output_directory(folder, "--results_dir")
    print(files.write_report(part2_page(model, found), PART2_REPORT))


def read_found(files: "Artifacts") -> "Found":
    """Return what the three scripts left in the folder."""
    from gelu import artifacts
    from gelu.part2_report import Found
    from gelu.pattern_report import CAPTION as PATTERNS_CAPTION

    captions = {**CAPTIONS, "patterns": PATTERNS_CAPTION}
    endings = {
        "activations": artifacts.ACTIVATION_PREDICTION_PICTURE,
        "patterns": artifacts.PATTERNS_PICTURE,
        "tokens": artifacts.NEXT_TOKEN_PICTURE,
    }
    pictures = {
        name: picture
        for name, ending in endings.items()
        if (picture := read_picture(files.path(ending), captions[name])) is not None
    }
    documents = {
        name: read_results(files.path(ending))
        for name, ending in {
            "activations": artifacts.ACTIVATION_PREDICTION,
            "patterns": artifacts.PATTERNS_DOCUMENT,
            "tokens": artifacts.NEXT_TOKEN,
        }.items()
    }
    return Found(
        activations=documents["activations"],
        activation_layers=artifacts.read_table(files.path(artifacts.ACTIVATION_PREDICTION_LAYERS)),
        patterns=documents["patterns"],
        tokens=documents["tokens"],
        token_scores=artifacts.read_table(files.path(artifacts.NEXT_TOKEN_SCORES)),
        carriers=artifacts.read_table(files.path(artifacts.NEXT_TOKEN_NEURONS), ("token",)),
        direct=artifacts.read_table(files.path(artifacts.NEXT_TOKEN_DIRECT)),
        pictures=pictures,
    )


def read_results(path: Path) -> "dict[str, Any] | None":
    """Return a script's results, None where there are none; `UserError` for an earlier version's.

    What these call intervals is something else.
    """
    from gelu.artifacts import read_document

    document = read_document(path)
    if document is not None and "intervals" not in document.get("summary", document):
        raise UserError(f"{path}: of an earlier version; run the script that wrote it once more")
    return document


def read_picture(path: Path, caption: str) -> "Picture | None":
    """Return the picture with its caption, None where there is none."""
    from gelu.artifacts import read_png
    from gelu.report import Picture

    png = read_png(path)
    return None if png is None else Picture(path.name, png, caption)


if __name__ == "__main__":
    run_script(main)
