"""Arguments and errors that the scripts share.

    from gelu.cli import add_model_argument, add_output_argument, build_parser, run_script

    def main() -> None:
        parser = build_parser(__doc__)
        parser.required.add_argument("--input_csv", required=True)
        add_model_argument(parser)
        add_output_argument(parser, "--output_dir", "folder for the results")
        arguments = parser.parse_args()
        ...

    if __name__ == "__main__":
        run_script(main)

`--help` shows what is required, what is often set (`parser.often`), then the rest
(`parser.add_argument`). Nothing heavy is imported here, so that it answers at once.
"""

import argparse
import errno
import io
import os
import re
import signal
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import fields
from types import FrameType
from typing import Any, NoReturn

from gelu.errors import UserError, failure_text, one_line
from gelu.limits import (
    COUNT,
    DATASET_EDGES,
    DEVICES,
    DTYPES,
    EPOCHS,
    FDR,
    HELD_OUT,
    ID,
    LARGEST_WHOLE,
    SHOWN,
    Check,
    non_negative,
    temperature,
    whole,
)
from gelu.limits import text as utf8_text
from gelu.streams import guard_streams

EXIT_USER_ERROR = 2
EXIT_OUTPUT_LOST = 1
EXIT_BROKEN_PIPE = 128 + signal.SIGPIPE
STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
SECONDS_TO_DEAL = 0.1  # with an interrupt, after which it is raised again


# Arguments that mean the same wherever one of the two stands.
PAIRS = (
    ("--output_dir", "--export_dir"),
    ("--activation_file", "--activations_file"),
    ("--sample_id", "--sample_ids"),
)
# The running script's flag for each parameter that it has a name for, as `as_flags` needs it.
_flags: dict[str, str] = {}
# What the command line has in backticks itself.
_in_backticks: set[str] = set()
# A parameter as the library marks it; or a text in quotes, which is passed over.
_MARKED = re.compile(
    r"""(?<!\w)(?P<quote>['"])(?:\\.|(?!(?P=quote)).)*(?P=quote)"""
    r"""|(?<![^\s(])`(?P<name>[a-z][a-z_]*)`(?![^\s,;:.)])"""
)


class Parser(argparse.ArgumentParser):
    """A parser whose complaint is one line: argparse alone would print the usage above it.

    Arguments stand in three groups, `required`, `often` and, with `add_argument`, the rest.
    """

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.required = self.add_argument_group("required")
        self.often = self.add_argument_group("often set")
        self._optionals.title = "the rest"
        self._action_groups.remove(self._optionals)
        self._action_groups.append(self._optionals)

    def format_help(self) -> str:
        # The usage line has the order of `_actions`, which is that in which they were added.
        groups = [group._group_actions for group in self._action_groups]
        self._actions.sort(
            key=lambda action: (
                action.dest != "help",
                [action in group for group in groups].index(True),
            )
        )
        return super().format_help()

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        words = list(sys.argv[1:] if args is None else args)
        for before, word in zip(["", *words], words, strict=False):
            names = before.startswith("--") and "=" not in before
            self._require_text(word, f"{before} " if names else "")
        _flags.clear()
        _in_backticks.clear()
        _in_backticks.update(*(re.findall("(?=`([a-z_]+)`)", word) for word in words))
        for action in self._actions:
            flag = next(iter(action.option_strings), "")
            _flags.update((name.lstrip("-"), flag) for name in action.option_strings)
            if isinstance(action, _Either):
                action.given.clear()
        return super().parse_known_args(args, namespace)

    def _require_text(self, word: str, name: str) -> None:
        # Bytes of a shell that are no text reach Python as halves of pairs, which neither a
        # tokenizer nor a file takes.
        try:
            utf8_text(word)
        except ValueError:
            encoding = sys.getfilesystemencoding()
            self.error(
                f"{name}{ascii(word)[:SHOWN]} is no {encoding} text; write it in {encoding}, or "
                "rename the file or folder"
            )

    def error(self, message: str) -> NoReturn:
        self.exit(EXIT_USER_ERROR, f"error: {one_line(message)} (see {self.prog} --help)\n")


class _Either(argparse.Action):
    """Stores the value of an argument of two names. Where both are given they must agree."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.given: dict[str, Any] = {}

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        self.given[option_string or self.option_strings[0]] = values
        if len({*self.given.values()}) > 1:
            values = " and ".join(f"{name} {value}" for name, value in self.given.items())
            parser.error(f"{values}: the two are one argument; give one of them")
        setattr(namespace, self.dest, values)


class _HelpFormatter(argparse.ArgumentDefaultsHelpFormatter, argparse.RawDescriptionHelpFormatter):
    """Defaults shown beside each argument, the description's example kept as written."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        return action.help if action.default is None else super()._get_help_string(action)

    def _format_action_invocation(self, action: argparse.Action) -> str:
        # As Python 3.13 does: what an argument takes is shown once, behind its names.
        if not action.option_strings or action.nargs == 0:
            return super()._format_action_invocation(action)
        takes = self._format_args(action, self._get_default_metavar_for_optional(action))
        return f"{', '.join(action.option_strings)} {takes}"


def build_parser(description: str | None) -> Parser:
    """Return a parser that shows `description` unwrapped, and every default."""
    return Parser(description=description, formatter_class=_HelpFormatter, allow_abbrev=False)


def run_script(main: Callable[[], None]) -> NoReturn:
    """Run `main`; a `UserError` becomes one line on stderr and exit code 2.

    So does what the machine refuses: a file that may not be read, memory that is not there. Ctrl-C,
    SIGTERM and SIGHUP are one line too, and exit code 128 and the signal's number. Where standard
    output is lost the work is done all the same, and the exit code is 1, or silently that of a
    broken pipe.
    """
    # Pictures go to files alone. matplotlib cannot even be imported where the environment names a
    # backend that it does not know, and runs the module where it names one.
    os.environ["MPLBACKEND"] = "agg"
    lost = guard_streams()
    if isinstance(sys.stdout, io.TextIOWrapper):
        # Paths and tokens hold characters that not every terminal's encoding has.
        sys.stdout.reconfigure(errors="backslashreplace")
    signals = _note_signals()
    outcome = "all files are complete, only what was to be printed is lost"
    try:
        main()
        # What follows is the interpreter's own end, which has nothing left to lose.
        _ignore_signals()
        if signals:  # and swallowed by a library shortly before the end
            raise KeyboardInterrupt
    except BaseException as error:
        _ignore_signals()
        # A library that is being imported may turn the interrupt into an error of its own.
        if signals or isinstance(error, KeyboardInterrupt):
            _end_interrupted(error, signals[0] if signals else signal.SIGINT)
        if isinstance(error, (UserError, OSError, MemoryError)):
            print_notes(getattr(error, "__notes__", ()))
            _end_with(failure_text(error))
        # The tokenizers library panics at some files: an error that no `except Exception` catches.
        if type(error).__name__ == "PanicException":
            _end_with(f"--model_type: the tokenizer's file is damaged ({error})")
        if not isinstance(error, SystemExit) or error.code:
            raise
        outcome = "nothing was to be done but to print"  # --help
    _end(lost(), outcome)


def _end(lost: OSError | None, outcome: str) -> NoReturn:
    if lost is None:
        sys.exit(0)
    if lost.errno == errno.EPIPE:  # `| head` has read enough
        sys.exit(EXIT_BROKEN_PIPE)
    reason = lost.strerror or lost
    print(f"error: standard output could not be written ({reason}); {outcome}", file=sys.stderr)
    sys.exit(EXIT_OUTPUT_LOST)


def _note_signals() -> list[int]:
    """Return a list that is filled when a signal comes, which raises KeyboardInterrupt.

    While a module is imported, it does so when that is done, or at a second Ctrl-C.
    """
    seen: list[int] = []

    def interrupt(number: int, frame: FrameType | None) -> None:
        if number != signal.SIGINT and seen:
            return  # a closing terminal sends SIGHUP twice; the first is being obeyed
        seen.append(number)
        _insist()
        if len(seen) > 1 or not _is_importing(frame):
            signal.default_int_handler(number, frame)

    for number in STOPPING:
        # What is put in the background, or runs under nohup, has its signal ignored; that stays.
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, interrupt)
    return seen


def _insist() -> None:
    """Raise KeyboardInterrupt again and again for as long as nobody deals with it.

    An error in a weak reference's callback or in a finaliser goes no further, and native code drops
    some.
    """

    def again(number: int, frame: FrameType | None) -> None:
        # While `finally` and `with` blocks clean up, the error that they do it for is at hand.
        if sys.exception() is None and not _is_importing(frame):
            raise KeyboardInterrupt

    def tell(unraisable: "sys.UnraisableHookArgs") -> None:
        if not isinstance(unraisable.exc_value, KeyboardInterrupt):
            sys.__unraisablehook__(unraisable)

    sys.unraisablehook = tell
    signal.signal(signal.SIGALRM, again)
    signal.setitimer(signal.ITIMER_REAL, SECONDS_TO_DEAL, SECONDS_TO_DEAL)


def _is_importing(frame: FrameType | None) -> bool:
    """Whether a module is being imported: native ones abort the process at an unexpected error."""
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False


def _ignore_signals() -> None:
    signal.setitimer(signal.ITIMER_REAL, 0)
    for number in STOPPING:
        signal.signal(number, signal.SIG_IGN)


def _end_interrupted(error: BaseException, number: int) -> NoReturn:
    by = "" if number == signal.SIGINT else f" by {signal.Signals(number).name}"
    said = str(error) if isinstance(error, KeyboardInterrupt) else ""
    said = said or "nothing unfinished was left under a final name; the same command starts anew"
    print(one_line(as_flags(f"interrupted{by}: {said}")), file=sys.stderr)
    sys.exit(128 + number)


def as_flags(message: str) -> str:
    """Return a message of the library, which knows no flags, with its `parameters` as --flags.

    A parameter is shown as the running script's help shows it: `output_dir` can be --export_dir.
    What a user wrote stays as it is, a path that holds backticks too: left alone is whatever no
    argument is called, has a letter or the like right beside it, stands in quotes or was in
    backticks on the command line.
    """

    def shown(match: re.Match[str]) -> str:
        name = match["name"]
        known = name in _flags and name not in _in_backticks
        return _flags[name] if known else match[0]

    return _MARKED.sub(shown, message)


def print_notes(notes: Iterable[str]) -> None:
    """Print on stderr what a run notes: what it skipped, or read instead of what was named."""
    for note in notes:
        print(f"note: {one_line(as_flags(note))}", file=sys.stderr)


def _end_with(message: str) -> NoReturn:
    print(f"error: {one_line(as_flags(message))}", file=sys.stderr)
    sys.exit(EXIT_USER_ERROR)


def add_either(group: argparse._ActionsContainer, name: str, **settings: Any) -> None:
    """Add an argument that has two names (`PAIRS`), of which help and errors show `name` first."""
    other = next(({*pair} - {name}).pop() for pair in PAIRS if name in pair)
    group.add_argument(name, other, action=_Either, **settings)


def add_output_argument(
    parser: Parser, name: str, purpose: str, default: str | None = None
) -> None:
    """Add `--output_dir` or `--export_dir`, as `name` says; required where it has no default."""
    add_either(
        parser.required if default is None else parser.often,
        name,
        required=default is None,
        default=default,
        metavar="FOLDER",
        help=purpose,
    )


def require_folder_or_files(
    parser: Parser, arguments: argparse.Namespace, folder: str, files: Sequence[str]
) -> None:
    """End with one line where neither the folder is named nor all files that it stands for."""
    if getattr(arguments, folder) is None and None in [getattr(arguments, it) for it in files]:
        instead = " and ".join(f"--{name}" for name in files)
        parser.error(f"the following arguments are required: --{folder}, or {instead}")


def add_model_argument(parser: Parser, of_folder: bool = False) -> None:
    """Add `--model_type`; of_folder: where it is not given, the files that are read say it."""
    parser.often.add_argument(
        "--model_type",
        default=None if of_folder else "gpt2",
        metavar="NAME|FOLDER",
        help="gpt2, gpt2-medium, gpt2-large, gpt2-xl, gpt2-demo (shipped, works offline), another "
        "hub id, a folder with a saved model, or a .gguf file; docs/models.md lists the families"
        + ("; by default the one whose files are read" if of_folder else ""),
    )


def add_device_argument(parser: Parser, works: bool = True) -> None:
    """Add `--device`; where no model runs it is taken like elsewhere, but not shown."""
    parser.add_argument(
        "--device",
        choices=DEVICES,
        default="auto",
        help="where the model or network runs; auto takes cuda, then mps, then cpu"
        if works
        else argparse.SUPPRESS,
    )


def add_seed_argument(parser: Parser, purpose: str = "of every random step") -> None:
    """Add `--seed`, no larger than the results' JSON can hold; purpose: its help."""
    parser.often.add_argument("--seed", type=non_negative_int, default=42, help=purpose)


def add_rate_argument(parser: Parser, default: float) -> None:
    """Add `--fdr`."""
    parser.often.add_argument(
        "--fdr", type=discovery_rate, default=default, help="share of findings that may be false"
    )


def add_edge_arguments(parser: Parser, kinds: Sequence[str], default: str) -> None:
    """Add `--edges` and `--top_edges`."""
    parser.add_argument("--edges", choices=kinds, default=default, help="which edges to write")
    parser.add_argument(
        "--top_edges",
        type=positive_int,
        default=10,
        metavar="K",
        help="edges a neuron with --edges strongest; all of them where a layer has fewer",
    )


def add_csv_safe_argument(parser: Parser) -> None:
    """Add `--csv_safe`."""
    parser.add_argument(
        "--csv_safe",
        action="store_true",
        help="put an apostrophe before texts in CSVs that a spreadsheet would run as formulas (and "
        "before those that begin with one), and a last column csv_safe; these scripts undo it",
    )


def argument(check: Check, read: Callable[[str], Any] = str) -> Callable[[str], Any]:
    """Return an argparse `type`: `read` makes a value of the text, `check` is of `gelu.limits`."""

    def parse(text: str) -> Any:
        try:
            return check(read(text))
        except ValueError as error:
            raise argparse.ArgumentTypeError(f"{text!r} {error}") from None

    return parse


def _read_whole(text: str) -> int | str:
    return int(text) if re.fullmatch(r"[0-9]{1,18}", text) else text


def _read_number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def split_commas(text: str) -> list[str]:
    """Return what stands between commas, without the spaces around it."""
    return [part.strip() for part in text.split(",")]


def whole_argument(check: Check) -> Callable[[str], int]:
    """Return an argparse `type` of a whole number that passes this check."""
    return argument(check, _read_whole)


def number_argument(check: Check) -> Callable[[str], float]:
    """Return an argparse `type` of a number that passes this check."""
    return argument(check, _read_number)


def whole_number(least: int, most: int = LARGEST_WHOLE) -> Callable[[str], int]:
    """Return an argparse `type` that parses a whole number from `least` (0 or more) to `most`."""
    return whole_argument(whole(least, most))


positive_int = whole_argument(COUNT)
non_negative_int = whole_argument(ID)
epoch_number = whole_argument(EPOCHS)
non_negative_float = number_argument(non_negative)
sampling_temperature = number_argument(temperature)
discovery_rate = number_argument(FDR)
share_held_out = number_argument(HELD_OUT)


def add_dataset_arguments(parser: Parser, edges: str) -> None:
    """Add what all scripts that generate take, but seed, temperature and formats.

    edges: the default of `edges`.
    """
    parser.often.add_argument(
        "--top_k", type=non_negative_int, default=0, help="draw from the k likeliest; 0 = all"
    )
    parser.add_argument(
        "--batch_size",
        type=positive_int,
        default=None,
        help="completions at once; by default 64, on cuda 256, fewer where their cache is too big",
    )
    parser.add_argument(
        "--chat",
        action="store_true",
        help="each prompt is a user's message in the model's chat template",
    )
    add_edge_arguments(parser, kinds=DATASET_EDGES, default=edges)
    add_device_argument(parser)
    add_csv_safe_argument(parser)
    parser.add_argument(
        "--dtype",
        choices=DTYPES,
        default="float32",
        help="of weights and activations; bfloat16 is for GPUs and changes some active sets",
    )
    parser.add_argument(
        "--overwrite",
        action="store_true",
        help="start afresh where the folder holds a run already, finished or not",
    )


def chosen(kind: Any, arguments: argparse.Namespace, **others: Any) -> Any:
    """Return a dataclass of the arguments that are named like its fields.

    others: the fields that no argument is named like.
    """
    values = vars(arguments) | others
    return kind(**{field.name: values[field.name] for field in fields(kind)})
