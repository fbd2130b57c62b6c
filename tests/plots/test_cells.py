"""The pixel-exact grids that both pictures share."""

import numpy as np
import pytest

from gelu.plots.cells import (
    PanelLayout,
    arrange_panels,
    count_title,
    draw_panels,
    grid_shape,
    outlined,
    panel_image,
)
from gelu.plots.figures import new_figure, png_bytes

RED, BLUE = (255, 0, 0, 255), (0, 0, 255, 255)
GREY = (118, 118, 118, 255)


@pytest.mark.parametrize(
    ("d_mlp", "expected"),
    [(1, (1, 1)), (2, (1, 2)), (5, (2, 3)), (10, (3, 4)), (3072, (55, 56)), (6400, (80, 80))],
)
def test_grids_are_nearly_square(d_mlp: int, expected: tuple[int, int]) -> None:
    assert grid_shape(d_mlp) == expected


def test_cells_are_filled_row_by_row_and_what_is_left_over_is_empty() -> None:
    colours = np.array([RED, BLUE, BLUE, BLUE, RED], np.uint8)
    image = panel_image(colours, cell=4, line=1)
    assert image.shape == (8, 12, 4)
    expected = [[RED, BLUE, BLUE], [BLUE, RED, (0, 0, 0, 0)]]
    assert image[::4, ::4].tolist() == np.array(expected).tolist()
    assert (image[:3, :3] == RED).all()
    assert (image[3::4] == 0).all() and (image[:, 3::4] == 0).all()


@pytest.mark.parametrize("figure_rows", [1, 2, 5, 12])
def test_layers_stand_in_as_many_rows_as_asked(figure_rows: int) -> None:
    layout = arrange_panels(12, 10, figure_rows)
    origins = [layout.origin(layer) for layer in range(12)]
    assert len({top for _, top in origins}) == figure_rows
    assert sum(layout.row_lengths) == 12 and max(layout.row_lengths) - min(layout.row_lengths) <= 1
    lie_evenly(layout)
    assert origins == sorted(origins, key=lambda origin: (origin[1], origin[0]))
    assert max(left for left, _ in origins) + layout.panel_width == layout.width
    assert max(top for _, top in origins) + layout.panel_height == layout.height


def lie_evenly(layout: PanelLayout) -> None:
    """Assert that gaps are alike and that every row stands in the middle."""
    rows: dict[int, list[int]] = {}
    for layer in range(layout.n_layer):
        left, top = layout.origin(layer)
        rows.setdefault(top, []).append(left)
    for lefts in rows.values():
        assert set(np.diff(lefts)) <= {layout.pitch}
        right = layout.width - (lefts[-1] + layout.panel_width)
        assert abs(lefts[0] - right) <= 1
    assert len(set(np.diff(sorted(rows)))) <= 1


@pytest.mark.parametrize(
    ("n_layer", "figure_rows", "lengths"),
    [
        (4, 3, (2, 1, 1)),
        (10, 3, (4, 3, 3)),
        (12, 3, (4, 4, 4)),
        (12, 5, (3, 3, 2, 2, 2)),
        (48, 5, (10, 10, 10, 9, 9)),
    ],
)
@pytest.mark.parametrize("titled", [True, False])
def test_rows_of_any_number_of_layers_lie_evenly(
    n_layer: int, figure_rows: int, lengths: tuple[int, ...], titled: bool
) -> None:
    title = count_title(n_layer - 1, 3072, 3072) if titled else None
    layout = arrange_panels(n_layer, 3072, figure_rows, title, outlined=not titled)
    assert layout.row_lengths == lengths
    lie_evenly(layout)


def test_an_outline_follows_the_cells_and_leaves_them_as_they_are() -> None:
    image = panel_image(np.array([RED, BLUE, RED], np.uint8), cell=4, line=0)
    line = outlined(image, 2, GREY)
    assert (
        line.shape == (12, 12, 4)
        and (line[2:-2, 2:-2][image[..., 3] > 0] == image[image[..., 3] > 0]).all()
    )
    assert (line[:2] == GREY).all() and (line[:, :2] == GREY).all()
    # Around the place that no neuron has, the line goes inside: white there would look active.
    assert (line[6:8, 6:] == GREY).all() and (line[6:, 6:8] == GREY).all()
    assert (line[8:, 8:] == 0).all()
    assert (outlined(image, 0, GREY) == image).all()


@pytest.mark.parametrize("shape", [(4, 1024), (12, 3072), (48, 6400)])
def test_pictures_are_of_a_screens_size(shape: tuple[int, int]) -> None:
    n_layer, d_mlp = shape
    layout = arrange_panels(n_layer, d_mlp, 1, count_title(n_layer - 1, d_mlp, d_mlp))
    assert 1600 <= layout.width <= 4100
    assert layout.title_size >= 14


def test_every_neuron_of_the_largest_model_is_a_pixel_of_its_own() -> None:
    n_layer, d_mlp = 48, 6400
    layout = arrange_panels(n_layer, d_mlp, 1)
    assert layout.cell == 1
    # Neuron by neuron another colour: any resampling would mix or lose some.
    ids = np.arange(n_layer * d_mlp)
    colours = np.stack([ids >> 16, ids >> 8 & 255, ids & 255, np.full_like(ids, 255)], axis=1)
    figure = new_figure(layout.width, layout.height)
    draw_panels(figure, layout, colours.astype(np.uint8).reshape(n_layer, d_mlp, 4), 0, 0)
    png_bytes(figure)
    drawn = np.asarray(figure.canvas.buffer_rgba())[..., :3].astype(int)  # type: ignore[attr-defined]
    assert drawn.shape[:2] == (layout.height, layout.width)
    found = drawn[..., 0] << 16 | drawn[..., 1] << 8 | drawn[..., 2]
    white = 0xFFFFFF
    assert np.array_equal(np.sort(found[found != white]), ids)
    left, top = layout.origin(47)
    assert found[top, left] == 47 * d_mlp and found[top + 1, left] == 47 * d_mlp + 80
