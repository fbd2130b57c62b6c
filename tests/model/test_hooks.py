"""The recorder: right values, nothing left behind, nothing more than asked for."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from gelu.model.hooks import GeluRecorder, mlp_modules
from tests.helpers import own_gelu, plain_preactivations, save_gpt2

IDS = torch.tensor([[1, 2, 3, 4], [5, 6, 7, 8]])


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return save_gpt2(tmp_path_factory.mktemp("m") / "tiny")


def n_hooks(model: Any) -> int:
    return sum(len(module._forward_hooks) for module in model.modules())


def test_values_are_the_gelu_of_c_fc(model: Any) -> None:
    with torch.no_grad(), GeluRecorder(model, keep="value") as recorder:
        model(IDS)
    values = recorder.take()
    assert values.shape == (2, 4, 3 * 64)
    expected = own_gelu(plain_preactivations(model, IDS))
    assert torch.allclose(values, expected, atol=1e-6)


def test_active_is_value_above_zero_at_the_positions_asked_for(model: Any) -> None:
    expected = own_gelu(plain_preactivations(model, IDS)) > 0
    for positions in (-1, 1, slice(1, 3), None):
        with torch.no_grad(), GeluRecorder(model, positions) as recorder:
            model(IDS)
        active = recorder.take()
        assert active.dtype == torch.bool
        index = slice(None) if positions is None else positions
        assert torch.equal(active, expected[:, index])


def test_what_is_kept_does_not_hold_the_whole_activation(model: Any) -> None:
    with torch.no_grad(), GeluRecorder(model, -1, keep="value") as recorder:
        model(IDS)
        entry = recorder._layers[0][0]
    assert entry.untyped_storage().nbytes() == entry.numel() * entry.element_size()


def test_forwards_are_taken_in_order(model: Any) -> None:
    with torch.no_grad(), GeluRecorder(model, keep="value") as recorder:
        model(IDS[:, :2])
        model(IDS)
    assert recorder.take().shape[1] == 2
    assert recorder.take().shape[1] == 4
    with pytest.raises(LookupError, match="no complete forward"):
        recorder.take()


def test_hooks_are_gone_afterwards_also_after_an_exception(model: Any) -> None:
    with GeluRecorder(model):
        assert n_hooks(model) == 3
    assert n_hooks(model) == 0
    with pytest.raises(ZeroDivisionError), GeluRecorder(model):
        raise ZeroDivisionError
    assert n_hooks(model) == 0


def test_a_failure_half_way_removes_what_was_registered(
    model: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(hook: Any) -> None:
        raise RuntimeError("no")

    monkeypatch.setattr(mlp_modules(model)[2].activation, "register_forward_hook", fail)
    with pytest.raises(RuntimeError, match="no"), GeluRecorder(model):
        pass
    assert n_hooks(model) == 0


def test_a_forward_that_fails_leaves_no_hooks_and_no_complete_entry(model: Any) -> None:
    recorder = GeluRecorder(model)
    with pytest.raises(IndexError), recorder:
        model(torch.tensor([[10_000]]))
    assert n_hooks(model) == 0
    with pytest.raises(LookupError):
        recorder.take()


def test_another_architecture_is_a_lookup_error() -> None:
    with pytest.raises(LookupError, match="Linear"):
        GeluRecorder(nn.Linear(2, 2))


def test_an_unknown_keep_is_refused(model: Any) -> None:
    with pytest.raises(ValueError, match="keep"):
        GeluRecorder(model, keep="all")  # type: ignore[arg-type]


@pytest.mark.parametrize("function", ["gelu", "relu", "silu"])
def test_other_activation_functions_are_recorded_as_they_are(tmp_path: Path, function: str) -> None:
    model = save_gpt2(tmp_path / "m", activation_function=function)
    with torch.no_grad(), GeluRecorder(model, keep="value") as recorder:
        model(IDS)
    own = {"gelu": nn.GELU(), "relu": nn.ReLU(), "silu": nn.SiLU()}[function]
    assert torch.allclose(recorder.take(), own(plain_preactivations(model, IDS)), atol=1e-6)
