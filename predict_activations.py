"""Which neurons will be active, predicted from the input tokens alone, without running the model.

Example:
  python predict_activations.py --model_type gpt2-demo --dataset_dir dataset --output_dir findings
  python predict_activations.py --model_type gpt2-demo --output_dir findings \\
      --predict "I think love is"

Learns from a dataset of generate_activation_dataset.py and tests on prompts that are held out; no
prompt has tokens on both sides, and prompts of one text, or of which one begins with the other, are
never parted. A sample's neurons are those active at its context token, so a predictor sees the
tokens up to and including that one. Predictors:

base_rate   how often the neuron is active in the training prompts
token       its rate after the context token, backing off to the base rate
two_tokens  its rate after the last two tokens, backing off to the rate after the last one
learned     a small network that reads the last --history tokens and the position and predicts all
            neurons at once, mixed with the counts above: each layer's log-odds are those of the
            base rate plus, with weights of 0 or more, what the token, the one before and the
            network add. learned_token_only, learned_position_only: the same network with
            everything but the context token, or but the position, hidden, mixed with the counts
            that see no more

How much to smooth, when to stop learning and how to mix is chosen on an eighth of the training
prompts. So on few prompts the counts weigh more, on many the network. Log-losses and what they save
have 95 % intervals over the held-out prompts, a rough guide where these are fewer than 30.

Writes {m}_activation_prediction_by_layer.csv and _by_neuron.csv (log-loss in bits, average
precision, AUC, expected calibration error; what decides each neuron), _reliability.csv,
{m}_activation_prediction.png, {m}_activation_prediction.json and the predictor,
{m}_activation_predictor.safetensors with .json. With --predict also {m}_predicted_neurons.csv: the
neurons with a probability of one half or more at the text's last token, beside the true ones where
the model is at hand. Without --dataset_dir, --predict uses the predictor saved in --output_dir.

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
    print_notes,
    run_script,
    share_held_out,
    whole_argument,
)
from gelu.learning.settings import ActivationSettings
from gelu.limits import HISTORY, WIDTH


def parsed() -> argparse.Namespace:
    """Return the arguments of the command line."""
    parser = build_parser(__doc__)
    parser.required.add_argument(
        "--dataset_dir",
        metavar="FOLDER",
        help="folder of the dataset script to learn from; not needed with --predict",
    )
    add_output_argument(parser, "--output_dir", "folder for the results")
    add_model_argument(parser, of_folder=True)
    add_seed_argument(parser)
    parser.often.add_argument(
        "--held_out",
        type=share_held_out,
        default=ActivationSettings.held_out,
        help="share of the prompts to test on",
    )
    parser.add_argument(
        "--history",
        type=whole_argument(HISTORY),
        default=ActivationSettings.history,
        metavar="N",
        help="tokens that are read",
    )
    parser.add_argument(
        "--width",
        type=whole_argument(WIDTH),
        default=ActivationSettings.width,
        metavar="N",
        help="of the network's hidden layer",
    )
    parser.add_argument(
        "--epochs",
        type=epoch_number,
        default=ActivationSettings.epochs,
        metavar="N",
        help="passes over the data, at most",
    )
    parser.often.add_argument(
        "--predict", metavar="TEXT", help="a text whose neurons are to be predicted"
    )
    add_device_argument(parser)
    return parser.parse_args()


def main() -> None:
    """Learn, or predict, or both."""
    arguments = parsed()
    from gelu.learning.activations_run import write_activation_prediction

    settings = ActivationSettings(
        seed=arguments.seed,
        held_out=arguments.held_out,
        history=arguments.history,
        width=arguments.width,
        epochs=arguments.epochs,
    )
    written = write_activation_prediction(
        arguments.dataset_dir,
        arguments.output_dir,
        arguments.model_type,
        settings,
        arguments.device,
        predict=arguments.predict,
    )
    print_notes(written.notes)
    print(*written.paths, *written.lines, sep="\n")


if __name__ == "__main__":
    run_script(main)
