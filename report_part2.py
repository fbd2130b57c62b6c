"""One page from the files of predict_activations, extract_patterns and predict_next_token.

Example:
  python report_part2.py --model_type gpt2-demo --results_dir part2

Reads what the three scripts wrote to --results_dir and writes {m}_part2_report.html there, with the
pictures inside it. A part that has not been run is left out, and the page says so. The three must
be of one model and one dataset, and each table and picture of its own study; other files are
refused. Seeds, epochs and shares held out may differ; the page states them. Neither torch nor the
model is needed.
"""

from gelu.cli import add_device_argument, add_model_argument, build_parser, run_script
from gelu.errors import UserError
from gelu.places import existing_directory


def main() -> None:
    """Parse the command line and write the page."""
    parser = build_parser(__doc__)
    parser.required.add_argument(
        "--results_dir",
        required=True,
        metavar="FOLDER",
        help="the --output_dir of the three scripts",
    )
    add_model_argument(parser, of_folder=True)
    add_device_argument(parser, works=False)
    arguments = parser.parse_args()

    from gelu.model.of_folder import RESULTS_FILES, model_of_folder

    arguments.model_type = model_of_folder(
        arguments.model_type, arguments.results_dir, "results_dir", RESULTS_FILES
    )
    make_page(arguments.results_dir, arguments.model_type)


def make_page(results_dir: str, model_type: str) -> None:
    """Read the scripts' files and write the page beside them."""
    from gelu.artifacts import (
        ACTIVATION_PREDICTION_FILES,
        NEXT_TOKEN_FILES,
        PART2_REPORT,
        PATTERNS_FILES,
        Artifacts,
        output_files,
    )
    from gelu.findings.page import part2_page
    from gelu.findings.results import read_found
    from gelu.model.source import find_model

    source = find_model(model_type)
    model = source.name
    folder = existing_directory(results_dir, "results_dir")
    files = Artifacts(folder, model)
    found = read_found(files)
    if found.activations is None and found.patterns is None and found.tokens is None:
        raise UserError(
            f"--results_dir {folder}: nothing of {model} is there; run predict_activations.py, "
            "extract_patterns.py or predict_next_token.py with this --output_dir first"
        )
    endings = (*ACTIVATION_PREDICTION_FILES, *NEXT_TOKEN_FILES, *PATTERNS_FILES)
    output_files(
        folder, "results_dir", model, [PART2_REPORT], [*map(files.path, endings), *source.files()]
    )
    print(files.write_report(part2_page(model, found), PART2_REPORT))


if __name__ == "__main__":
    run_script(main)
