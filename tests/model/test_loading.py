"""What `--model_type` names, geometry without weights, and refusing models that would mislead."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from gelu.errors import UserError
from gelu.model.config import geometry_from_config, read_geometry
from gelu.model.loading import load_model
from gelu.model.source import artifact_name, find_model
from gelu.model.tokenizer import encode_text, load_tokenizer
from gelu.neurons import Geometry
from tests.helpers import ROOT, save_gpt2, user_error


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / "tiny model"
    save_gpt2(path)
    return path


@pytest.fixture
def copied(folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(folder, tmp_path / "copied"))


def test_the_four_sizes_are_known_without_torch_or_network() -> None:
    code = (
        "import sys; sys.modules['torch'] = sys.modules['huggingface_hub'] = None\n"
        "from gelu.model.config import read_geometry\nfrom gelu.model.source import find_model\n"
        "for n in ('gpt2', 'gpt2-medium', 'gpt2-large', 'gpt2-xl'):\n"
        "    g = read_geometry(find_model(n)); print(g.n_layer, g.d_mlp, g.n_neurons)"
    )
    output = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    ).stdout
    assert output.split("\n")[:4] == [
        "12 3072 36864",
        "24 4096 98304",
        "36 5120 184320",
        "48 6400 307200",
    ]


def test_geometry_of_a_folder_needs_its_config_alone(tmp_path: Path) -> None:
    config = {"model_type": "gpt2", "n_layer": 5, "n_embd": 8, "n_positions": 32}
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert read_geometry(find_model(str(tmp_path))) == Geometry(5, 8, 32, 32, 50257)
    (tmp_path / "config.json").write_text(json.dumps(config | {"n_inner": 20, "vocab_size": 9}))
    assert read_geometry(find_model(str(tmp_path))) == Geometry(5, 8, 20, 32, 9)


@pytest.mark.parametrize("value", [0, -1, 1.5, "12", True])
def test_geometry_must_be_whole_positive_numbers(value: object) -> None:
    with pytest.raises(UserError, match="n_layer"):
        geometry_from_config({"model_type": "gpt2", "n_layer": value})


def test_names() -> None:
    assert artifact_name("EleutherAI/pythia-70m") == "EleutherAI_pythia-70m"
    assert artifact_name("Modell ü/1") == "Modell___1"
    assert find_model("gpt2-xl").hub_id == "gpt2-xl"
    assert find_model("gpt2-demo").folder == ROOT / "models" / "gpt2-demo"
    assert find_model("someone/gpt2-small").name == "someone_gpt2-small"


def test_a_folder_is_named_by_its_last_part(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert find_model(f"{folder}/").name == "tiny_model"
    monkeypatch.chdir(folder)
    assert find_model(".").name == "tiny_model"


def test_a_folder_called_gpt2_does_not_hide_the_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "gpt2").mkdir()
    monkeypatch.chdir(tmp_path)
    assert find_model("gpt2").hub_id == "gpt2"
    assert find_model("./gpt2").folder == (tmp_path / "gpt2").resolve()


@pytest.mark.parametrize("name", ["", "no/such/folder", "../nowhere", "a b"])
def test_a_missing_folder_is_said(name: str) -> None:
    with pytest.raises(UserError, match="no such folder"):
        find_model(name)


def test_an_unreachable_hub_is_one_line_with_a_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    line = user_error("b_trace_gelu_activations.py", "--output_dir", tmp_path / "out")
    assert "tried the hub and the local cache for model 'gpt2'" in line
    assert "--model_type gpt2-demo or a local folder works offline" in line
    assert not (tmp_path / "out").exists()


def test_a_cached_hub_model_loads_without_the_hub(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The cache as the hub client lays it out: refs/main names the snapshot.
    repository = tmp_path / "hub" / "models--gpt2"
    shutil.copytree(folder, repository / "snapshots" / ("0" * 40))
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("0" * 40)
    environment = os.environ | {"HF_HOME": str(tmp_path), "HF_HUB_OFFLINE": "1"}
    code = (
        "from gelu.model.loading import load_model\nfrom gelu.model.source import find_model\n"
        "from gelu.model.tokenizer import load_tokenizer\n"
        "source = find_model('gpt2'); model = load_model(source, 'cpu')\n"
        "print(len(model.transformer.h), len(load_tokenizer(source).encode('abc').ids))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
        env=environment,
    )
    assert result.stdout.split() == ["3", "3"]


def test_weights_load_as_saved_in_float32(folder: Path) -> None:
    model = load_model(find_model(str(folder)), "cpu")
    saved = load_file(folder / "model.safetensors")
    assert model.dtype == torch.float32 and not model.training
    for name, tensor in saved.items():
        assert torch.equal(model.state_dict()[name], tensor), name


def test_half_precision_weights_load_as_float32(folder: Path, copied: Path) -> None:
    tensors = load_file(folder / "model.safetensors")
    halves = {name: tensor.half() for name, tensor in tensors.items()}
    save_file(halves, copied / "model.safetensors", metadata={"format": "pt"})
    model = load_model(find_model(str(copied)), "cpu")
    assert model.dtype == torch.float32
    name = "transformer.h.0.mlp.c_fc.weight"
    assert torch.equal(model.state_dict()[name], halves[name].float())


def test_a_pytorch_pickle_is_read_where_there_is_nothing_else(folder: Path, copied: Path) -> None:
    tensors = load_file(folder / "model.safetensors")
    (copied / "model.safetensors").unlink()
    torch.save(tensors, copied / "pytorch_model.bin")
    model = load_model(find_model(str(copied)), "cpu")
    name = "transformer.h.1.mlp.c_proj.weight"
    assert torch.equal(model.state_dict()[name], tensors[name])


def test_an_old_pytorch_pickle_is_read_too(folder: Path, copied: Path) -> None:
    tensors = load_file(folder / "model.safetensors")
    (copied / "model.safetensors").unlink()
    torch.save(tensors, copied / "pytorch_model.bin", _use_new_zipfile_serialization=False)
    check_loads(copied, tensors)


@pytest.mark.parametrize("ending", ["safetensors", "bin"])
def test_weights_in_several_files_are_put_together(ending: str, folder: Path, copied: Path) -> None:
    tensors = load_file(folder / "model.safetensors")
    (copied / "model.safetensors").unlink()
    stem = "model" if ending == "safetensors" else "pytorch_model"
    parts = [f"{stem}-0000{number}-of-00003.{ending}" for number in (1, 2, 3)]
    of = {name: parts[number % 3] for number, name in enumerate(sorted(tensors))}
    for part in parts:
        within = {name: tensor for name, tensor in tensors.items() if of[name] == part}
        (save_file if ending == "safetensors" else torch.save)(within, copied / part)
    index = copied / f"{stem}.{ending}.index.json"
    index.write_text(json.dumps({"metadata": {"total_size": 1}, "weight_map": of}))
    check_loads(copied, tensors)
    (copied / parts[1]).unlink()
    with pytest.raises(UserError, match=f"names '{parts[1]}', which is not a file beside it"):
        load_model(find_model(str(copied)), "cpu")


def test_the_first_gpt2_checkpoints_are_read(folder: Path, copied: Path) -> None:
    # Names without "transformer.", causal masks among the weights, no head, vocab.json, merges.txt.
    tensors = load_file(folder / "model.safetensors")
    bare = {name.removeprefix("transformer."): tensor for name, tensor in tensors.items()}
    for layer in range(3):
        bare[f"h.{layer}.attn.bias"] = torch.ones(1, 1, 64, 64).tril()
        bare[f"h.{layer}.attn.masked_bias"] = torch.tensor(-1e4)
    bare.pop("lm_head.weight", None)
    save_file(bare, copied / "model.safetensors")
    check_loads(copied, tensors)
    whole = load_tokenizer(find_model(str(copied)))
    model = json.loads((copied / "tokenizer.json").read_text())["model"]
    (copied / "tokenizer.json").unlink()
    (copied / "vocab.json").write_text(json.dumps(whole.get_vocab()))
    merges = [" ".join(pair) for pair in model["merges"]]
    (copied / "merges.txt").write_text("\n".join(["#version: 0.2", *merges]) + "\n")
    for text in ("I think", " a\n\nb ", "é 🎉<|endoftext|>x"):
        ids = load_tokenizer(find_model(str(copied))).encode(text, add_special_tokens=False).ids
        assert ids == whole.encode(text, add_special_tokens=False).ids


def check_loads(folder: Path, tensors: dict[str, torch.Tensor]) -> None:
    state = load_model(find_model(str(folder)), "cpu").state_dict()
    assert all(torch.equal(state[name], tensor) for name, tensor in tensors.items())


def test_a_missing_tensor_is_refused_not_filled_in(folder: Path, copied: Path) -> None:
    tensors = load_file(folder / "model.safetensors")
    del tensors["transformer.h.1.mlp.c_fc.weight"]
    save_file(tensors, copied / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(UserError, match=r"lack or misshape 1 tensors.*h\.1\.mlp\.c_fc\.weight"):
        load_model(find_model(str(copied)), "cpu")


def test_layers_that_the_weights_lack_are_refused_before_the_model_is_built(
    copied: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = json.loads((copied / "config.json").read_text())
    (copied / "config.json").write_text(json.dumps(config | {"n_layer": 1000, "n_inner": 1 << 20}))
    monkeypatch.setattr("gelu.model.load_gpt2.GPT2", None)
    with pytest.raises(UserError, match=r"there are 1000 layers, the weights have no layer 999"):
        load_model(find_model(str(copied)), "cpu")


def test_weights_of_another_shape_are_refused(copied: Path) -> None:
    config = json.loads((copied / "config.json").read_text())
    (copied / "config.json").write_text(json.dumps(config | {"n_inner": 32}))
    with pytest.raises(UserError, match="copied"):
        load_model(find_model(str(copied)), "cpu")


def test_heads_that_do_not_share_the_width_are_refused(copied: Path) -> None:
    config = json.loads((copied / "config.json").read_text())
    (copied / "config.json").write_text(json.dumps(config | {"n_head": 3}))
    with pytest.raises(UserError, match=r"config\.json: .*3"):
        load_model(find_model(str(copied)), "cpu")


def test_cut_weights_are_refused(copied: Path) -> None:
    path = copied / "model.safetensors"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(UserError, match="weights cannot be loaded"):
        load_model(find_model(str(copied)), "cpu")


def test_a_tokenizer_of_another_model_is_noticed(folder: Path) -> None:
    tokenizer = load_tokenizer(find_model(str(folder)))
    geometry = Geometry(3, 16, 64, 64, vocab_size=tokenizer.get_vocab_size() - 1)
    assert len(encode_text(tokenizer, "abc", geometry, "--input_text")) == 3
    with pytest.raises(UserError, match="--input_text: the tokenizer makes token 256"):
        encode_text(tokenizer, "abc<|endoftext|>", geometry, "--input_text")


def test_a_folder_without_weights_or_tokenizer_is_refused(copied: Path) -> None:
    (copied / "model.safetensors").unlink()
    with pytest.raises(UserError, match="no weights found"):
        load_model(find_model(str(copied)), "cpu")
    (copied / "tokenizer.json").unlink()
    with pytest.raises(UserError, match="no tokenizer"):
        load_tokenizer(find_model(str(copied)))


@pytest.mark.parametrize("text", ["{", "[]", '{"model_type": "llama"}'])
def test_another_architecture_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(UserError, match=r"config\.json"):
        read_geometry(find_model(str(tmp_path)))
