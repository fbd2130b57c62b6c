"""Patterns of neurons that fire together, and the tokens, prompts and positions they go with.

Example:
  python extract_patterns.py --dataset_dir dataset --model_type gpt2-demo --output_dir patterns

Needs the dataset folder alone, neither torch nor the model. Open {m}_patterns_report.html first.

A pattern is a group of neurons and a threshold: it is on in a sample if so many of them or more are
active. Patterns are the factors of a Boolean factorisation of samples x neurons (after ASSO,
Miettinen et al. 2008), found in each half of the prompts by itself. What is found in one half is
tested on the other, and kept if it explains more active neurons there than in the mean over all
permutations of each neuron's activity among the samples of the same context token. That mean is
exact. A group that one token makes fire explains as much after the permutation, and is not kept.
Neurons active in fewer than 10 of the samples searched, or in more than half, are left out; at most
10,000 samples of each half are searched, drawn by --seed, and all are tested and assigned.
p-values are of a t-test over prompts, q-values (Benjamini and Hochberg) over all patterns tested.
The same search is made in --null_draws permuted data sets, and what it keeps there is reported.

{m}_patterns.csv         a row for each pattern: size, layers, how often it is on, the share of what
                         it explains that is beyond its tokens with its 95 % interval over the
                         prompts of the other half (of fewer than 30 a rough guide), and the token,
                         positions and prompt it goes with most
{m}_pattern_neurons.csv  a row for each neuron of each pattern
{m}_patterns.json        the same with all tokens, prompts and positions that pass, the ten
                         strongest contexts, every test, what was skipped and why
{m}_patterns.png         the first patterns with their contexts, where there are any
"""

from gelu.cli import (
    add_device_argument,
    add_model_argument,
    add_output_argument,
    add_rate_argument,
    add_seed_argument,
    build_parser,
    chosen,
    positive_int,
    print_notes,
    run_script,
    whole_argument,
)
from gelu.limits import NULL_DRAWS, PATTERNS
from gelu.patterns.settings import PatternSettings, SearchSettings


def main() -> None:
    """Parse the command line, find the patterns and write them."""
    parser = build_parser(__doc__)
    parser.required.add_argument(
        "--dataset_dir", required=True, metavar="FOLDER", help="folder of the dataset script"
    )
    add_output_argument(parser, "--output_dir", "folder for the results")
    add_model_argument(parser, of_folder=True)
    add_seed_argument(parser)
    add_rate_argument(parser, SearchSettings.fdr)
    parser.often.add_argument(
        "--max_patterns",
        type=whole_argument(PATTERNS),
        default=SearchSettings.max_patterns,
        metavar="N",
        help="how many patterns to look for in each half of the prompts",
    )
    parser.add_argument(
        "--null_draws",
        type=whole_argument(NULL_DRAWS),
        default=SearchSettings.null_draws,
        metavar="N",
        help="permuted data sets to search, as a check of what chance alone gives",
    )
    parser.add_argument(
        "--min_token_count",
        type=positive_int,
        default=PatternSettings.min_token_count,
        metavar="N",
        help="test tokens with so many samples or more",
    )
    add_device_argument(parser, works=False)
    arguments = parser.parse_args()

    from gelu.patterns.output import write_patterns

    written = write_patterns(
        arguments.dataset_dir,
        arguments.output_dir,
        arguments.model_type,
        PatternSettings(chosen(SearchSettings, arguments), arguments.min_token_count),
    )
    print_notes(written.notes)
    print(*written.paths, *written.lines, sep="\n")


if __name__ == "__main__":
    run_script(main)
