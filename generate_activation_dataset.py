"""Prompts in, a dataset out: which neurons of a GPT-2 are active for every token it writes.

Example:
  python generate_activation_dataset.py --model_type gpt2-demo \\
      --input_csv parcellation_datasets/test_1.csv --export_dir dataset --seed 42

The CSV has the columns prompts,number_of_new_tokens,num_samples (num_samples may be missing: 1).
Each completion has exactly number_of_new_tokens tokens, <|endoftext|> included like any other. A
sample is one generated token; its neurons are those active at the token before it, where it was
predicted. A completion depends on the seed, its prompt and its number alone: not on the batch size
or on other rows of the CSV, up to floating-point rounding.

Writes to --export_dir: {m}_activation_dataset.csv, {m}_neuron_activations.pickle and .json,
{m}_activation_matrix.npz, {m}_neuron_frequency.csv, {m}_neuron_attributes.csv, {m}_neuron_edges.el
(not with --edges none) and {m}_run.json.
"""

from pathlib import Path

from gelu.cli import (
    add_model_argument,
    build_parser,
    non_negative_float,
    non_negative_int,
    output_directory,
    run_script,
)
from gelu.dataset_run import (
    Options,
    add_dataset_arguments,
    load_inputs,
    make_dataset,
    read_inputs,
)


def main() -> None:
    """Parse the command line and make the dataset."""
    parser = build_parser(__doc__)
    parser.add_argument("--input_csv", required=True, help="the prompts")
    parser.add_argument("--export_dir", required=True, help="folder for the dataset")
    add_model_argument(parser)
    parser.add_argument("--seed", type=non_negative_int, default=42, help="seed of the draws")
    parser.add_argument(
        "--temperature", type=non_negative_float, default=0.8, help="0 takes the likeliest token"
    )
    add_dataset_arguments(parser, edges="strongest")
    arguments = parser.parse_args()
    options = Options.from_arguments(arguments)
    generate(Path(arguments.input_csv), arguments.export_dir, arguments.model_type, options)


def generate(input_csv: Path, export_dir: str, model_type: str, options: Options) -> None:
    """Generate from every prompt of the CSV with recording, and write the dataset's files."""
    from gelu.artifacts import Artifacts

    inputs = read_inputs(input_csv, model_type)
    files = Artifacts(output_directory(export_dir, "--export_dir"), inputs.source.name)
    made = make_dataset(files, load_inputs(inputs, options), options)
    for path in made.paths:
        print(path)
    print(made.headline())


if __name__ == "__main__":
    run_script(main)
