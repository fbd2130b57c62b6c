"""What every user of `gpt2` runs first: finding a model on a hub, downloading and caching it.

The hub is our own (tests/hub.py) on the loopback address; scripts run as a person runs them.
"""

import json
import os
import pickle
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from tqdm import tqdm

from gelu.model import download
from tests import ranks
from tests.families import save_family
from tests.forks import Forks, Started
from tests.helpers import run_script, save_gpt2, write_prompts
from tests.hub import LIFETIME, Fault, Hub, git_hash
from tests.mutations import no_hang

WEIGHTS = "model.safetensors"
NEW, OLD = "openai-community/gpt2", "gpt2"
TRACE = ("b_trace_gelu_activations.py", "--input_text", "I think", "--device", "cpu")
NEEDED = {"config.json", "tokenizer.json", WEIGHTS}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of 5 MB with gpt2's neurons, in all formats; those not ours cannot be read."""
    path = tmp_path_factory.mktemp("repository") / "gpt2"
    save_gpt2(path, n_layer=12, n_inner=3072, n_positions=1024)
    for name in ("pytorch_model.bin", "tf_model.h5", "flax_model.msgpack", "onnx/model.onnx"):
        (path / name).parent.mkdir(exist_ok=True)
        (path / name).write_bytes(b"not asked for")
    for name in ("vocab.json", "merges.txt", "README.md", ".gitattributes"):
        (path / name).write_text("not asked for")
    return path


@pytest.fixture(scope="module")
def forks() -> Iterator[Forks]:
    # All that the scripts import, but for the hub client: it reads its settings then.
    libraries = (
        "torch",
        "pandas",
        "tokenizers",
        "httpx2",
        "httpcore2",
        "tqdm.auto",
        "yaml",
        "filelock",
    )
    with Forks(
        [*libraries, "gelu.model.gpt2", "gelu.artifacts", "gelu.model.loading", "tests.hasty"]
    ) as running:
        yield running


@pytest.fixture
def hub(folder: Path) -> Iterator[Hub]:
    with Hub({NEW: folder}, renamed={OLD: NEW}) as running:
        yield running


@pytest.fixture(autouse=True)
def home(hub: Hub, forks: Forks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's settings: this hub, an empty cache, no proxy, no token."""
    for name in list(os.environ):
        if name.lower().endswith("_proxy") or name.startswith("HF_"):
            monkeypatch.delenv(name)
    settings = {
        "HF_ENDPOINT": hub.endpoint,
        "HF_HOME": str(tmp_path / "home"),
        "HF_HUB_ETAG_TIMEOUT": "1",
        "HF_HUB_DOWNLOAD_TIMEOUT": "1",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    return tmp_path / "home"


class Trace:
    """Traces a text through models of the hub."""

    def __init__(self, forks: Forks, folder: Path) -> None:
        self.forks, self.folder = forks, folder

    def __call__(self, model: str | Path = OLD, check: bool = True) -> Any:
        """Trace with a model."""
        result = self.start(model).end()
        assert not check or result.returncode == 0, result.stderr
        return result

    def start(self, model: str | Path = OLD, out: str = "out") -> Started:
        """Begin to trace with a model."""
        more = ("--model_type", model, "--output_dir", self.folder / out)
        return self.forks.start(*TRACE, *more)

    def refused(self, model: str = OLD) -> str:
        """Trace, which must fail in time and with one line under a bar that is gone."""
        began = time.monotonic()
        line = one_line(self(model, check=False), 2)
        assert time.monotonic() - began < 30
        assert line.startswith(f"error: --model_type {model}: "), line
        return line


@pytest.fixture
def trace(forks: Forks, tmp_path: Path) -> Trace:
    return Trace(forks, tmp_path)


def one_line(result: Any, code: int) -> str:
    """Return what a terminal shows of stderr in the end, which is one line and no traceback."""
    assert result.returncode == code, (result.returncode, result.stderr)
    shown = [line for line in map(shown_of, result.stderr.split("\n")) if line.strip()]
    assert len(shown) == 1, result.stderr
    for secret in ("Traceback", "snapshots", "hf_secret"):
        assert secret not in result.stderr
    return shown[0]


def shown_of(line: str) -> str:
    """Return what a terminal shows of a line with carriage returns: later text over earlier."""
    shown = ""
    for part in line.split("\r"):
        shown = part + shown[len(part) :]
    return shown


def repository(home: Path, model: str = OLD) -> Path:
    return home / "hub" / f"models--{model.replace('/', '--')}"


def partials(home: Path) -> list[Path]:
    return list(repository(home).glob("blobs/*.incomplete"))


def cached_weights(home: Path, model: str = OLD) -> Path:
    return next(repository(home, model).glob(f"snapshots/*/{WEIGHTS}"))


def expected(trace: Trace, folder: Path) -> bytes:
    """Return what the trace writes of the same model in a folder."""
    result = trace.start(folder, "expected").end()
    assert result.returncode == 0, result.stderr
    return (trace.folder / "expected" / "gpt2_activations.pkl").read_bytes()


def test_gpt2_is_downloaded_once_and_then_needs_no_hub(
    trace: Trace,
    hub: Hub,
    home: Path,
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first = trace()
    assert hub.sent() == NEEDED
    size = (folder / WEIGHTS).stat().st_size
    bar = shown_of(first.stderr.rstrip("\n"))
    assert bar.startswith("downloading gpt2: 100%") and "B/s" in bar, first.stderr
    assert f"{size / 1e6:.2f}M/{size / 1e6:.2f}M" in bar
    written = (tmp_path / "out" / "gpt2_activations.pkl").read_bytes()
    assert written == expected(trace, folder)
    asked = len(hub.requests)
    more = ("--model_type", OLD, "--output_dir", tmp_path / "out")
    assert run_script(*TRACE, *more).stderr == ""
    assert len(hub.requests) == asked
    hub.stop()
    assert trace().stdout == first.stdout
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert trace().stdout == first.stdout
    assert cached_weights(home).read_bytes() == (folder / WEIGHTS).read_bytes()
    assert not partials(home)


def test_the_name_is_the_one_that_was_typed(
    trace: Trace, hub: Hub, home: Path, tmp_path: Path
) -> None:
    result = trace(NEW)
    assert "openai-community_gpt2_activations.pkl" in result.stdout
    assert cached_weights(home, NEW).is_file()
    assert hub.sent() == NEEDED


def test_scripts_download_no_more_than_they_need(
    hub: Hub, forks: Forks, folder: Path, tmp_path: Path
) -> None:
    save_gpt2(tmp_path / "small")
    config = (tmp_path / "small" / "config.json").read_bytes()
    hub.files["someone/small"] = hub.files[NEW] | {"config.json": config}
    name = ("--model_type", "someone/small")
    forks.run("a_generate_gelu_graph.py", *name, "--output_dir", tmp_path)
    assert hub.sent() == {"config.json"}
    forks.run(
        *("visualize_gelu_graph.py", *name, "--graph_dir", tmp_path),
        *("--activation_file", activations_file(tmp_path), "--output_dir", tmp_path),
    )
    assert hub.sent() == {"config.json"}


def activations_file(tmp_path: Path) -> Path:
    """Return a trace of a model with 3 x 64 neurons, ten of them active."""
    path = tmp_path / "some_activations.pkl"
    path.write_bytes(pickle.dumps((np.arange(192) < 10).astype(np.uint8)))
    return path


def test_the_client_finds_our_cache_whole(
    trace: Trace, hub: Hub, home: Path, tmp_path: Path
) -> None:
    trace()
    hf = Path(sys.executable).parent / "hf"
    assert "3 file(s)" in command_output(hf, "cache", "verify", OLD)
    assert "gpt2" in command_output(hf, "cache", "ls")
    load = (
        f"import huggingface_hub as h; print(h.snapshot_download('{OLD}', local_files_only=True))"
    )
    hub.stop()
    snapshot = Path(command_output(sys.executable, "-c", load).strip())
    assert {path.name for path in snapshot.iterdir()} == NEEDED
    command_output(hf, "cache", "rm", "model/gpt2", "--yes")
    assert not repository(home).exists()


def command_output(*command: object) -> str:
    result = subprocess.run(
        list(map(str, command)), capture_output=True, text=True, check=False, timeout=LIFETIME
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_a_connection_that_is_cut_once_is_taken_up_again(
    trace: Trace, hub: Hub, home: Path, folder: Path, tmp_path: Path
) -> None:
    hub.faults.append(Fault("cut", WEIGHTS, host="cdn", times=1))
    trace()
    ranges = [one.headers["Range"] for one in hub.requests if one.host == "cdn"]
    assert ranges == [None, f"bytes={(folder / WEIGHTS).stat().st_size // 2}-"]
    assert cached_weights(home).read_bytes() == (folder / WEIGHTS).read_bytes()


@pytest.mark.parametrize("kind", ["cut", "stall", "no_range"])
def test_a_download_that_breaks_goes_on_in_the_next_run(
    trace: Trace, kind: str, hub: Hub, home: Path, folder: Path, tmp_path: Path
) -> None:
    hub.faults.append(Fault(kind, WEIGHTS, host="cdn"))
    line = trace.refused()
    assert "run the command again, a download goes on where it stopped" in line
    assert ("was silent for 1 s" if kind == "stall" else "broke") in line
    half = (folder / WEIGHTS).stat().st_size // 2
    assert [path.stat().st_size for path in partials(home)] == [half]
    hub.faults.clear()
    hub.requests.clear()
    trace()
    assert [one.headers["Range"] for one in hub.requests if one.host == "cdn"] == [f"bytes={half}-"]
    assert cached_weights(home).read_bytes() == (folder / WEIGHTS).read_bytes()
    assert not partials(home)


@pytest.mark.parametrize("kind", ["garbage", "short", "long", "html"])
@pytest.mark.parametrize("file", [WEIGHTS, "tokenizer.json"])
def test_wrong_bytes_are_removed(
    trace: Trace, kind: str, file: str, hub: Hub, home: Path, folder: Path, tmp_path: Path
) -> None:
    host = "cdn" if file == WEIGHTS else "hub"
    hub.faults.append(Fault(kind, file, host, "GET"))
    line = trace.refused()
    assert file in line and "wrong bytes came and were removed; run the command again" in line
    assert not partials(home)
    hub.faults.clear()
    trace()
    assert cached_weights(home).read_bytes() == (folder / WEIGHTS).read_bytes()


@pytest.mark.parametrize("host", ["hub", "cdn"])
def test_a_silent_server_is_not_waited_for(
    trace: Trace, host: str, hub: Hub, tmp_path: Path
) -> None:
    hub.faults.append(Fault("silent", host=host))
    line = trace.refused()
    assert "was silent for 1 s" in line and "HF_HUB_DOWNLOAD_TIMEOUT" in line


def test_an_unreachable_hub_is_one_line(trace: Trace, hub: Hub, tmp_path: Path) -> None:
    hub.stop()
    line = trace.refused()
    assert f"{hub.endpoint} cannot be reached" in line
    assert "--model_type gpt2-demo or a local folder works offline" in line


def test_a_cached_model_waits_for_no_silent_hub(trace: Trace, hub: Hub, tmp_path: Path) -> None:
    trace()
    hub.faults.append(Fault("silent"))
    asked = len(hub.requests)
    trace()
    assert len(hub.requests) == asked


@pytest.mark.parametrize("token", ["", "hf_secret"])
def test_a_gated_model_says_how_to_get_it(
    trace: Trace, token: str, hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", token)
    hub.gated = (NEW,)
    line = trace.refused(NEW)
    assert f"accept the licence at {hub.endpoint}/{NEW}" in line and "`hf auth login`" in line


@pytest.mark.parametrize("token", ["", "hf_secret"])
def test_an_unknown_model_says_to_check_the_name(
    trace: Trace, token: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", token)
    line = trace.refused("gpt3")
    assert "has no model of this name, or it is private: check the name" in line
    assert "`hf auth login`" in line and "HF_TOKEN" in line


def test_a_token_opens_a_private_model_and_goes_to_the_hub_alone(
    trace: Trace, hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.tokens[NEW] = "hf_secret"
    trace.refused()
    hub.requests.clear()
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    result = trace()
    assert "hf_secret" not in result.stdout + result.stderr
    sent = {one.headers["Authorization"] for one in hub.requests if one.host == "hub"}
    assert sent == {"Bearer hf_secret"}
    elsewhere = [one.headers["Authorization"] for one in hub.requests if one.host == "cdn"]
    assert elsewhere == [None]


@pytest.mark.parametrize("token", ["hf_expired", "hf_secrét", "hf_secret\x07"])
def test_a_token_that_is_none_is_not_shown(
    trace: Trace, token: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", token)
    result = trace(check=False)
    assert "HF_TOKEN" in one_line(result, 2)
    assert token[:8] not in result.stderr


def test_a_hub_in_trouble_is_asked_again(trace: Trace, hub: Hub, tmp_path: Path) -> None:
    hub.faults.append(Fault("status", status=503, times=1))
    hub.faults.append(Fault("status", WEIGHTS, host="cdn", status=500, times=1))
    hub.faults.append(Fault("status", status=429, headers={"Retry-After": "1"}, times=1))
    trace()


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (Fault("status", status=500), "has trouble of its own (500); run the command again later"),
        (
            Fault("status", status=503, headers={"Retry-After": "1"}),
            "(503); run the command again in 1 seconds",
        ),
        (
            Fault("status", status=429, headers={"Retry-After": "3600"}),
            "too many requests from here (429); run the command again in 3,600 seconds",
        ),
        (
            Fault("status", status=429, headers={"RateLimit": '"resolvers";r=0;t=200'}),
            "too many requests from here (429); run the command again in 200 seconds",
        ),
        (Fault("status", status=403), "the hub refuses access (403)"),
        (Fault("status", status=404), "has no model of this name"),
        (Fault("status", status=418), "answered 418"),
        (
            Fault("status", status=429, headers={"RateLimit": f'"x";r=0;t={"9" * 5000}'}),
            "does not answer as the hub does (its answer holds what cannot be read",
        ),
        (
            Fault("status", status=503, headers={"RateLimit": f'"x";r=0;t={"9" * 5000}'}),
            "has trouble of its own (503)",
        ),
        (Fault("html"), "does not answer as the hub does (its answer has no X-Repo-Commit)"),
        (Fault("no_commit"), "does not answer as the hub does (its answer has no X-Repo-Commit)"),
        (Fault("status", WEIGHTS, "cdn", status=403), "the hub refuses access (403)"),
        (
            Fault("status", WEIGHTS, "cdn", status=403, body=b"[]"),  # JSON, but not the hub's
            "the hub refuses access (403)",
        ),
        (
            Fault("status", "config.json", method="GET", status=304),
            "does not answer as the hub does (it answers 304 where a file was asked for)",
        ),
    ],
)
def test_an_answer_that_is_no_file_is_explained(
    trace: Trace, fault: Fault, said: str, hub: Hub, tmp_path: Path
) -> None:
    hub.faults.append(fault)
    line = trace.refused()
    assert said in line


NO_ADDRESSES = {
    "port above all": "http://127.0.0.1:99999/",
    "port of letters": "http://127.0.0.1:abc/",
    "port below 0": "http://127.0.0.1:-1/",
    "open bracket": "http://[::1",
    "empty label": "http://a..b/",
    "long label": f"http://{'a' * 300}/",
}


@pytest.mark.parametrize("method", ["", "GET"])
@pytest.mark.parametrize("address", NO_ADDRESSES.values(), ids=NO_ADDRESSES)
def test_a_redirect_to_no_address_is_one_line(
    trace: Trace, address: str, method: str, hub: Hub
) -> None:
    headers = {"Location": address, "X-Repo-Commit": "a" * 40, "ETag": f'"{"b" * 40}"'}
    hub.faults.append(Fault("status", "config.json", "hub", method, status=302, headers=headers))
    assert f"{hub.endpoint} does not answer as the hub does (it" in trace.refused()


@pytest.mark.parametrize("hostile", ["../../../../escaped", "0" * 39 + "/", "A" * 40])
def test_no_header_leads_out_of_the_cache(
    trace: Trace, hostile: str, hub: Hub, tmp_path: Path
) -> None:
    headers = {"X-Repo-Commit": hostile, "ETag": '"abc"'}
    hub.faults.append(Fault("status", status=200, headers=headers))
    assert "does not answer as the hub does" in trace.refused()
    hub.faults[:] = [
        Fault("status", status=200, headers={"X-Repo-Commit": "0" * 40, "ETag": f'"{hostile}/"'})
    ]
    assert "does not answer as the hub does" in trace.refused()
    assert not list(tmp_path.rglob("*escaped*"))


@pytest.mark.parametrize("missing", ["config.json", "tokenizer.json", WEIGHTS])
def test_a_repository_without_a_file_is_named_as_it_was_typed(
    trace: Trace, missing: str, hub: Hub, folder: Path, tmp_path: Path
) -> None:
    files = dict(hub.files[NEW])
    for name in {missing, "vocab.json", "pytorch_model.bin"}:
        del files[name]
    hub.files["someone/gpt2"] = files
    line = trace.refused("someone/gpt2")
    what = {"config.json": "no config.json", "tokenizer.json": "no tokenizer"}
    assert what.get(missing, "no weights found") in line
    assert re.search(r"[0-9a-f]{40}", line) is None


@pytest.mark.parametrize("config", ['{"model_type": "llama"}', "{", '{"model_type": "gpt2"}'])
def test_a_repository_of_another_architecture_is_named(
    trace: Trace, config: str, hub: Hub, tmp_path: Path
) -> None:
    if "gpt2" in config:
        config = json.dumps({"model_type": "gpt2", "n_layer": -1})
    hub.files["someone/other"] = hub.files[NEW] | {"config.json": config.encode()}
    line = trace.refused("someone/other")
    assert "config.json" in line and re.search(r"[0-9a-f]{40}", line) is None


def test_a_pickle_is_downloaded_where_there_is_nothing_else(
    trace: Trace, hub: Hub, folder: Path, tmp_path: Path
) -> None:
    pickled = tmp_path / "pickled"
    shutil.copytree(folder, pickled)
    torch.save(load_file(folder / WEIGHTS), pickled / "pytorch_model.bin")
    (pickled / WEIGHTS).unlink()
    hub.files["someone/old"] = {
        path.name: path.read_bytes() for path in pickled.iterdir() if path.is_file()
    }
    first = trace("someone/old")
    assert hub.sent() == NEEDED - {WEIGHTS} | {"pytorch_model.bin"}
    hub.stop()
    began = time.monotonic()
    assert trace("someone/old").stdout == first.stdout
    assert time.monotonic() - began < 20


def repository_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_other_families_come_from_the_hub_too(trace: Trace, hub: Hub, tmp_path: Path) -> None:
    save_family(tmp_path / "llama", "llama")
    hub.files["someone/llama"] = repository_of(tmp_path / "llama") | {"modeling.py": b"1/0"}
    first = trace("someone/llama")
    assert "layer 1: " in first.stdout
    assert hub.sent() == NEEDED
    hub.stop()
    assert trace("someone/llama").stdout == first.stdout
    assert trace(tmp_path / "llama").stdout.split("\n")[:3] == first.stdout.split("\n")[:3]


def test_a_family_whose_repository_has_neither_safetensors_nor_a_whole_tokenizer(
    trace: Trace, hub: Hub, tmp_path: Path
) -> None:
    folder = tmp_path / "opt"
    save_family(folder, "opt")
    torch.save(load_file(folder / WEIGHTS), folder / "pytorch_model.bin")
    Tokenizer.from_file(str(folder / "tokenizer.json")).model.save(str(folder))
    for name in (WEIGHTS, "tokenizer.json"):
        (folder / name).unlink()
    settings = {"tokenizer_class": "GPT2Tokenizer", "bos_token": "!", "add_bos_token": True}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    hub.files["facebook/opt"] = repository_of(folder)
    first = trace("facebook/opt")
    assert {"pytorch_model.bin", "vocab.json", "merges.txt"} <= hub.sent()
    hub.stop()
    assert trace("facebook/opt").stdout == first.stdout


def test_weights_in_several_files_come_under_one_bar(
    trace: Trace, hub: Hub, home: Path, folder: Path, tmp_path: Path
) -> None:
    tensors = load_file(folder / WEIGHTS)
    parts = [f"model-0000{number}-of-00002.safetensors" for number in (1, 2)]
    of = {name: parts[number % 2] for number, name in enumerate(sorted(tensors))}
    files = {name: text for name, text in hub.files[NEW].items() if name != WEIGHTS}
    for part in parts:
        within = {name: tensor for name, tensor in tensors.items() if of[name] == part}
        save_file(within, tmp_path / part)
        files[part] = (tmp_path / part).read_bytes()
    files[f"{WEIGHTS}.index.json"] = json.dumps({"weight_map": of}).encode()
    hub.files["someone/parts"] = files
    hub.faults.append(Fault("cut", parts[1], host="cdn", times=1))
    result = trace("someone/parts")
    total = sum(len(files[part]) for part in parts) / 1e6
    assert f"{total:.2f}M/{total:.2f}M" in result.stderr
    assert hub.sent() == NEEDED - {WEIGHTS} | {f"{WEIGHTS}.index.json", *parts}
    written = (tmp_path / "out" / "someone_parts_activations.pkl").read_bytes()
    assert written == expected(trace, folder)


def test_damaged_weights_in_the_cache_are_named_with_the_way_to_be_rid_of_them(
    trace: Trace, hub: Hub, home: Path, folder: Path, tmp_path: Path
) -> None:
    trace()
    weights = cached_weights(home)
    whole = weights.read_bytes()
    weights.write_bytes(b"\xff" * 100 + whole[100:])
    line = trace.refused()
    assert "weights cannot be loaded" in line and "`hf cache rm model/gpt2`" in line
    # A header that can be read, and other numbers: only the hash tells.
    weights.write_bytes(whole[:-4] + b"\x00\x00\x00\x40")
    prompts = tmp_path / "prompts.csv"
    prompts.write_text("prompts,number_of_new_tokens,num_samples\nI,1,1\n")
    arguments = ("--input_csv", prompts, "--export_dir", tmp_path / "dataset", "--device", "cpu")
    script = "generate_activation_dataset.py"
    result = trace.forks.run(script, *arguments, "--model_type", OLD, check=False)
    line = one_line(result, 2)
    assert "not what the hub stated (SHA-256)" in line and "`hf cache rm model/gpt2`" in line
    shutil.rmtree(repository(home))
    trace()
    assert cached_weights(home).read_bytes() == whole


@pytest.mark.parametrize("file", ["config.json", "tokenizer.json"])
def test_other_damage_in_the_cache_is_named_too(
    trace: Trace, file: str, hub: Hub, home: Path, tmp_path: Path
) -> None:
    trace()
    next(repository(home).glob(f"snapshots/*/{file}")).write_bytes(b"<html>")
    assert "`hf cache rm model/gpt2`" in trace.refused()


def test_ctrl_c_is_one_line_and_the_next_run_goes_on(
    trace: Trace, hub: Hub, home: Path, folder: Path, tmp_path: Path
) -> None:
    hub.faults.append(Fault("slow", WEIGHTS, host="cdn"))
    run = trace.start()
    wait_for(lambda: any(path.stat().st_size > 300_000 for path in partials(home)))
    os.kill(run.number, signal.SIGINT)
    line = one_line(run.end(), 130)
    assert (
        line == "interrupted: the same command goes on with the download of gpt2 where it stopped"
    )
    (partial,) = partials(home)
    came = partial.stat().st_size
    assert 300_000 <= came < (folder / WEIGHTS).stat().st_size
    hub.faults.clear()
    hub.requests.clear()
    trace()
    ranges = [one.headers["Range"] for one in hub.requests if one.host == "cdn"]
    assert ranges == [f"bytes={came}-"]
    assert cached_weights(home).read_bytes() == (folder / WEIGHTS).read_bytes()


def wait_for(condition: Any, seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_of_two_processes_one_downloads(
    trace: Trace, hub: Hub, home: Path, folder: Path, tmp_path: Path
) -> None:
    hub.faults.append(Fault("slow", WEIGHTS, host="cdn"))
    for run in [trace.start(out=number) for number in ("1", "2")]:
        result = run.end()
        assert result.returncode == 0 and "downloading gpt2: 100%" in result.stderr, result.stderr
    assert len([one for one in hub.requests if one.host == "cdn"]) == 1
    assert cached_weights(home).read_bytes() == (folder / WEIGHTS).read_bytes()


def test_a_killed_process_holds_nobody_up(
    trace: Trace, hub: Hub, home: Path, tmp_path: Path
) -> None:
    hub.faults.append(Fault("slow", WEIGHTS, host="cdn", times=1))
    run = trace.start()
    wait_for(lambda: any(path.stat().st_size > 300_000 for path in partials(home)))
    os.kill(run.number, signal.SIGKILL)
    run.end()
    trace()
    assert [bool(one.headers["Range"]) for one in hub.requests if one.host == "cdn"] == [
        False,
        True,
    ]


def test_of_several_processes_one_downloads(
    hub: Hub, forks: Forks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prompts = write_prompts(tmp_path / "prompts.csv", ("I", 2, 4))
    arguments = ("--model_type", OLD, "--input_csv", prompts, "--export_dir", tmp_path / "dataset")
    started = []
    for environment in ranks.environments(2):
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        more = ("--device", "cpu", "--edges", "none")
        started.append(forks.start("generate_activation_dataset.py", *arguments, *more))
    results = ended_in_time(started)
    told = "".join(result.stderr for result in results)
    assert [result.returncode for result in results] == [0, 0], told
    assert len([one for one in hub.requests if one.host == "cdn"]) == 1
    # One bar, drawn over and over on one line, unless the download is too short for one.
    assert sum("downloading gpt2" in line for line in told.split("\n")) <= 1
    run = json.loads((tmp_path / "dataset" / "gpt2_run.json").read_text())
    assert json.dumps(run).count(stated(hub)) == 1


def ended_in_time(started: list[Started]) -> list[Any]:
    """Wait for processes that talk to one another; none is left that waits for another in vain."""
    try:
        with no_hang(int(LIFETIME)):
            return [one.end() for one in started]
    except AssertionError:
        for one in started:
            with suppress(ProcessLookupError):
                os.kill(one.number, signal.SIGKILL)
        raise


def stated(hub: Hub) -> str:
    """Return the SHA-256 under which the hub sends the weights."""
    sent = next(one.path for one in hub.requests if one.host == "cdn")
    return sent[1:65]


def test_a_full_disk_is_said_before_the_download(trace: Trace, hub: Hub, home: Path) -> None:
    hub.faults.append(Fault("status", WEIGHTS, "hub", "HEAD", status=200, headers=huge(hub)))
    line = trace.refused()
    assert "1,152,921,504,606,846,976 bytes are to be downloaded" in line and "HF_HOME" in line
    assert WEIGHTS not in hub.sent()


def huge(hub: Hub) -> dict[str, str]:
    """Return the headers of weights of an exbibyte."""
    return {
        "X-Repo-Commit": hub.commit(NEW),
        "X-Linked-Etag": f'"{"a" * 64}"',
        "X-Linked-Size": str(1 << 60),
    }


@pytest.mark.parametrize("seconds", ["soon", "0.5", "-1", "9999999999", "9" * 5000])
def test_a_limit_that_is_no_number_is_refused(
    trace: Trace, seconds: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_DOWNLOAD_TIMEOUT", seconds)
    line = one_line(trace(check=False), 2)
    assert "HF_HUB_DOWNLOAD_TIMEOUT: whole numbers of seconds are needed" in line


@pytest.mark.parametrize("address", NO_ADDRESSES.values(), ids=NO_ADDRESSES)
def test_an_endpoint_that_is_no_address_is_named(
    trace: Trace, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", address)
    line = one_line(trace(check=False), 2)
    assert line.startswith(f"error: HF_ENDPOINT {address}: not an address ("), line
    assert line.endswith("mend or unset it")


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("ALL_PROXY", "socks5://127.0.0.1:9", "a SOCKS proxy needs the package socksio"),
        ("https_proxy", "socks5h://me:hf_secret@[::1]:9", "`pip install socksio`, or unset it"),
        ("http_proxy", "foo://x:1", "not an address of a proxy (http, https, socks5, socks5h)"),
        ("HTTP_PROXY", "http://me:hf_secret@127.0.0.1:abc", "not an address (host or port)"),
        ("all_proxy", "http://a..b", "not an address (host or port); mend or unset it"),
        ("http_proxy", "http://[::1", "not an address (host or port); mend or unset it"),
        ("SSL_CERT_FILE", "/nowhere", "no certificates can be read from there (No such file"),
        ("SSL_CERT_FILE", "/etc/passwd", "no certificates can be read from there ([X509: NO_C"),
    ],
)
def test_a_setting_of_the_way_that_cannot_be_used_is_named(
    trace: Trace, variable: str, value: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    line = one_line(trace(check=False), 2)
    assert line.startswith(f"error: {variable}: ") and said in line, line


def test_a_cached_second_choice_needs_no_proxy(
    trace: Trace, hub: Hub, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = dict(hub.files[NEW])
    vocabulary = json.loads(files.pop("tokenizer.json"))["model"]["vocab"]
    files |= {"vocab.json": json.dumps(vocabulary).encode(), "merges.txt": b"#version: 0.2\n"}
    hub.files["someone/old"] = files
    first = trace("someone/old").stdout
    shutil.rmtree(
        repository(home, "someone/old") / ".no_exist"
    )  # other programs leave no such mark
    monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:9")
    assert trace("someone/old").stdout == first


def test_a_proxy_that_is_not_used_needs_not_be_one(
    trace: Trace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "*")
    trace()


def test_a_hub_that_no_proxy_reaches_is_blamed_on_the_proxy_too(
    trace: Trace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    assert "check the connection and HF_ENDPOINT and http_proxy" in trace.refused()


def test_a_token_file_that_is_no_text_is_named(
    trace: Trace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "token"
    path.write_bytes(b"\xff\xfe")
    monkeypatch.setenv("HF_TOKEN_PATH", str(path))
    line = one_line(trace(check=False), 2)
    assert line.startswith(f"error: {path}: not a text file") and "mend HF_TOKEN_PATH" in line


def test_a_hub_that_states_no_sizes_will_do(
    trace: Trace, hub: Hub, home: Path, folder: Path
) -> None:
    hub.faults.append(Fault("unsized"))
    trace()
    assert cached_weights(home).read_bytes() == (folder / WEIGHTS).read_bytes()


def test_a_file_without_end_is_refused(trace: Trace, hub: Hub, home: Path) -> None:
    hub.faults.append(Fault("endless", "config.json"))
    line = trace.refused()
    assert "config.json is longer than 67,108,864 bytes, the most that such a file has" in line
    assert not partials(home)


def test_weights_without_end_are_refused(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert download.LARGEST_WEIGHTS > 10**10  # hub files are 10 GB at most, gpt2-xl's has 6.4
    monkeypatch.setattr(download, "LARGEST_WEIGHTS", 6_000_000)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    hub.faults.append(Fault("endless", WEIGHTS))
    remote = download.Remote(WEIGHTS, f"{hub.endpoint}/{NEW}/resolve/main/{WEIGHTS}", *[None] * 3)
    partial = tmp_path / "partial"
    with pytest.raises(download.WrongBytesError, match=r"longer than 6,000,000 bytes"):
        download.receive(remote, partial, download.Counted(tqdm(disable=True), 0))
    assert partial.stat().st_size <= 6_000_000


def test_a_small_file_of_a_large_size_is_not_asked_for(trace: Trace, hub: Hub) -> None:
    headers = {"X-Repo-Commit": "a" * 40, "ETag": '"abc"', "X-Linked-Size": "99999999"}
    hub.faults.append(Fault("status", "config.json", "hub", "HEAD", status=200, headers=headers))
    assert "it states 99,999,999 bytes for config.json" in trace.refused()
    assert "config.json" not in hub.sent()


def test_nothing_is_unpacked(trace: Trace, hub: Hub, home: Path) -> None:
    hub.faults.append(Fault("gzip", "config.json"))
    assert "it compresses (gzip) what was asked for as it is" in trace.refused()
    assert [path.stat().st_size for path in partials(home)] == [0]


@pytest.mark.parametrize("method", ["HEAD", "GET"])
def test_headers_that_drip_are_not_waited_for(trace: Trace, method: str, hub: Hub) -> None:
    hub.faults.append(Fault("drip_headers", "config.json", "hub", method))
    line = trace.refused()
    assert "is too slow (no whole answer within 6 s)" in line
    assert "set HF_HUB_ETAG_TIMEOUT and HF_HUB_DOWNLOAD_TIMEOUT above 1;" in line


@pytest.mark.parametrize("file", ["config.json", WEIGHTS])
def test_a_body_that_drips_is_not_waited_for(trace: Trace, file: str, hub: Hub, home: Path) -> None:
    hub.faults.append(Fault("drip", file))
    line = trace.refused()
    assert re.search(r"is too slow \((8|9|10|11|12) bytes in 3 s\)", line), line
    assert "a download goes on where it stopped" in line
    assert [path.stat().st_size > 0 for path in partials(home)] == [True]


def test_a_server_that_sends_crumbs_is_not_asked_for_ever(trace: Trace, hub: Hub) -> None:
    hub.faults.append(Fault("crumb", "config.json"))
    assert "broke" in trace.refused()
    asked = [one for one in hub.requests if one.file == "config.json" and one.method == "GET"]
    assert sum(one.path.startswith("/api/resolve-cache") for one in asked) == 3


@pytest.mark.parametrize("endpoint", ["hub.example", "http://", "http://127.0.0.1:1", "x://y"])
def test_an_endpoint_that_is_none_is_one_line(
    trace: Trace, endpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", endpoint)
    assert "check the connection and HF_ENDPOINT" in trace.refused()


@pytest.mark.parametrize("name", ["gpt2--x", "a.git", "a..b"])
def test_a_name_that_no_hub_has_is_refused(
    trace: Trace, name: str, hub: Hub, tmp_path: Path
) -> None:
    assert "no such folder, and not a hub id" in trace.refused(name)
    assert hub.requests == []


def test_the_hash_of_small_files_is_gits(folder: Path) -> None:
    path = folder / "config.json"
    command = ["git", "hash-object", "--no-filters", str(path)]
    assert command_output(*command).strip() == git_hash(path.read_bytes())
