"""A model's `config.json`: its geometry, without weights.

geometry = read_geometry(find_model("gpt2-demo"))   # no network for the four sizes and folders
"""

from functools import partial
from typing import Any

from gelu.errors import UserError
from gelu.model.source import HUB_GEOMETRIES, ModelSource, all_of, find_files, removal_advice
from gelu.neurons import LARGEST, LARGEST_N_NEURONS, LARGEST_WIDTH, Geometry

CONFIG = "config.json"
SHOWN = 60


def read_geometry(source: ModelSource) -> Geometry:
    """Return the neurons' geometry without weights: from the table of sizes or `config.json`."""
    if source.hub_id in HUB_GEOMETRIES:
        return HUB_GEOMETRIES[source.hub_id]
    return geometry_from_config(read_config(source), source.place(CONFIG))


def known_geometry(source: ModelSource) -> Geometry | None:
    """Return the geometry where it is known without asking the hub and can be read, else None."""
    if source.folder is None and source.hub_id not in HUB_GEOMETRIES:
        return None
    try:
        return read_geometry(source)
    except UserError:
        return None


def geometry_from_config(config: dict[str, Any], place: str = CONFIG) -> Geometry:
    """Return the geometry that a GPT-2 `config.json` states; d_mlp is `n_inner` or 4 x `n_embd`.

    Raises `UserError` that names `place` for numbers that no GPT-2 has.
    """
    number = partial(config_number, config, place)
    n_embd = number("n_embd", "hidden_size", default=768)
    d_mlp = n_embd * 4 if config.get("n_inner") is None else number("n_inner")
    n_layer = number("n_layer", "num_hidden_layers", default=12)
    n_positions = number("n_positions", "max_position_embeddings", default=1024)
    vocab_size = number("vocab_size", default=50257)
    if n_layer * d_mlp > LARGEST_N_NEURONS:
        raise UserError(f"{place}: {n_layer * d_mlp:,} neurons; their ids have 32 bits")
    return Geometry(n_layer, n_embd, d_mlp, n_positions, vocab_size)


def config_number(
    config: dict[str, Any], place: str, *names: str, default: int | None = None
) -> int:
    """Return the first of the names that the configuration states, else the default.

    Raises `UserError` that names `place` for what is no whole number of 1 or more, or too large.
    """
    value = next((config[name] for name in names if config.get(name) is not None), default)
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise UserError(
            f"{place}: {names[0]} is {ascii(value)[:SHOWN]}, a whole number of 1 or more needed"
        )
    largest = LARGEST.get(names[0], LARGEST_WIDTH)
    if value > largest:
        raise UserError(f"{place}: {names[0]} is {ascii(value)[:SHOWN]}; {largest:,} is the most")
    return value


def read_config(source: ModelSource) -> dict[str, Any]:
    """Return what the source's `config.json` holds; `UserError` for one of no GPT-2."""
    files = find_files(source, lambda find: all_of(find, [CONFIG]))
    place = source.place(CONFIG)
    if not files:
        where = "folder" if source.hub_id is None else "repository"
        raise UserError(
            f"`model_type` {source.shown}: no {CONFIG} in this {where}, so it is no model that can "
            "be read here"
        )
    from gelu.artifacts import safe_json

    try:
        config = safe_json.parse(files[0].read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(f"{place}: not a JSON file ({error}){removal_advice(source)}") from None
    if not isinstance(config, dict) or config.get("model_type") != "gpt2":
        kind = config.get("model_type") if isinstance(config, dict) else None
        raise UserError(
            f"{place}: model_type is {ascii(kind)[:SHOWN]}; only GPT-2 architectures have these "
            "hooks"
        )
    return config
