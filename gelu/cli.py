"""Arguments and errors that the scripts share.

    from gelu.cli import UserError, build_parser, run_script

    def main() -> None:
        arguments = build_parser(__doc__).parse_args()
        ...

    if __name__ == "__main__":
        run_script(main)

Nothing heavy is imported here, so that `--help` answers at once.
"""

import argparse
import math
import re
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

EXIT_USER_ERROR = 2
EXIT_INTERRUPTED = 130


class UserError(Exception):
    """A mistake that the person at the shell can mend; its text is one line that says how."""


class _Parser(argparse.ArgumentParser):
    """A parser whose complaint is one line: argparse alone would print the usage above it."""

    def error(self, message: str) -> NoReturn:
        one_line = " ".join(message.split())
        self.exit(EXIT_USER_ERROR, f"error: {one_line} (see {self.prog} --help)\n")


class _HelpFormatter(argparse.ArgumentDefaultsHelpFormatter, argparse.RawDescriptionHelpFormatter):
    """Defaults shown beside each argument, the description's example kept as written."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        return action.help if action.default is None else super()._get_help_string(action)


def build_parser(description: str | None) -> argparse.ArgumentParser:
    """Return a parser that shows `description` unwrapped, and every default."""
    return _Parser(description=description, formatter_class=_HelpFormatter, allow_abbrev=False)


def run_script(main: Callable[[], None]) -> NoReturn:
    """Run `main`; a `UserError` becomes one line on stderr and exit code 2, nothing else does."""
    try:
        main()
    except UserError as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        sys.exit(EXIT_USER_ERROR)
    except KeyboardInterrupt as interrupt:
        said = str(interrupt) or "interrupted: nothing unfinished was left under a final name"
        print(said, file=sys.stderr)
        sys.exit(EXIT_INTERRUPTED)
    sys.exit(0)


def add_model_argument(parser: argparse.ArgumentParser, default: str = "gpt2") -> None:
    """Add `--model_type`."""
    parser.add_argument(
        "--model_type",
        default=default,
        metavar="NAME|FOLDER",
        help="gpt2, gpt2-medium, gpt2-large, gpt2-xl, gpt2-demo (shipped, works offline), another "
        "hub id of GPT-2 architecture, or a folder with a saved model",
    )


def add_device_argument(
    parser: argparse.ArgumentParser,
    purpose: str = "where the model runs; auto takes cuda, then mps, then cpu",
) -> None:
    """Add `--device`; purpose: its help."""
    parser.add_argument(
        "--device",
        choices=("auto", "cpu", "cuda", "mps"),
        default="auto",
        help=purpose,
    )


def add_edge_arguments(parser: argparse.ArgumentParser, kinds: Sequence[str], default: str) -> None:
    """Add `--edges` and `--top_edges`."""
    parser.add_argument("--edges", choices=kinds, default=default, help="which edges to write")
    parser.add_argument(
        "--top_edges",
        type=positive_int,
        default=10,
        metavar="K",
        help="edges a neuron with --edges strongest; all of them where a layer has fewer",
    )


def whole_number(least: int) -> Callable[[str], int]:
    """Return an argparse `type` that parses a whole number of `least` (0 or more) or more."""

    def parse(text: str) -> int:
        if re.fullmatch(r"[0-9]{1,18}", text) is None or int(text) < least:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of {least} or more")
        return int(text)

    return parse


positive_int = whole_number(1)
non_negative_int = whole_number(0)


def non_negative_float(text: str) -> float:
    """Parse a finite number of 0 or more; an argparse `type`."""
    try:
        value = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number") from None
    if not math.isfinite(value) or value < 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a finite number of 0 or more")
    return value


def discovery_rate(text: str) -> float:
    """Parse a number above 0 and below 0.5; an argparse `type`."""
    value = non_negative_float(text)
    if not 0 < value < 0.5:
        raise argparse.ArgumentTypeError(f"{text!r} is not above 0 and below 0.5")
    return value


def existing_file(path: str | Path, argument: str) -> Path:
    """Return `path` if it is a file; `UserError` naming the argument otherwise."""
    path = Path(path)
    if path.is_dir():
        raise UserError(f"{argument} {path}: this is a folder, a file is needed")
    if not path.is_file():
        raise UserError(f"{argument} {path}: no such file")
    return path


def existing_directory(path: str | Path, argument: str) -> Path:
    """Return `path` if it is a folder; `UserError` naming the argument otherwise."""
    path = Path(path)
    if not path.is_dir():
        reason = "this is a file, a folder is needed" if path.exists() else "no such folder"
        raise UserError(f"{argument} {path}: {reason}")
    return path


def output_directory(path: str | Path, argument: str) -> Path:
    """Return `path` as a writable folder, made with its parents if missing."""
    path = Path(path)
    try:
        path.mkdir(parents=True, exist_ok=True)
        _probe_writable(path)
    except FileExistsError:
        raise UserError(f"{argument} {path}: this is a file, a folder is needed") from None
    except OSError as error:
        raise UserError(f"{argument} {path}: cannot write there ({error.strerror})") from None
    return path


def _probe_writable(folder: Path) -> None:
    # Creating a file is the only test that holds for root, ACLs and read-only mounts alike; with
    # a name of its own, as other processes may be probing.
    with tempfile.TemporaryFile(dir=folder):
        pass
