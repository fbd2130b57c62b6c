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
consistent_neurons  neurons active in all completions of a prompt and in fewer of the others,
                    strongest evidence first, whether or not they pass (column passes). The p-value
                    is the exact share of all ways to deal completions to the prompt anew that give
                    it as many active tokens, in every completion some.
token_across_prompts  a token's neurons under one prompt and under others.
token_clusters      samples grouped by k-means in the space of principal components, laid out in
                    the plane by t-SNE.
Of each family of tests, what passes has a q-value (Benjamini and Hochberg) of --fdr at most. Where
nothing could pass, whatever the data, that is said, and what would be needed. A picture that would
say nothing is not drawn; the report and the last lines printed say why.
{m}_analysis_summary.json holds the headline numbers, the tests, and what was skipped and why.
"""

import argparse

from gelu.analysis.settings import AnalysisSettings
from gelu.cli import (
    add_csv_safe_argument,
    add_device_argument,
    add_either,
    add_model_argument,
    add_output_argument,
    add_rate_argument,
    add_seed_argument,
    build_parser,
    chosen,
    number_argument,
    positive_int,
    print_notes,
    require_folder_or_files,
    run_script,
    whole_argument,
)
from gelu.limits import CLUSTERS, unit_interval


def parsed() -> argparse.Namespace:
    """Return the arguments of the command line."""
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
    add_rate_argument(parser, AnalysisSettings.fdr)
    parser.often.add_argument(
        "--min_token_count",
        type=positive_int,
        default=AnalysisSettings.min_token_count,
        metavar="N",
        help="test tokens with so many samples or more",
    )
    parser.add_argument(
        "--min_phi",
        type=number_argument(unit_interval),
        default=AnalysisSettings.min_phi,
        metavar="PHI",
        help="correlation that an active pair of token and neuron needs to be listed",
    )
    parser.add_argument(
        "--top_per_token",
        type=positive_int,
        default=AnalysisSettings.top_per_token,
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
    return arguments


def main() -> None:
    """Analyse the dataset."""
    arguments = parsed()
    from gelu.analysis.output import write_analysis

    written = write_analysis(
        arguments.dataset_dir,
        arguments.output_dir,
        arguments.model_type,
        chosen(AnalysisSettings, arguments),
        dataset_csv=arguments.dataset_csv,
        activations_file=arguments.activations_file,
        csv_safe=arguments.csv_safe,
    )
    print_notes(written.notes)
    print(*written.paths, *written.lines, sep="\n")


def _cluster_number(text: str) -> int | None:
    if text == "auto":
        return None
    try:
        return whole_argument(CLUSTERS)(text)
    except argparse.ArgumentTypeError as error:
        raise argparse.ArgumentTypeError(f"{error}, nor auto") from None


if __name__ == "__main__":
    run_script(main)
