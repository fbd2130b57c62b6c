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

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from gelu.cli import (
    add_dataset_arguments,
    add_model_argument,
    add_output_argument,
    add_seed_argument,
    as_flags,
    build_parser,
    chosen,
    run_script,
    sampling_temperature,
)
from gelu.errors import UserError
from gelu.generation.run import (
    ALL_FORMATS,
    GenerationOptions,
    PreparedRun,
    Sharing,
    make_dataset,
    prepare_run,
    read_inputs,
)

if TYPE_CHECKING:
    import pandas as pd

    from gelu.artifacts import Artifacts


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
    options = chosen(GenerationOptions, arguments, temperature=0.0, formats=ALL_FORMATS)
    compare(
        Path(arguments.input_csv),
        arguments.temperatures,
        arguments.export_dir,
        arguments.model_type,
        options,
        Sharing(overwrite=arguments.overwrite),
    )


def temperature_list(text: str) -> tuple[float, ...]:
    """Parse numbers of 0 or more, separated by commas, into ascending order; an argparse `type`."""
    temperatures = [sampling_temperature(part.strip()) for part in text.split(",")]
    for given in temperatures:
        if temperatures.count(given) > 1:
            name = temperature_name(given)
            raise argparse.ArgumentTypeError(f"{name} stands in {text!r} more than once")
    return tuple(sorted(temperatures))


def temperature_name(temperature: float) -> str:
    """Return the shortest text of the number: 0.8 for 0.80, 1 for 1.0."""
    return repr(temperature).removesuffix(".0")


def compare(
    input_csv: Path,
    temperatures: tuple[float, ...],
    export_dir: str,
    model_type: str,
    options: GenerationOptions,
    sharing: Sharing,
) -> None:
    """Write a dataset for each temperature, the study's table and its picture.

    options: of every dataset; its temperature is replaced.
    """
    from gelu.artifacts import (
        RUN_FILES,
        TEMPERATURE_PICTURE,
        TEMPERATURE_STUDY,
        refuse_link,
    )
    from gelu.model.outputs import output_files

    inputs = read_inputs(input_csv, model_type, options.chat)
    source, argument = inputs.source, "export_dir"
    study = [TEMPERATURE_STUDY, TEMPERATURE_PICTURE]
    files = output_files(export_dir, argument, source, study, [input_csv])
    folders = {
        temperature: files.folder / f"t_{temperature_name(temperature)}"
        for temperature in temperatures
    }
    for folder in folders.values():
        refuse_link(folder)
        output_files(folder, argument, source, RUN_FILES, [input_csv])
    prepared = prepare_run(inputs, options)
    rows = [
        _one_temperature(folder, prepared, replace(options, temperature=temperature), sharing)
        for temperature, folder in folders.items()
    ]
    for path in _write_study(files, rows, prepared):
        print(path)


def _one_temperature(
    folder: Path, prepared: PreparedRun, options: GenerationOptions, sharing: Sharing
) -> "pd.DataFrame":
    """Write one temperature's dataset; return its rows of the study."""
    from gelu.artifacts import DATASET, MATRIX, Artifacts
    from gelu.samples.reading import read_run_samples
    from gelu.statistics.temperature import NEEDED_COLUMNS, temperature_rows

    files = Artifacts(folder, prepared.inputs.source.name, options.csv_safe)
    name = temperature_name(options.temperature)
    outcome = make_dataset(files, prepared, options, sharing, label=f"tokens at {name}")
    # What a folder's headline does not say is which folder it is of.
    print(as_flags(f"{folder}: {outcome.said}" if outcome.written else str(outcome.said)))
    dataset, matrix = files.path(DATASET), files.path(MATRIX)
    # A folder that was finished before is left as it is, and may have been changed since.
    run = read_run_samples(dataset, matrix, prepared.inputs.source, NEEDED_COLUMNS)
    matched, n_samples = run.matched, prepared.inputs.n_samples
    if len(matched.table) != n_samples:
        raise UserError(
            f"{dataset}: {len(matched.table):,} of the run's {n_samples:,} samples are there and "
            f"in {matrix}; --overwrite makes them anew"
        )
    return temperature_rows(
        options.temperature, matched.table, matched.activations, run.geometry.n_layer
    )


def _write_study(
    files: "Artifacts", rows: "list[pd.DataFrame]", prepared: PreparedRun
) -> list[Path]:
    from gelu.artifacts import TEMPERATURE_PICTURE, TEMPERATURE_STUDY, write_picture, write_table
    from gelu.plots.figures import png_bytes
    from gelu.plots.temperature import temperature_figure
    from gelu.statistics.temperature import study_table

    study = study_table(rows)
    figure = temperature_figure(files.model, study, prepared.inputs.geometry.d_mlp)
    return [
        write_table(files.path(TEMPERATURE_STUDY), study),
        write_picture(files.path(TEMPERATURE_PICTURE), png_bytes(figure)),
    ]


if __name__ == "__main__":
    run_script(main)
