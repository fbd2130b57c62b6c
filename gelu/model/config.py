"""A model's `config.json`: its geometry, without weights.

geometry = read_geometry(find_model("gpt2-demo"))   # no network for the four sizes and folders
"""

from collections.abc import Mapping
from typing import Any

from gelu.errors import UserError
from gelu.model.families import KNOWN, Family, describe_other, family_of
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
    """Return the geometry that a `config.json` of a known family states.

    Raises `UserError` that names `place` for another family, and for numbers that no model has.
    """
    family = require_family(config, place)
    defaults = dict(family.defaults)

    def number(what: str) -> int:
        names = getattr(family, what)
        return config_number(
            config, place, *names, default=defaults.get(what), largest=LARGEST[what]
        )

    n_embd = number("n_embd")
    if family.is_four_times:
        defaults["d_mlp"] = 4 * n_embd
    d_mlp, n_layer = number("d_mlp"), number("n_layer")
    if n_layer * d_mlp > LARGEST_N_NEURONS:
        raise UserError(f"{place}: {n_layer * d_mlp:,} neurons; their ids have 32 bits")
    return Geometry(n_layer, n_embd, d_mlp, number("n_positions"), number("vocab_size"))


def require_family(config: dict[str, Any], place: str) -> Family:
    """Return the family of a `config.json`; `UserError` for one that is not known here."""
    family = family_of(config)
    if family is None:
        raise UserError(
            f"{place}: this is {describe_other(config)}; the families known are {KNOWN}"
        )
    return family


def config_number(
    config: Mapping[str, Any],
    place: str,
    *names: str,
    default: int | None = None,
    largest: int = LARGEST_WIDTH,
) -> int:
    """Return the first of the names that the configuration states, else the default.

    Raises `UserError` that names `place` for what is no whole number of 1 or more, or too large.
    """
    name = next((name for name in names if config.get(name) is not None), None)
    value = default if name is None else config[name]
    shown = name or next(iter(names), None)
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise UserError(
            f"{place}: {shown} is {ascii(value)[:SHOWN]}, a whole number of 1 or more needed"
        )
    if value > largest:
        raise UserError(f"{place}: {shown} is {ascii(value)[:SHOWN]}; {largest:,} is the most")
    return value


def read_config(source: ModelSource) -> dict[str, Any]:
    """Return what the source's `config.json` holds; `UserError` where no family is known for it."""
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
    if not isinstance(config, dict):
        raise UserError(f"{place}: {ascii(config)[:SHOWN]} is no model's configuration")
    require_family(config, place)
    return config
