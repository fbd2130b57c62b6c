"""One page of what the studies of a dataset found, from the files that their scripts wrote.

Example:
  python report_findings.py --model_type gpt2-demo --results_dir findings
  python report_findings.py --model_type gpt2-demo --results_dir findings analysis temperatures

Reads what analyze_activations, predict_activations, extract_patterns, predict_next_token and
compare_temperatures wrote to the folders of --results_dir and writes {m}_findings.html, with the
pictures inside it, to the first of them. A study that has not been made is left out, and the page
says so; one that stands in two of the folders is refused. The studies must be of one model and one
dataset, and each table and picture of its own study; other files are refused. (The temperatures
have datasets of their own.) Seeds, epochs and shares held out may differ; the page states them.
Neither torch nor the model is needed.
"""

from gelu.cli import (
    add_device_argument,
    add_model_argument,
    build_parser,
    print_notes,
    run_script,
)


def main() -> None:
    """Parse the command line and write the page."""
    parser = build_parser(__doc__)
    parser.required.add_argument(
        "--results_dir",
        required=True,
        nargs="+",
        metavar="DIR",
        help="folders that the scripts wrote to",
    )
    add_model_argument(parser, of_folder=True)
    add_device_argument(parser, works=False)
    arguments = parser.parse_args()

    from gelu.findings.run import write_findings

    written = write_findings(arguments.results_dir, arguments.model_type)
    print_notes(written.notes)
    print(written.path)


if __name__ == "__main__":
    run_script(main)
