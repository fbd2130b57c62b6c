"""What the neurons of a dataset stand for: tokens, positions, prompts, each with a test.

Example:
  python analyze_activations.py --model_type gpt2-demo \\
      --dataset_csv dataset/gpt2-demo_activation_dataset.csv \\
      --activations_file dataset/gpt2-demo_neuron_activations.pickle --output_dir analysis

Needs the two files alone, not the model. Open {m}_analysis_report.html first: it shows the pictures
and the top of each table, and says how to read them. Every random step takes --seed.

important_neurons   every neuron: dead, always_on or selective; the mutual information in bits of
                    its being active with output token, context token, prompt and position, beyond
                    chance. importance is the largest of the four. Selective neurons stand before
                    always-on ones, these before dead ones.
token_specific      neurons active with a token more often than without it, the token generated
                    (role output) or just read (context); and neurons active in half of the samples
                    or more that are silent with a token (direction silent). The p-value is the
                    largest of Fisher's exact test and of three that allow for tokens and activity
                    that persist along a completion, hang on the prompt, or are shared by a prompt's
                    completions place by place. Pairs that could not pass are not tested. The table
                    keeps active pairs with a phi of --min_phi or more, and of each token the
                    --top_per_token strongest of each direction; the summary says how many passed.
position_specific   neurons whose activity depends on the absolute position, with the range that it
                    goes with best, tested on one completion of each prompt at a time.
similarities        Jaccard indices of completions within prompts and between them; the p-value, in
                    the summary, is of a permutation test over completions.
consistent_neurons  neurons active in all completions of a prompt and in fewer of the others, most
                    telling first, whether or not they pass (column passes). The p-value is the
                    exact share of all ways to deal completions to the prompt anew that give it as
                    many active tokens, in every completion some.
token_across_prompts  a token's neurons under one prompt and under others.
token_clusters      samples grouped by k-means in the space of principal components, laid out in
                    the plane by t-SNE.
Of each family of tests, what passes has a q-value (Benjamini and Hochberg) of --fdr at most. Where
nothing could pass, whatever the data, that is said, and what would be needed. A picture that would
say nothing is not drawn; the report and the last lines printed say why.
{m}_analysis_summary.json holds the headline numbers, the tests, and what was skipped and why.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gelu.cli import (
    add_csv_safe_argument,
    add_device_argument,
    add_either,
    add_model_argument,
    add_output_argument,
    add_seed_argument,
    build_parser,
    discovery_rate,
    positive_int,
    require_folder_or_files,
    run_script,
    unit_interval,
)
from gelu.errors import UserError
from gelu.places import existing_file
from gelu.provenance import package_versions

if TYPE_CHECKING:
    from gelu.analysis.run import Analysis, Settings
    from gelu.artifacts import Artifacts
    from gelu.model.source import ModelSource
    from gelu.samples.arrays import Samples

PACKAGES = ("matplotlib", "numpy", "pandas", "scikit-learn", "scipy", "seaborn")


def main() -> None:
    """Parse the command line and analyse the dataset."""
    parser = build_parser(__doc__)
    parser.required.add_argument(
        "--dataset_dir", metavar="FOLDER", help="folder of the dataset script; or the next two"
    )
    parser.required.add_argument("--dataset_csv", metavar="FILE", help="the dataset script's CSV")
    add_either(
        parser.required,
        "--activations_file",
        metavar="FILE",
        help="the same run's .pickle, .pkl, .json or .npz; the .npz takes the least memory",
    )
    add_output_argument(parser, "--output_dir", "folder for the results")
    add_model_argument(parser, of_folder=True)
    add_seed_argument(parser)
    parser.often.add_argument(
        "--fdr", type=discovery_rate, default=0.05, help="share of findings that may be false"
    )
    parser.often.add_argument(
        "--min_token_count",
        type=positive_int,
        default=3,
        metavar="N",
        help="test tokens with so many samples or more",
    )
    parser.add_argument(
        "--min_phi",
        type=unit_interval,
        default=0.1,
        metavar="PHI",
        help="correlation that an active pair of token and neuron needs to be listed",
    )
    parser.add_argument(
        "--top_per_token",
        type=positive_int,
        default=50,
        metavar="N",
        help="list so many neurons of each token and direction, strongest first",
    )
    parser.add_argument(
        "--clusters",
        type=_cluster_number,
        default="auto",
        metavar="auto|N",
        help="how many clusters; auto takes the number with the highest silhouette",
    )
    add_csv_safe_argument(parser)
    add_device_argument(parser, works=False)
    arguments = parser.parse_args()
    require_folder_or_files(parser, arguments, "dataset_dir", ("dataset_csv", "activations_file"))
    choose_files(arguments)
    options = Options(
        arguments.seed,
        arguments.fdr,
        arguments.min_token_count,
        arguments.clusters,
        arguments.csv_safe,
        arguments.min_phi,
        arguments.top_per_token,
    )
    analyse_dataset(
        arguments.dataset_csv,
        arguments.activations_file,
        arguments.output_dir,
        arguments.model_type,
        options,
    )


def choose_files(arguments: argparse.Namespace) -> None:
    """Name what is not named: the model, and the files of the dataset's folder."""
    from gelu.artifacts import DATASET
    from gelu.model.of_folder import DATASET_FILES, model_of_file, model_of_folder
    from gelu.samples.reading import dataset_files

    model_type, folder = arguments.model_type, arguments.dataset_dir
    source = (
        model_of_file(model_type, arguments.dataset_csv, DATASET)
        if folder is None
        else model_of_folder(model_type, folder, "dataset_dir", DATASET_FILES)
    )
    arguments.model_type = source
    arguments.dataset_csv, arguments.activations_file = dataset_files(
        folder, source.name, arguments.dataset_csv, arguments.activations_file
    )


@dataclass(frozen=True)
class Options:
    """The arguments that decide what is found; clusters: a number, or None for auto.

    csv_safe decides only how the tables write texts.
    """

    seed: int
    fdr: float
    min_token_count: int
    clusters: int | None
    csv_safe: bool = False
    min_phi: float = 0.1
    top_per_token: int = 50


def _cluster_number(text: str) -> int | None:
    if text == "auto":
        return None
    try:
        number = positive_int(text)
    except argparse.ArgumentTypeError:
        number = 0
    if number < 2:
        raise argparse.ArgumentTypeError(f"{text!r} is neither auto nor a number of 2 or more")
    return number


def analyse_dataset(
    dataset_csv: str, activations_file: str, output_dir: str, model_type: str, options: Options
) -> None:
    """Analyse one dataset and write all tables, pictures, the summary and the report."""
    from gelu.artifacts import (
        ANALYSIS_FILES,
        find_activation_file,
        output_files,
        run_files,
    )
    from gelu.model.source import find_model

    table_path = existing_file(dataset_csv, "dataset_csv")
    activation_path = find_activation_file(Path(activations_file))
    source = find_model(model_type)
    samples = _read_samples(table_path, activation_path, source, options)
    read = [table_path, activation_path]
    read += run_files({path.parent for path in read}, source.name)
    files = output_files(
        output_dir,
        "output_dir",
        source.name,
        ANALYSIS_FILES,
        [*read, *source.files()],
        options.csv_safe,
    )
    settings, analysis = _analyse(samples, options)
    inputs = _describe_inputs(table_path, activation_path, source.name, options)
    _write(files, samples, settings, analysis, inputs)


def _read_samples(
    table_path: Path, activation_path: Path, source: "ModelSource", options: Options
) -> "Samples":
    """Return the samples that both files have; raises `UserError` where they do not fit."""
    from gelu.samples.arrays import arrange
    from gelu.samples.reading import read_run_samples

    run = read_run_samples(table_path, activation_path, source)
    n_samples = len(run.matched.table)
    if options.clusters is not None and options.clusters >= n_samples:
        raise UserError(
            f"--clusters {options.clusters}: there are {n_samples} samples, so at most "
            f"{n_samples - 1} clusters"
        )
    samples = arrange(run.matched.table, run.matched.activations, run.geometry)
    samples.skipped.update(run.matched.left_out)
    return samples


def _analyse(samples: "Samples", options: Options) -> "tuple[Settings, Analysis]":
    from gelu.analysis.run import STEPS, Settings, analyse
    from gelu.progress import progress_bar

    settings = Settings(
        options.seed,
        options.fdr,
        options.min_token_count,
        options.clusters,
        options.min_phi,
        options.top_per_token,
    )
    with progress_bar("analysis", STEPS, "step") as bar:
        return settings, analyse(samples, settings, lambda: bar.update(1))


def _describe_inputs(
    table_path: Path, activation_path: Path, model: str, options: Options
) -> dict[str, Any]:
    """Return what was analysed; no path and no time, so that equal runs write equal bytes."""
    from gelu.artifacts import file_hash

    return {
        "script": Path(__file__).name,
        "arguments": {
            "dataset_csv": table_path.name,
            "activations_file": activation_path.name,
            "model_type": model,
            "seed": options.seed,
            "fdr": options.fdr,
            "min_token_count": options.min_token_count,
            "min_phi": options.min_phi,
            "top_per_token": options.top_per_token,
            "clusters": options.clusters or "auto",
            **({"csv_safe": True} if options.csv_safe else {}),
        },
        "dataset_csv_sha256": file_hash(table_path),
        "activations_sha256": file_hash(activation_path),
        "versions": package_versions(PACKAGES),
    }


def _write(
    files: "Artifacts",
    samples: "Samples",
    settings: "Settings",
    analysis: "Analysis",
    inputs: dict[str, Any],
) -> None:
    """Write every file, and say which and what was found."""
    from gelu.analysis.page import analysis_page, analysis_pictures, reasons_not_to_draw
    from gelu.analysis.summary import summarise
    from gelu.artifacts import remove_picture, write_picture

    paths = _write_tables(files, analysis)
    not_drawn = reasons_not_to_draw(samples, settings, analysis)
    for ending in not_drawn:  # an earlier run's would be taken for this one's
        remove_picture(files.path(ending))
    summary = inputs | summarise(samples, settings, analysis) | {"not_drawn": not_drawn}
    pictures = analysis_pictures(files.model, samples, settings, analysis, not_drawn)
    paths += [write_picture(files.path(ending), png) for ending, png in pictures.items()]
    paths.append(files.write_summary(summary))
    page = analysis_page(files.model, samples, settings, analysis, summary, pictures)
    paths.append(files.write_report(page))
    print("\n".join(map(str, paths)))
    _print_headline(summary)


def _write_tables(files: "Artifacts", analysis: "Analysis") -> list[Path]:
    from gelu import artifacts

    tables = {
        artifacts.TOKEN_CLUSTERS: analysis.clusters.table,
        artifacts.IMPORTANT_NEURONS: analysis.important,
        artifacts.TOKEN_SPECIFIC: analysis.tokens.table,
        artifacts.POSITION_SPECIFIC: analysis.positions.table,
        artifacts.SAMPLE_SIMILARITIES: analysis.prompts.samples,
        artifacts.PROMPT_SIMILARITIES: analysis.prompts.prompts,
        artifacts.CONSISTENT_NEURONS: analysis.prompts.consistent.table,
        artifacts.TOKEN_ACROSS_PROMPTS: analysis.across.table,
    }
    return [
        artifacts.write_table(files.path(ending), table, files.csv_safe)
        for ending, table in tables.items()
    ]


def _print_headline(summary: dict[str, Any]) -> None:
    counts = summary["counts"]
    print(
        f"{counts['samples']:,} samples, {counts['completions']:,} completions, "
        f"{counts['prompts']:,} prompts; {counts['neurons']:,} neurons: "
        f"{counts['selective']:,} selective, {counts['always_on']:,} always on, "
        f"{counts['dead']:,} dead"
    )
    for test in summary["tests"]:
        result = (
            f"{test['n_passed']:,} of {test['n_tests']:,} tests at a false-discovery rate of "
            f"{test['fdr']:g}"
            if "n_tests" in test
            else f"p = {test['p_value']:.2g}"
        )
        print(f"{test['what']}: {result}{_limits(test)}")
    for what, why in summary["skipped"].items():
        print(f"not computed: {what}: {why}")
    for ending, why in summary["not_drawn"].items():
        print(f"not drawn: {ending}: {why}")


def _limits(test: dict[str, Any]) -> str:
    """Return what an empty result means, where it could not have been otherwise."""
    if test.get("unattainable"):
        return f"; nothing could pass: {test['unattainable']}"
    if test.get("weaker_rows_left_out"):
        return f"; the {test['rows_in_table']:,} strongest are listed"
    if test.get("too_few"):
        return f"; {test['too_few']}"
    if test.get("n_passed") == 0 and test.get("fewest_together", 1) > 1:
        return f"; none passes unless {test['fewest_together']:,} do"
    return ""


if __name__ == "__main__":
    run_script(main)
