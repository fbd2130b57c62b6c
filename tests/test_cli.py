"""What all scripts share: help at once, one-line errors."""

import argparse
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from gelu import cli
from gelu.cli import non_negative_float, positive_int
from gelu.errors import UserError
from gelu.places import existing_directory, existing_file, output_directory
from tests.helpers import ROOT, kept_signals, run_script

SCRIPTS = sorted(path.name for path in ROOT.glob("*.py"))
HEAVY = ("torch", "transformers", "pandas", "numpy", "matplotlib", "seaborn", "networkx", "tqdm")


@pytest.mark.parametrize("script", SCRIPTS)
def test_help_has_an_example_and_imports_nothing_heavy(script: str) -> None:
    blocked = "".join(f"sys.modules[{name!r}] = None; " for name in HEAVY)
    code = (
        f"import runpy, sys; {blocked}sys.path.insert(0, '.')\n"
        f"sys.argv = [{script!r}, '--help']\nrunpy.run_path({script!r}, run_name='__main__')"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert f"Example:\n  python {script}" in result.stdout
    assert "--model_type" in result.stdout


@pytest.mark.parametrize("script", SCRIPTS)
def test_scripts_run_from_any_folder(script: str, tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, ROOT / script, "--help"], check=True, cwd=tmp_path, capture_output=True
    )


def test_an_unknown_argument_is_one_line() -> None:
    result = run_script("a_generate_gelu_graph.py", "--nope", check=False)
    assert result.returncode == 2 and result.stdout == ""
    assert result.stderr == (
        "error: unrecognized arguments: --nope (see a_generate_gelu_graph.py --help)\n"
    )


def test_number_types() -> None:
    assert positive_int("12") == 12 and non_negative_float("0.5") == 0.5
    for text in ("0", "-1", "1.0", "", "٣", "1e3", "9" * 19):
        with pytest.raises(argparse.ArgumentTypeError):
            positive_int(text)
    for text in ("-0.1", "inf", "nan", "", "one"):
        with pytest.raises(argparse.ArgumentTypeError):
            non_negative_float(text)


def test_paths_are_checked_with_the_argument_named(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    assert existing_file(file, "a") == file
    assert existing_directory(tmp_path, "a") == tmp_path
    new = output_directory(tmp_path / "x" / "y", "a")
    assert new.is_dir() and list(new.iterdir()) == []
    for check, path, message in [
        (existing_file, tmp_path, "`a` .*: this is a folder"),
        (existing_file, tmp_path / "no", "`a` .*: no such file"),
        (existing_directory, file, "`a` .*: this is a file"),
        (existing_directory, tmp_path / "no", "`a` .*: no such folder"),
        (output_directory, file, "`a` .*: this is a file"),
        (output_directory, file / "x", "`a` .*: cannot write there"),
        (existing_file, tmp_path / ("x" * 5000), "`a` .*: File name too long"),
    ]:
        with pytest.raises(UserError, match=message):
            check(path, "a")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (MemoryError("12 GB"), "error: this needs more memory than there is (12 GB)\n"),
        (PermissionError(13, "Permission denied", "a/b"), "error: a/b: Permission denied\n"),
        (OSError(5, "Input/output error"), "error: the system: Input/output error\n"),
        (UserError("a\nb\x1b[31m"), "error: a b\\x1b[31m\n"),
        (UserError("`model_type` x: no `X` there"), "error: --model_type x: no `X` there\n"),
    ],
)
def test_what_the_machine_refuses_is_one_line(
    error: Exception, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def main() -> None:
        parser = cli.build_parser("")
        cli.add_model_argument(parser)
        parser.parse_args([])
        raise error

    with kept_signals(), pytest.raises(SystemExit) as ended:
        cli.run_script(main)
    assert ended.value.code == 2 and capsys.readouterr().err == said


INTERRUPTED = (
    "interrupted: nothing unfinished was left under a final name; the same command starts anew\n"
)
# What happens to an error there; importing modules runs callbacks and finalisers by the thousand.
SWALLOWED = {
    "weak reference": "thing = Thing(); seen = weakref.ref(thing, stop); del thing",
    "finaliser": "Thing.__del__ = stop; Thing()",
    "catches all": "try: stop()\n    except BaseException: pass",
    "native code": "base = sqlite3.connect(':memory:'); base.set_trace_callback(stop); "
    "base.execute('select 1')",
}


@pytest.mark.parametrize("goes_on", [True, False])
@pytest.mark.parametrize("place", SWALLOWED)
def test_ctrl_c_that_is_swallowed_ends_the_script_all_the_same(place: str, goes_on: bool) -> None:
    code = f"""
import os, signal, sqlite3, time, weakref
from gelu.cli import run_script

class Thing:
    pass

def stop(*ignored):
    os.kill(os.getpid(), signal.SIGINT)

def main():
    {SWALLOWED[place]}
    print("swallowed", flush=True)
    for _ in range({3000 * goes_on}):
        time.sleep(0.01)
    print("came to the end")

run_script(main)
"""
    ended = told_to_stop(code)
    assert ended.stdout == ("swallowed\n" if goes_on else "swallowed\ncame to the end\n")
    assert ended.returncode == 130, ended.stderr
    assert ended.stderr == INTERRUPTED


@pytest.mark.parametrize("presses", [1, 2])
def test_ctrl_c_waits_for_an_import_unless_it_comes_again(presses: int, tmp_path: Path) -> None:
    """Native modules abort the process where an error comes out of Python that they run."""
    (tmp_path / "slow.py").write_text(
        "import os, signal, time\n"
        f"for _ in range({presses}):\n    os.kill(os.getpid(), signal.SIGINT)\n    time.sleep(1)\n"
        "print('imported', flush=True)\n"
    )
    code = f"""
import sys, time
from gelu.cli import run_script

def main():
    sys.path.insert(0, {str(tmp_path)!r})
    import slow
    time.sleep(30)
    print("came to the end")

run_script(main)
"""
    ended = told_to_stop(code)
    assert ended.stdout == ("imported\n" if presses == 1 else "")
    assert ended.returncode == 130, ended.stderr
    assert ended.stderr == INTERRUPTED


def test_cleaning_up_after_ctrl_c_is_not_interrupted_again() -> None:
    code = f"""
import os, signal, time
from contextlib import contextmanager
from gelu import cli

def wait():
    for _ in range(10):
        time.sleep(cli.SECONDS_TO_DEAL / 2)

@contextmanager
def block(name):
    try:
        yield
    finally:
        wait()
        print(name, flush=True)

class Block:
    def __enter__(self): pass
    def __exit__(self, *error):
        wait()
        print("third", flush=True)

def main():
    with Block(), block("second"), block("first"):
        os.kill(os.getpid(), {int(signal.SIGINT)})

cli.run_script(main)
"""
    ended = told_to_stop(code)
    assert ended.stdout == "first\nsecond\nthird\n" and ended.returncode == 130, ended.stderr
    assert ended.stderr == INTERRUPTED


def told_to_stop(code: str) -> subprocess.CompletedProcess[str]:
    """Run code in a process of its own, where Ctrl-C is not ignored as in the background."""
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
