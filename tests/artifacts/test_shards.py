"""Shards: what is read is what was written, and damage of any kind is noticed."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gelu.artifacts import Shards
from gelu.artifacts.records import record_type
from gelu.errors import UserError

N_NEURONS = 21
N_NEW = [3, 1, 4]
N_ROWS = sum(N_NEW)


def some_records(seed: int = 0) -> "np.ndarray[tuple[int], np.dtype[np.void]]":
    rng = np.random.default_rng(seed)
    records = np.zeros(N_ROWS, record_type(N_NEURONS))
    records["id"] = rng.integers(0, 1000, N_ROWS)
    records["logprob"] = -rng.random(N_ROWS)
    records["bits"] = rng.integers(0, 256, records["bits"].shape)
    return records


def write(shards: Shards, batch: int = 3) -> None:
    """Hand the records over step by step, as generating does."""
    records, starts = some_records(), np.cumsum(N_NEW) - N_NEW
    with shards.writer(batch, N_NEW) as put:
        for number in range(max(N_NEW)):
            rows = np.flatnonzero(np.array(N_NEW) > number)
            put(rows, number, records[starts[rows] + number])


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Shards:
    shards = Shards(tmp_path_factory.mktemp("shards"), b"run", N_NEURONS)
    write(shards)
    return shards


def test_what_was_written_is_read_completion_by_completion(shards: Shards) -> None:
    assert shards.path(3).stat().st_size == shards.size(N_ROWS)
    assert shards.is_whole(3, N_ROWS)
    assert (shards.read(3, N_ROWS, 0, N_ROWS) == some_records()).all()
    assert (shards.read(3, N_ROWS, 3, 1) == some_records()[3:4]).all()


def test_steps_beyond_the_buffer_are_written_alike(
    shards: Shards, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gelu.artifacts.shards.BUFFER_BYTES", 1)
    others = Shards(tmp_path, b"run", N_NEURONS)
    write(others)
    assert others.path(3).read_bytes() == shards.path(3).read_bytes()


def test_an_absent_shard_and_one_of_another_run_or_batch_are_not_whole(
    shards: Shards, tmp_path: Path
) -> None:
    assert not shards.is_whole(0, N_ROWS)
    other = Shards(tmp_path, b"another run", N_NEURONS)
    other.path(3).write_bytes(shards.path(3).read_bytes())
    assert not other.is_whole(3, N_ROWS)
    same = Shards(tmp_path, b"run", N_NEURONS)
    assert same.is_whole(3, N_ROWS)
    same.path(4).write_bytes(shards.path(3).read_bytes())
    assert not same.is_whole(4, N_ROWS)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_every_flipped_bit_and_every_cut_is_noticed(shards: Shards, data: st.DataObject) -> None:
    content = bytearray(shards.path(3).read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    if data.draw(st.booleans()):
        content[place] ^= 1 << data.draw(st.integers(0, 7))
    else:
        del content[place:]
    damaged = Shards(shards.folder, b"run", N_NEURONS)
    try:
        damaged.path(9).write_bytes(bytes(content))
        assert not damaged.is_whole(9, N_ROWS)
    finally:
        damaged.path(9).unlink()


def test_damage_met_while_reading_is_said(shards: Shards, tmp_path: Path) -> None:
    damaged = Shards(tmp_path, b"run", N_NEURONS)
    content = bytearray(shards.path(3).read_bytes())
    content[0] ^= 1
    damaged.path(3).write_bytes(bytes(content))
    with pytest.raises(UserError, match=r"batch_00000003.shard: damaged on disk; run the command"):
        damaged.read(3, N_ROWS, 0, 2)


def test_nothing_stands_under_the_name_of_a_shard_that_was_broken_off(tmp_path: Path) -> None:
    shards = Shards(tmp_path, b"run", N_NEURONS)
    with pytest.raises(RuntimeError), shards.writer(0, N_NEW):
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []
