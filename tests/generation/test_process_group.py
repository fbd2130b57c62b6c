"""The processes of one run: what one finds out all know, and what one lacks stops all."""

from pathlib import Path

import pytest
import torch

from gelu.generation.process_group import device_of_rank
from tests import ranks
from tests.interruptions import forked

TWO_RANKS = """
from pathlib import Path
from gelu.cli import UserError
from gelu.generation.process_group import joined_process_group

def failing():
    raise FileNotFoundError(2, "No such file", "a.csv")

told = []
with joined_process_group() as group:
    told.append(f"{group.rank} of {group.size}")
    told.append(group.share(lambda: f"found by {group.rank}"))
    for work in (lambda: group.share(failing), lambda: group.agree("boom" if group.rank else None)):
        try:
            work()
        except UserError as error:
            told.append(str(error))
    group.agree(None)
Path(f"rank_{group.rank}.txt").write_text("; ".join(told))
"""


def test_two_processes_hear_of_each_other(tmp_path: Path) -> None:
    runs, logs = [], []
    for rank, environment in enumerate(ranks.environments(2)):
        script, log = tmp_path / f"rank_{rank}.py", tmp_path / f"rank_{rank}.log"
        begin = f"import os; os.environ |= {environment}; os.chdir({str(tmp_path)!r})"
        script.write_text(begin + TWO_RANKS)
        runs.append(forked([script], log, -1, wait=False))
        logs.append(log)
    for run, log in zip(runs, logs, strict=True):
        run.join(60)
        run.kill()  # where it waits for the other in vain
        run.join()
        assert run.exitcode == 0, log.read_text()
    first, second = ((tmp_path / f"rank_{rank}.txt").read_text() for rank in (0, 1))
    shared = "found by 0; a.csv: No such file"
    assert first == f"0 of 2; {shared}; process 1 failed: boom"
    assert second == f"1 of 2; {shared}; boom"


def test_each_rank_has_a_gpu_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    assert device_of_rank("cuda") == "cuda"
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "none")
    monkeypatch.setenv("LOCAL_RANK", "3")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert device_of_rank("cuda") == "cuda:1" and device_of_rank("cpu") == "cpu"
