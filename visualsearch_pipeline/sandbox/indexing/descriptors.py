"""Visual descriptors: a vector per picture, and how alike two pictures are by it.

Five measures, each a unit vector so that likeness is a dot product: the colours of the whole picture, the colours of
what stands out from the background, where light and colour lie (a coarse grid), the directions of edges, and the
outline of what stands out, wherever it is. The score is the product of their powers: a picture must be alike in all
of them, so another colour or another shape pulls it down even where everything else agrees.
"""

import numpy as np
import numpy.typing as npt
from PIL import Image

from visualsearch_pipeline.sandbox.indexing.pictures import THUMBNAIL_SIDE, Picture
from visualsearch_pipeline.sandbox.state.entries import Descriptors

_HUE_BINS = 12
_GREY_BINS = 4
_GRID = 8
_EDGE_BINS = 12
_COLOUR_LENGTH = 2 * _HUE_BINS + _GREY_BINS + 1
_GRID_LENGTH = _GRID * _GRID * 3 + 1
_EDGE_LENGTH = _EDGE_BINS + 1
_OUTLINE_SIDE = 12
_OUTLINE_LENGTH = _OUTLINE_SIDE * _OUTLINE_SIDE + 1
_PARTS = (
    (_COLOUR_LENGTH, 0.15),
    (_COLOUR_LENGTH, 0.40),
    (_GRID_LENGTH, 0.20),
    (_EDGE_LENGTH, 0.35),
    (_OUTLINE_LENGTH, 1.0),
)
"""Length of each measure in the vector, and the power it has in the score."""

DESCRIPTOR_LENGTH = sum(length for length, _ in _PARTS)
_GRID_PART = 2
_LEAST_LIKENESS = 0.02


def describe(picture: Picture) -> npt.NDArray[np.float32]:
    """The descriptor of a picture: `DESCRIPTOR_LENGTH` float32 values."""
    flat = np.ones_like(picture.saliency)
    parts = (
        _colours(picture, flat),
        _colours(picture, picture.saliency),
        _grid(picture),
        _edges(picture),
        _outline(picture),
    )
    return np.concatenate(parts).astype(np.float32)


def likeness(query: npt.NDArray[np.float32], descriptors: Descriptors) -> npt.NDArray[np.float64]:
    """How alike the query is to each row of `descriptors`, 0-1, 1 for the same picture."""
    score = np.ones(len(descriptors), dtype=np.float64)
    end = 0
    for number, (length, power) in enumerate(_PARTS):
        start, end = end, end + length
        alike = descriptors[:, start:end].astype(np.float64) @ query[start:end].astype(np.float64)
        if number == _GRID_PART:
            alike = (1 + alike) / 2
        score *= np.clip(alike, _LEAST_LIKENESS, 1) ** power
    return np.clip(score, 0, 1)


def _colours(picture: Picture, weights: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    hue, saturation, value = (picture.hsv[..., channel].ravel().astype(np.float64) for channel in range(3))
    weight = weights.ravel().astype(np.float64)
    chroma = weight * np.clip((saturation * value - 0.06) / 0.2, 0, 1)
    bins = np.zeros(_COLOUR_LENGTH)
    position = hue * _HUE_BINS
    lower = np.floor(position).astype(int) % _HUE_BINS
    upper_share = position - np.floor(position)
    bright = np.clip((value - 0.35) / 0.3, 0, 1)
    # Soft bins: a colour near a boundary counts for both neighbours, so that compression noise moves nothing far.
    for index, share in ((lower, 1 - upper_share), ((lower + 1) % _HUE_BINS, upper_share)):
        np.add.at(bins, index, chroma * share * (1 - bright))
        np.add.at(bins, index + _HUE_BINS, chroma * share * bright)
    grey = weight - chroma
    level = value * (_GREY_BINS - 1)
    step = np.floor(level).astype(int).clip(0, _GREY_BINS - 2)
    np.add.at(bins, 2 * _HUE_BINS + step, grey * (1 - (level - step)))
    np.add.at(bins, 2 * _HUE_BINS + step + 1, grey * (level - step))
    return _unit(np.sqrt(bins))


def _grid(picture: Picture) -> npt.NDArray[np.float64]:
    cell = THUMBNAIL_SIDE // _GRID
    means = picture.pixels.reshape(_GRID, cell, _GRID, cell, 3).mean(axis=(1, 3)).astype(np.float64)
    means -= means.mean(axis=(0, 1))
    values = np.append(means.ravel(), 0.0)
    return _unit(values, least=0.1)


def _edges(picture: Picture) -> npt.NDArray[np.float64]:
    light = picture.pixels.astype(np.float64).max(axis=2) * 0.5 + picture.saliency * 0.5
    smooth = light.copy()
    smooth[1:-1, 1:-1] = sum(light[1 + y : 63 + y, 1 + x : 63 + x] for y in (-1, 0, 1) for x in (-1, 0, 1)) / 9
    down, right = np.gradient(smooth)
    strength = np.hypot(down, right)
    strength[strength < 0.04] = 0
    position = (np.arctan2(down, right) % np.pi) / np.pi * _EDGE_BINS
    bins = np.zeros(_EDGE_LENGTH)
    lower = np.floor(position).astype(int) % _EDGE_BINS
    share = position - np.floor(position)
    np.add.at(bins, lower.ravel(), (strength * (1 - share)).ravel())
    np.add.at(bins, ((lower + 1) % _EDGE_BINS).ravel(), (strength * share).ravel())
    return _unit(bins, least=0.5)


def _outline(picture: Picture) -> npt.NDArray[np.float64]:
    values = np.zeros(_OUTLINE_LENGTH)
    rows, columns = np.nonzero(picture.saliency > 0.5)
    if picture.has_background and len(rows):
        box = (int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1)
        mask = Image.fromarray((picture.saliency * 255).astype(np.uint8)).crop(box)
        small = mask.resize((_OUTLINE_SIDE, _OUTLINE_SIDE), Image.Resampling.BILINEAR)
        values[:-1] = np.asarray(small, dtype=np.float64).ravel() / 255
    return _unit(values)


def _unit(values: npt.NDArray[np.float64], *, least: float = 1e-6) -> npt.NDArray[np.float64]:
    """Scale to length one. What is too faint to have a direction goes into the last place, which is kept for it."""
    length = float(np.linalg.norm(values))
    if length < least:
        empty = np.zeros_like(values)
        empty[-1] = 1
        return empty
    return values / length
