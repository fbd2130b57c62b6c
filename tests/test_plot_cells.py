"""The pixel-exact grids that both pictures share."""

import numpy as np
import pytest

from gelu.plots.cells import arrange_panels, count_title, draw_panels, grid_shape, panel_image
from gelu.plots.figures import new_figure, png_bytes

RED, BLUE = (255, 0, 0, 255), (0, 0, 255, 255)


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
    assert origins == sorted(origins, key=lambda origin: (origin[1], origin[0]))
    assert max(left for left, _ in origins) + layout.panel_width == layout.width
    assert max(top for _, top in origins) + layout.panel_height == layout.height


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
