"""Operations repeat to the bit inside the block, and the caller's setting is kept."""

import subprocess
import sys

import pytest
import torch

from gelu.learning.deterministic import deterministic_algorithms
from tests.helpers import ROOT


@pytest.mark.parametrize("before", ["default", "warn", "error"])
def test_what_was_set_before_is_set_again(before: str) -> None:
    torch.set_deterministic_debug_mode(before)
    number = torch.get_deterministic_debug_mode()
    try:
        with deterministic_algorithms():
            assert torch.are_deterministic_algorithms_enabled()
            assert not torch.is_deterministic_algorithms_warn_only_enabled()
        assert torch.get_deterministic_debug_mode() == number
        with pytest.raises(KeyError), deterministic_algorithms():
            raise KeyError
        assert torch.get_deterministic_debug_mode() == number
    finally:
        torch.set_deterministic_debug_mode("default")


def test_it_loads_no_compiler() -> None:
    code = (
        "import sys, torch; from gelu.learning.deterministic import deterministic_algorithms\n"
        "with deterministic_algorithms(): print('torch._inductor' in sys.modules)"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True, cwd=ROOT) == "False\n"
