"""The same prompts at several temperatures: what happens to the neurons and to the tokens.

Example:
  python compare_temperatures.py --model_type gpt2-demo \\
      --input_csv parcellation_datasets/test_1.csv --temperatures 0.2,0.5,0.8,1.1 \\
      --export_dir temperatures --seed 42

Writes to --export_dir a dataset folder for each temperature, t_0.2 and so on, byte for byte what
generate_activation_dataset.py writes with that temperature and the same other arguments; a table,
{m}_temperature_study.csv; and its picture, {m}_temperature_study.png.

The table has a row for each temperature and layer, and one for each temperature with layer `all`:
  n_samples               generated tokens
  mean_active             neurons of the layer that are active for a sample, mean over the samples
  std_active              their standard deviation over the samples (divided by n_samples)
  distinct_neurons        neurons of the layer that are active for at least one sample
  mean_jaccard_between_completions
                          of two completions of one prompt: the layer's neurons that are active for
                          at least one token in both, over those in either; mean over all such pairs
                          of all prompts, a prompt being a row of the CSV; empty where no prompt has
                          two completions
  distinct_output_tokens  different tokens generated, the same on each row of a temperature
  mean_output_logprob     natural log of the probability with which a token was drawn, after
                          temperature and top-k, mean over the samples; 0 at temperature 0, where
                          every token is certain; the same on each row of a temperature
"""

from gelu import limits
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
from gelu.generation.run import GenerationOptions
from gelu.temperatures.run import compare_temperatures


def main() -> None:
    """Parse the command line and make the study."""
    parser = build_parser(__doc__)
    parser.required.add_argument("--input_csv", required=True, metavar="FILE", help="the prompts")
    parser.required.add_argument(
        "--temperatures",
        type=temperature_list,
        required=True,
        metavar="T,T",
        help="the temperatures, as in 0.2,0.5,0.8; 0 takes the likeliest token",
    )
    add_output_argument(parser, "--export_dir", "folder for everything written")
    add_model_argument(parser)
    add_seed_argument(parser, "seed of the draws at each temperature")
    add_dataset_arguments(parser, edges="none")
    arguments = parser.parse_args()
    options = chosen(
        GenerationOptions, arguments, temperature=0.0, formats=GenerationOptions.formats
    )
    written = compare_temperatures(
        arguments.input_csv,
        arguments.temperatures,
        arguments.export_dir,
        arguments.model_type,
        options,
        arguments.overwrite,
    )
    print_notes(written.notes)
    print(*map(as_flags, written.lines), *written.paths, sep="\n")


def temperature_list(text: str) -> tuple[float, ...]:
    """Parse numbers of 0 or more, separated by commas, into ascending order; an argparse `type`."""
    temperatures = [sampling_temperature(part) for part in split_commas(text)]
    return argument(limits.temperatures, lambda _: temperatures)(text)


if __name__ == "__main__":
    run_script(main)
