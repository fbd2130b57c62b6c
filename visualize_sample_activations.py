"""Draw the neurons that were active for chosen samples of a dataset, one picture a sample.

Example:
  python visualize_sample_activations.py --dataset_dir dataset --sample_ids 0,50,200 \\
      --export_dir sample_pictures --model_type gpt2-demo

Reading a picture: each square is a layer, each cell in it a neuron of that layer's MLP: dimension 0
top left, then row by row. --vis_mode
  default            red cells are active (output of the activation function > 0), blue ones are
                     not; above them the sample's number, its input text, the completion so far, the
                     token it became, and how many neurons are active in all and in each layer
  cinematic          white cells on black ones, nothing behind them (transparent), the input text;
                     a grey line around each layer, so that both show on light and dark pages
  cinematic_no_text  the same without text
A cell is a whole number of pixels, never less than one: look at the picture at its own size. All
pictures of one command have the same size, so that they can be flipped through or filmed. A line
break in a text is shown as a sign; a character that no installed font has, as an escape (\\u4f60).

Writes to --export_dir: {m}_sample_{id}_activation.png, with the mode's name at the end for the
other modes, {m}_sample_{id}_activation_cinematic.png. Reads the dataset alone, not the model.
"""

from gelu.cli import (
    add_device_argument,
    add_either,
    add_model_argument,
    add_output_argument,
    build_parser,
    positive_int,
    run_script,
)
from gelu.plots.modes import DEFAULT, MODES


def main() -> None:
    """Parse the command line and draw the samples."""
    parser = build_parser(__doc__)
    parser.required.add_argument(
        "--dataset_dir", required=True, metavar="FOLDER", help="folder of the dataset script"
    )
    add_either(
        parser.required,
        "--sample_ids",
        required=True,
        metavar="IDS",
        help="which samples: 0,50,200 or 0-9 or both",
    )
    add_output_argument(parser, "--export_dir", "folder for the pictures")
    add_model_argument(parser, of_folder=True)
    parser.often.add_argument(
        "--figure_rows",
        type=positive_int,
        default=1,
        metavar="N",
        help="in how many rows the layers stand",
    )
    parser.often.add_argument("--vis_mode", choices=MODES, default=DEFAULT, help="see above")
    add_device_argument(parser, works=False)
    arguments = parser.parse_args()

    from gelu.drawing.samples_run import write_sample_pictures

    written = write_sample_pictures(
        arguments.dataset_dir,
        arguments.sample_ids,
        arguments.export_dir,
        arguments.model_type,
        arguments.figure_rows,
        arguments.vis_mode,
    )
    print(*written.lines, sep="\n")


if __name__ == "__main__":
    run_script(main)
