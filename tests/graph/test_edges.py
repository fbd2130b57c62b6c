"""Full and strongest edges, against their definitions."""

import json
import shutil
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gelu.artifacts import full_edge_bytes, write_full_edge_list
from gelu.artifacts.edge_lists import full_edge_blocks
from gelu.errors import UserError
from gelu.graph.edges import full_edge_count, strongest_columns, strongest_edges
from gelu.model.loading import load_model
from gelu.model.source import HUB_GEOMETRIES, find_model
from gelu.neurons import Geometry
from gelu.progress import bars
from tests.helpers import ROOT, run_script_here, save_gpt2, user_error


def full_by_definition(geometry: Geometry) -> str:
    d_mlp = geometry.d_mlp
    layers = [range(layer * d_mlp, (layer + 1) * d_mlp) for layer in range(geometry.n_layer)]
    return "".join(
        f"{source} {target}\n"
        for here, there in pairwise(layers)
        for source in here
        for target in there
    )


@given(st.integers(1, 14), st.integers(1, 40))
def test_full_edges_are_every_pair_of_neighbouring_layers(n_layer: int, d_mlp: int) -> None:
    geometry = Geometry(n_layer, 4, d_mlp, 8)
    written = b"".join(full_edge_blocks(geometry)).decode()
    assert written == full_by_definition(geometry)
    assert full_edge_bytes(geometry) == len(written)
    assert full_edge_count(geometry) == written.count("\n")


def test_full_edges_of_gpt2() -> None:
    geometry = HUB_GEOMETRIES["gpt2"]
    n_lines = n_bytes = 0
    first = last = b""
    for block in full_edge_blocks(geometry):
        first = first or block
        last = block
        n_lines += block.count(b"\n")
        n_bytes += len(block)
    assert n_lines == full_edge_count(geometry) == 103_809_024
    assert n_bytes == full_edge_bytes(geometry)
    assert first.startswith(b"0 3072\n0 3073\n")
    assert last.endswith(b"33791 36862\n33791 36863\n")


def test_full_edges_need_no_torch(tmp_path: Path) -> None:
    config = {"model_type": "gpt2", "n_layer": 3, "n_embd": 10}
    (tmp_path / "config.json").write_text(json.dumps(config))
    code = (
        "import runpy, sys; sys.modules['torch'] = sys.modules['transformers'] = None\n"
        f"sys.argv = ['a', '--model_type', {str(tmp_path)!r}, '--output_dir', {str(tmp_path)!r}]\n"
        "runpy.run_path('a_generate_gelu_graph.py', run_name='__main__')"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)
    (edges,) = tmp_path.glob("*_neuron_edges.el")
    assert edges.read_bytes().count(b"\n") == 2 * 40**2


def test_the_script_writes_full_edges_and_attributes(tmp_path: Path) -> None:
    save_gpt2(tmp_path / "tiny", n_inner=7)
    run_script_here(
        "a_generate_gelu_graph.py",
        *("--model_type", tmp_path / "tiny", "--output_dir", tmp_path / "new" / "graph"),
    )
    edges = (tmp_path / "new/graph/tiny_neuron_edges.el").read_text()
    assert edges == full_by_definition(Geometry(3, 16, 7, 64))
    attributes = (tmp_path / "new/graph/tiny_neuron_attributes.csv").read_text().split("\n")
    assert attributes[0] == "node_id,layer,dimension"
    assert attributes[1:-1] == [f"{n},{n // 7},{n % 7}" for n in range(21)]


def brute_force(model: Any, top: int) -> list[tuple[int, int, float]]:
    blocks = model.transformer.h
    edges = []
    for layer in range(len(blocks) - 1):
        w_out = blocks[layer].mlp.c_proj.weight.detach().double().numpy()
        ln_2 = blocks[layer + 1].ln_2.weight.detach().double().numpy()
        w_in = blocks[layer + 1].mlp.c_fc.weight.detach().double().numpy()
        d_mlp = len(w_out)
        for source in range(d_mlp):
            weights = [float(w_out[source] @ (ln_2 * w_in[:, target])) for target in range(d_mlp)]
            order = sorted(range(d_mlp), key=lambda target: -abs(weights[target]))[:top]
            edges += [
                (layer * d_mlp + source, (layer + 1) * d_mlp + target, weights[target])
                for target in order
            ]
    return edges


def test_strongest_edges_equal_brute_force_through_the_script(tmp_path: Path) -> None:
    model: Any = save_gpt2(tmp_path / "tiny", n_inner=30)
    for block in model.transformer.h:
        torch.nn.init.normal_(block.ln_2.weight)
    model.save_pretrained(tmp_path / "tiny")
    run_script_here(
        "a_generate_gelu_graph.py",
        *("--model_type", tmp_path / "tiny", "--output_dir", tmp_path),
        *("--edges", "strongest", "--top_edges", 4),
    )
    path = tmp_path / "tiny_neuron_edges.el"
    lines = [line.split(" ") for line in path.read_text().splitlines()]
    expected = brute_force(model, 4)
    assert [(int(s), int(t)) for s, t, _ in lines] == [(s, t) for s, t, _ in expected]
    assert np.allclose([float(w) for _, _, w in lines], [w for _, _, w in expected], rtol=1e-4)
    graph = nx.read_weighted_edgelist(path, nodetype=int, create_using=nx.DiGraph)
    assert graph.number_of_edges() == 2 * 30 * 4


def test_more_edges_than_neurons_means_all(tmp_path: Path) -> None:
    save_gpt2(tmp_path / "tiny", n_inner=3)
    model = load_model(find_model(str(tmp_path / "tiny")), "cpu")
    sources, targets, weights = strongest_edges(model, 10)
    assert len(sources) == len(targets) == len(weights) == 2 * 3 * 3
    assert sources.tolist() == np.repeat(range(6), 3).tolist()


def test_blocks_of_sources_do_not_show(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_gpt2(tmp_path / "tiny")
    model = load_model(find_model(str(tmp_path / "tiny")), "cpu")
    whole = strongest_edges(model, 3)
    monkeypatch.setattr("gelu.graph.edges.SOURCE_BLOCK", 5)
    told: list[int] = []
    in_blocks = strongest_edges(model, 3, told.append)
    assert np.array_equal(whole[0], in_blocks[0]) and np.array_equal(whole[1], in_blocks[1])
    assert np.allclose(whole[2], in_blocks[2], rtol=1e-5)
    assert sum(told) == 2 * 64


@given(
    st.integers(1, 6).flatmap(
        lambda width: st.lists(
            st.lists(st.integers(-2, 2), min_size=width, max_size=width), min_size=1, max_size=5
        )
    ),
    st.data(),
)
def test_equal_weights_go_by_target(rows: list[list[int]], data: st.DataObject) -> None:
    top = data.draw(st.integers(1, len(rows[0])))
    expected = [
        sorted(range(len(row)), key=lambda column: (-abs(row[column]), column))[:top]
        for row in rows
    ]
    assert strongest_columns(torch.tensor(rows, dtype=torch.float32), top).tolist() == expected


def test_a_model_of_one_layer_has_no_edges(tmp_path: Path) -> None:
    save_gpt2(tmp_path / "tiny", n_layer=1)
    for edges in ("full", "strongest"):
        run_script_here(
            "a_generate_gelu_graph.py",
            *("--model_type", tmp_path / "tiny", "--output_dir", tmp_path, "--edges", edges),
        )
        assert (tmp_path / "tiny_neuron_edges.el").read_bytes() == b""


def test_wrong_arguments_are_one_line(tmp_path: Path) -> None:
    def line(*arguments: object) -> str:
        return user_error(
            "a_generate_gelu_graph.py", *arguments, "--output_dir", tmp_path / "file" / "x"
        )

    (tmp_path / "file").write_text("")
    assert "'0' is not a whole number" in line("--top_edges", 0)
    assert "invalid choice: 'none'" in line("--edges", "none")
    assert "cannot write there" in line("--model_type", "gpt2")


def test_a_full_disk_is_refused_before_writing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    geometry = Geometry(2, 4, 50, 8)
    size = full_edge_bytes(geometry)
    path = tmp_path / "m_neuron_edges.el"
    usage = type(shutil.disk_usage(tmp_path))
    for free, fits in ((size - 1, False), (size, True)):
        monkeypatch.setattr("shutil.disk_usage", lambda path, free=free: usage(10**9, 0, free))
        if fits:
            assert write_full_edge_list(path, geometry, bars).stat().st_size == size
        else:
            with pytest.raises(UserError, match=rf"needs {size:,} bytes and the disk has"):
                write_full_edge_list(path, geometry, bars)
            assert list(tmp_path.iterdir()) == []
