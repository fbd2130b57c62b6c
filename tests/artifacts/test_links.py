"""Links and files of others below an output folder: nothing is written or deleted through them."""

import os
import secrets
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gelu.artifacts import Artifacts, complete_file, folder_lock
from gelu.errors import UserError
from tests.helpers import run_script_here, save_gpt2, user_error, write_prompts

SCRIPT, STUDY = "generate_activation_dataset.py", "compare_temperatures.py"
FINAL = (
    "run.json",
    "activation_dataset.csv",
    "neuron_activations.pickle",
    "neuron_activations.json",
    "activation_matrix.npz",
    "neuron_frequency.csv",
    "neuron_attributes.csv",
    "neuron_edges.el",
)


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("links")
    save_gpt2(folder / "model", n_layer=2)
    write_prompts(folder / "prompts.csv", ("a", 3, 2), ("bcd", 4, 2))
    run_script_here(SCRIPT, *command(folder, folder / "alone"))
    run_script_here(SCRIPT, *command(folder, folder / "half", "--shard", "0/2"))
    return folder


def command(work: Path, out: Path, *more: object) -> list[Any]:
    given = ["--model_type", work / "model", "--input_csv", work / "prompts.csv"]
    return [*given, "--export_dir", out, "--batch_size", 1, "--device", "cpu", *more]


@pytest.fixture
def precious(tmp_path: Path) -> Path:
    """A folder of someone's, with files called as a run's are."""
    folder = tmp_path / "precious"
    folder.mkdir()
    names = ["thesis.txt", "lock", "run.json", "batch_00000000.shard", "batch_00000001.shard"]
    for name in [*names, *(f"model_{ending}" for ending in FINAL)]:
        (folder / name).write_text(f"years of work: {name}")
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize("more", [[], ["--overwrite"], ["--shard", "0/2"], ["--merge"]])
@pytest.mark.parametrize("start", ["empty", "half", "alone"])
def test_shards_that_are_a_link_are_refused(
    start: str, more: list[str], work: Path, precious: Path, tmp_path: Path
) -> None:
    out, before = tmp_path / "out", contents(precious)
    if start == "empty":
        out.mkdir()
    else:
        shutil.copytree(work / start, out)
        shutil.rmtree(out / ".shards", ignore_errors=True)
    (out / ".shards").symlink_to(precious)
    error = user_error(SCRIPT, *command(work, out, *more))
    assert f"{out / '.shards'}: is a symbolic link to {precious}" in error
    assert contents(precious) == before and (out / ".shards").is_symlink()


def test_shards_that_are_a_dangling_link_make_nothing_elsewhere(work: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / ".shards").symlink_to(tmp_path / "nowhere")
    error = user_error(SCRIPT, *command(work, out, "--overwrite"))
    assert "is a symbolic link" in error and not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("more", [[], ["--overwrite"]])
def test_links_among_the_shards_are_replaced_and_their_files_stay(
    more: list[str], work: Path, precious: Path, tmp_path: Path
) -> None:
    out, before = Path(shutil.copytree(work / "half", tmp_path / "out")), contents(precious)
    for name in ("batch_00000000.shard", "batch_00000001.shard"):
        (out / ".shards" / name).unlink(missing_ok=True)
        (out / ".shards" / name).symlink_to(precious / name)
    run_script_here(SCRIPT, *command(work, out, *more))
    assert contents(out) == contents(work / "alone") and contents(precious) == before


def test_a_whole_shard_behind_a_link_is_no_shard(work: Path, tmp_path: Path) -> None:
    out = Path(shutil.copytree(work / "half", tmp_path / "out"))
    shard = out / ".shards" / "batch_00000000.shard"
    shard.rename(tmp_path / "elsewhere")
    shard.symlink_to(tmp_path / "elsewhere")
    error = user_error(SCRIPT, *command(work, out, "--merge"))
    assert "3 of 4 batches are missing, the first is 0" in error


def test_a_pipe_or_a_folder_for_a_shard_is_waited_for_by_nobody(work: Path, tmp_path: Path) -> None:
    out = Path(shutil.copytree(work / "half", tmp_path / "out"))
    os.mkfifo(out / ".shards" / "batch_00000001.shard")
    run_script_here(SCRIPT, *command(work, out))
    assert contents(out) == contents(work / "alone")
    out = Path(shutil.copytree(work / "half", tmp_path / "other"))
    (out / ".shards" / "batch_00000001.shard").mkdir()
    said = run_script_here(SCRIPT, *command(work, out), check=False)
    assert said.returncode == 2
    told = f"error: {out / '.shards' / 'batch_00000001.shard'}: Is a directory"
    assert said.stderr.splitlines()[-1] == told


@pytest.mark.parametrize("name", ["lock", "part_0_of_2.lock"])
@pytest.mark.parametrize("target", ["lock", "nowhere"])
def test_a_lock_that_is_a_link_is_refused(
    target: str, name: str, work: Path, precious: Path, tmp_path: Path
) -> None:
    out, before = Path(shutil.copytree(work / "half", tmp_path / "out")), contents(precious)
    lock = out / ".shards" / name
    lock.unlink()
    lock.symlink_to(precious / target)
    error = user_error(SCRIPT, *command(work, out, "--shard", "0/2"))
    assert f"{lock}: is a symbolic link to {precious / target}" in error
    assert contents(precious) == before
    with pytest.raises(UserError, match="is a symbolic link"), folder_lock(out / ".shards", name):
        pass


@pytest.mark.parametrize("more", [[], ["--overwrite"]])
def test_final_names_that_are_links_are_replaced_and_their_files_stay(
    more: list[str], work: Path, precious: Path, tmp_path: Path
) -> None:
    out, before = tmp_path / "out", contents(precious)
    out.mkdir()
    for ending in FINAL[not more :]:  # a description of the run that cannot be read is an error
        (out / f"model_{ending}").symlink_to(precious / f"model_{ending}")
    run_script_here(SCRIPT, *command(work, out, *more))
    assert contents(out) == contents(work / "alone") and contents(precious) == before
    assert not any(path.is_symlink() for path in out.iterdir())


def test_a_temporary_name_that_is_a_link_is_not_written_through(
    precious: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = contents(precious)
    monkeypatch.setattr(secrets, "token_hex", lambda n: "0123abcd")
    (tmp_path / ".a.0123abcd.partial").symlink_to(precious / "thesis.txt")
    with pytest.raises(FileExistsError), complete_file(tmp_path / "a") as file:
        file.write(b"x")
    assert contents(precious) == before and not (tmp_path / "a").exists()


def test_leftovers_that_are_links_are_not_followed(
    work: Path, precious: Path, tmp_path: Path
) -> None:
    out, before = Path(shutil.copytree(work / "half", tmp_path / "out")), contents(precious)
    (out / ".model_run.json.0123abcd.partial").symlink_to(precious / "thesis.txt")
    (out / ".shards.0123abcd.partial").symlink_to(precious)
    (out / ".shards" / ".run.json.0123abcd.partial").symlink_to(precious / "run.json")
    (out / ".shards" / "deeper").symlink_to(precious)
    run_script_here(SCRIPT, *command(work, out))
    assert contents(precious) == before
    assert contents(work / "alone").items() <= contents(out).items()


@pytest.mark.parametrize("more", [[], ["--overwrite"]])
def test_files_that_no_run_makes_are_left_and_noted(
    more: list[str], work: Path, tmp_path: Path
) -> None:
    out = Path(shutil.copytree(work / "half", tmp_path / "out"))
    others = {
        ".shards/notes.txt": b"mine",
        ".shards/deeper/batch_00000000.shard": b"mine",
        ".shards/block": b"mine",
        ".shards.0123abcd.partial/thesis.txt": b"mine",
        ".model_thesis.txt.0123abcd.partial": b"mine",
        ".model_run.json.old.partial": b"mine",
    }
    for name, content in others.items():
        (out / name).parent.mkdir(exist_ok=True)
        (out / name).write_bytes(content)
    said = run_script_here(SCRIPT, *command(work, out, *more))
    assert contents(out) == contents(work / "alone") | others
    told = f"note: {out / '.shards' / 'block'} and 2 more: not of this run, left where it is\n"
    assert said.stderr.endswith(told)
    # What is left is no reason to do anything again.
    said = run_script_here(SCRIPT, *command(work, out))
    assert "finished already" in said.stdout and said.stderr == ""


@pytest.mark.parametrize("more", [[], ["--overwrite"]])
def test_a_temperatures_folder_that_is_a_link_is_refused(
    more: list[str], work: Path, precious: Path, tmp_path: Path
) -> None:
    out, before = tmp_path / "out", contents(precious)
    out.mkdir()
    (out / "t_0.8").symlink_to(precious)
    given = [*command(work, out, *more), "--temperatures", "0.5,0.8"]
    error = user_error(STUDY, *given)
    assert f"{out / 't_0.8'}: is a symbolic link to {precious}" in error
    assert contents(precious) == before and contents(out) == {}


def test_a_folder_that_the_user_names_may_be_a_link(work: Path, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "out").symlink_to(tmp_path / "there")
    run_script_here(SCRIPT, *command(work, tmp_path / "out"))
    assert contents(tmp_path / "there") == contents(work / "alone")


def _trace(work: Path, out: Path) -> tuple[str, list[Any]]:
    return "b_trace_gelu_activations.py", ["--output_dir", out, "--input_text", "abc"]


def _graph(work: Path, out: Path) -> tuple[str, list[Any]]:
    return "a_generate_gelu_graph.py", ["--output_dir", out]


def _pictures(work: Path, out: Path) -> tuple[str, list[Any]]:
    files = Artifacts(work / "alone", "model")
    given = ["--graph_dir", files.folder, "--activation_file", files.path(FINAL[2])]
    return "visualize_gelu_graph.py", [*given, "--output_dir", out]


def _samples(work: Path, out: Path) -> tuple[str, list[Any]]:
    given = ["--dataset_dir", work / "alone", "--sample_ids", "0"]
    return "visualize_sample_activations.py", [*given, "--export_dir", out]


@pytest.mark.parametrize("other", [_trace, _graph, _pictures, _samples])
def test_other_scripts_replace_links_too(
    other: Callable[[Path, Path], tuple[str, list[Any]]], work: Path, tmp_path: Path
) -> None:
    script, given = other(work, tmp_path / "first")
    run_script_here(script, "--model_type", work / "model", *given)
    out, thesis = tmp_path / "out", tmp_path / "thesis.txt"
    out.mkdir()
    thesis.write_text("years of work")
    made = contents(tmp_path / "first")
    for name in made:
        (out / name).symlink_to(thesis)
    script, given = other(work, out)
    run_script_here(script, "--model_type", work / "model", *given)
    assert contents(out) == made and thesis.read_text() == "years of work"
    assert not any(path.is_symlink() for path in out.iterdir())
