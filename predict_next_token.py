"""The next token from the active neurons alone: how much of it do the neurons hold?

Example:
  python predict_next_token.py --model_type gpt2-demo --dataset_dir dataset --output_dir findings

Reads which neurons were active at the token before, one bit a neuron, and predicts the token that
the model then wrote. Learns on the training prompts and tests on held-out ones; no prompt has
tokens on both sides. Surprise (cross-entropy) is in bits; it, top-1 and top-5 have 95 % intervals
over the held-out prompts, a rough guide where these are fewer than 30.

linear         multinomial logistic regression with weights of rank 256 at most, fitted in two
               ways: by stochastic gradients and, where that takes at most twice as many products of
               matrices, by L-BFGS on principal components with an L2 penalty, which is what few
               samples need. The second, fitted once more to all training prompts with the penalty
               that validation prompts chose, counts unless the first is better on these by more
               than a standard error, and in any case for 128 neurons or fewer
hidden_layer   the same with one hidden layer of 256, for comparison
unigram, bigram, trigram   how often the token came, after the last token, after the last two; each
               backs off to the one before, smoothed by what is best on validation prompts
model          the ceiling: the surprise of its own distribution, from output_logprob; with the
               model at hand also how often its likeliest tokens came

The linear readout is fitted to all neurons, to each layer alone, to the layers up to l, and to the
best k neurons. These are chosen on the training prompts alone: fitted to more, those whose weights
move the prediction least are left out. All neurons and the best k are fitted from nothing and once
more from a readout that is there already, of the layers or of the next larger k (one with an L2
penalty is taken over as it is); what does better on validation prompts counts. output_logprob is of
the distribution after temperature and top-k: at a temperature below 1 the model is surer than its
logits say, and a greedy dataset leaves no surprise at all; the ceiling is that of the dataset,
whatever made it. Without the model, ceiling_from_logprobs in the summary bounds its expected
accuracy: docs/statistics.md, "Readouts".

Writes {m}_next_token_prediction.csv (the scores), {m}_next_token_neurons.csv (for each frequent
token the neurons that speak for it in the readout of all neurons that was fitted from nothing, with
the weight of the model's own direct path, W_out . W_U with ln_f's weights),
{m}_next_token_direct_path.csv (are the two alike, against neurons or tokens dealt out anew),
{m}_next_token_prediction.png and {m}_next_token_prediction.json.

Readouts learn on the CPU; --device is for the model, which gives the ceiling.

The same command on the same kind of machine, with the same number of threads and versions, writes
the same bytes; another number of threads rounds sums differently in the last digits.
"""

import argparse

from gelu.cli import (
    add_device_argument,
    add_model_argument,
    add_output_argument,
    add_seed_argument,
    build_parser,
    epoch_number,
    positive_int,
    print_notes,
    run_script,
    share_held_out,
)
from gelu.learning.settings import NextTokenSettings


def parsed() -> argparse.Namespace:
    """Return the arguments of the command line."""
    parser = build_parser(__doc__)
    parser.required.add_argument(
        "--dataset_dir", required=True, metavar="FOLDER", help="folder of the dataset script"
    )
    add_output_argument(parser, "--output_dir", "folder for the results")
    add_model_argument(parser, of_folder=True)
    add_seed_argument(parser)
    parser.often.add_argument(
        "--held_out",
        type=share_held_out,
        default=NextTokenSettings.held_out,
        help="share of the prompts to test on",
    )
    parser.add_argument(
        "--epochs",
        type=epoch_number,
        default=NextTokenSettings.epochs,
        metavar="N",
        help="passes over the data, at most",
    )
    parser.add_argument(
        "--max_classes",
        type=positive_int,
        default=NextTokenSettings.max_classes,
        metavar="N",
        help="tokens that a readout tells apart; the rarer ones share one class",
    )
    parser.add_argument(
        "--min_token_count",
        type=positive_int,
        default=NextTokenSettings.min_token_count,
        metavar="N",
        help="list the neurons of tokens with so many training samples or more",
    )
    add_device_argument(parser)
    return parser.parse_args()


def main() -> None:
    """Study the dataset."""
    arguments = parsed()
    from gelu.learning.next_token_run import write_next_token

    written = write_next_token(
        arguments.dataset_dir,
        arguments.output_dir,
        arguments.model_type,
        NextTokenSettings(
            arguments.seed,
            arguments.held_out,
            arguments.epochs,
            arguments.max_classes,
            arguments.min_token_count,
        ),
        arguments.device,
    )
    print_notes(written.notes)
    print(*written.paths, *written.lines, sep="\n")


if __name__ == "__main__":
    run_script(main)
