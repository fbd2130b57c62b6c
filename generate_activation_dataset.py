"""Prompts in, a dataset out: which neurons of a model are active for every token it writes.

Example:
  python generate_activation_dataset.py --model_type gpt2-demo \\
      --input_csv parcellation_datasets/test_1.csv --export_dir dataset --seed 42

The CSV has the columns prompts,number_of_new_tokens,num_samples (num_samples may be missing: 1).
Each completion has exactly number_of_new_tokens tokens, <|endoftext|> included like any other. A
sample is one generated token; its neurons are those active at the token before it, where it was
predicted. A completion depends on the seed, its prompt and its number alone: not on the batch size
or on other rows of the CSV, up to floating-point rounding.

Writes to --export_dir: {m}_activation_dataset.csv, {m}_neuron_activations.pickle and .json,
{m}_activation_matrix.npz (those of --formats), {m}_neuron_frequency.csv, {m}_neuron_attributes.csv,
{m}_neuron_edges.el (not with --edges none) and {m}_run.json.

Each finished batch is kept in --export_dir/.shards, so that the same command, run again after an
interruption, goes on from there. Several processes can share the work and write the same bytes:
  torchrun --nproc-per-node 2 generate_activation_dataset.py ...
or, in a cluster's job array, each with --shard i/n, i from 0 to n - 1; and then one with --merge.
"""

import re

from gelu.cli import (
    add_dataset_arguments,
    add_model_argument,
    add_output_argument,
    add_seed_argument,
    argument,
    as_flags,
    build_parser,
    chosen,
    print_notes,
    run_script,
    sampling_temperature,
    split_commas,
)
from gelu.generation.run import GenerationOptions, Sharing, generate_dataset
from gelu.limits import ALL_FORMATS, FORMATS, shard


def main() -> None:
    """Parse the command line and make the dataset."""
    parser = build_parser(__doc__)
    parser.required.add_argument("--input_csv", required=True, metavar="FILE", help="the prompts")
    add_output_argument(parser, "--export_dir", "folder for the dataset")
    add_model_argument(parser)
    add_seed_argument(parser, "seed of the draws")
    parser.often.add_argument(
        "--temperature",
        type=sampling_temperature,
        default=GenerationOptions.temperature,
        help="0 takes the likeliest token",
    )
    add_dataset_arguments(parser, edges=GenerationOptions.edges)
    parser.add_argument(
        "--formats",
        type=argument(FORMATS, split_commas),
        default=",".join(ALL_FORMATS),
        metavar="F,F",
        help="which files of the samples to write",
    )
    parser.add_argument(
        "--shard",
        type=part_of_run,
        default=None,
        metavar="I/N",
        help="make every N-th batch from batch I on, and no files; for job arrays",
    )
    parser.add_argument(
        "--merge", action="store_true", help="write the files from batches that are all there"
    )
    arguments = parser.parse_args()
    sharing = Sharing(arguments.shard, arguments.merge, arguments.overwrite)
    outcome = generate_dataset(
        arguments.input_csv,
        arguments.export_dir,
        arguments.model_type,
        chosen(GenerationOptions, arguments),
        sharing,
    )
    print_notes(outcome.notes)
    for path in outcome.written.paths if outcome.written else []:
        print(path)
    if outcome.said is not None:
        print(as_flags(outcome.said))


def part_of_run(text: str) -> tuple[int, int]:
    """Parse `i/n`, i from 0 to n - 1; an argparse `type`."""
    match = re.fullmatch(r"([0-9]{1,9})/([0-9]{1,9})", text)
    return argument(shard, lambda _: match and tuple(map(int, match.groups())))(text)


if __name__ == "__main__":
    run_script(main)
