"""Every file the scripts exchange: its name, its one writer and its one reader.

    files = Artifacts(folder, "gpt2-demo")
    files.write_matrix(sample_ids, packed)
    sample_ids, packed = read_activations(files.path(MATRIX), n_neurons)

Nothing outside this package opens a file. A file appears under its final name only when it is
complete: it is written beside, synced and renamed. What a person can have got wrong (a missing
file, a wrong format) is a `UserError`.
"""

from gelu.artifacts.activations import (
    dataset_activation_file,
    find_activation_file,
    read_activation_rows,
    read_activations,
)
from gelu.artifacts.edge_lists import EdgeBlock, edges_have_weights, read_edge_blocks
from gelu.artifacts.files import complete_file, file_hash, read_text, write_bytes
from gelu.artifacts.tables import (
    find_geometry,
    read_dataset,
    read_geometry_table,
    require_model_file,
)
from gelu.artifacts.writers import (
    ATTRIBUTES,
    DATASET,
    EDGES,
    FREQUENCY,
    GEXF,
    GRAPH_PICTURE,
    GRAPHML,
    JSON,
    MATRIX,
    NEURONS_PICTURE,
    PICKLE,
    RUN,
    TRACE_IDS,
    TRACE_VECTOR,
    Artifacts,
    write_gexf,
    write_graphml,
    write_picture,
)

__all__ = [
    "ATTRIBUTES",
    "DATASET",
    "EDGES",
    "FREQUENCY",
    "GEXF",
    "GRAPHML",
    "GRAPH_PICTURE",
    "JSON",
    "MATRIX",
    "NEURONS_PICTURE",
    "PICKLE",
    "RUN",
    "TRACE_IDS",
    "TRACE_VECTOR",
    "Artifacts",
    "EdgeBlock",
    "complete_file",
    "dataset_activation_file",
    "edges_have_weights",
    "file_hash",
    "find_activation_file",
    "find_geometry",
    "read_activation_rows",
    "read_activations",
    "read_dataset",
    "read_edge_blocks",
    "read_geometry_table",
    "read_text",
    "require_model_file",
    "write_bytes",
    "write_gexf",
    "write_graphml",
    "write_picture",
]
