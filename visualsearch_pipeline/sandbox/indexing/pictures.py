"""What can be measured in one picture: its background, what stands out from it, colours and shape."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

Pixels = npt.NDArray[np.float32]
"""Red, green and blue in 0-1, shape (height, width, 3)."""

THUMBNAIL_SIDE = 64
_BORDER = 4
_COLOUR_STEP = 0.12
_HUES = (
    (15, "red"),
    (40, "orange"),
    (70, "yellow"),
    (165, "green"),
    (195, "cyan"),
    (255, "blue"),
    (290, "purple"),
    (345, "pink"),
    (361, "red"),
)


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A thumbnail and what stands out from its background.

    `saliency` is 0-1 per pixel; all ones when the picture has no uniform background.
    """

    pixels: Pixels
    hsv: Pixels
    saliency: npt.NDArray[np.float32]
    background: tuple[float, float, float]
    has_background: bool

    @classmethod
    def from_image(cls, image: Image.Image) -> "Picture":
        """Measure any Pillow image; its size and proportions do not matter."""
        small = image.convert("RGB").resize((THUMBNAIL_SIDE, THUMBNAIL_SIDE), Image.Resampling.BOX)
        pixels = (np.asarray(small, dtype=np.float32) / 255).astype(np.float32)
        hsv = _hsv(pixels)
        ring = np.ones(pixels.shape[:2], dtype=bool)
        ring[_BORDER:-_BORDER, _BORDER:-_BORDER] = False
        background = np.median(pixels[ring], axis=0)
        distance = np.abs(pixels - background).max(axis=2)
        saliency = np.clip((distance - _COLOUR_STEP) / 0.2, 0, 1).astype(np.float32)
        has_background = float(saliency[ring].mean()) < 0.35
        return cls(
            pixels=pixels,
            hsv=hsv,
            saliency=saliency if has_background else np.ones_like(saliency),
            background=(float(background[0]), float(background[1]), float(background[2])),
            has_background=has_background,
        )

    @property
    def brightness(self) -> float:
        """Mean value (the V of HSV), 0-1."""
        return float(self.hsv[..., 2].mean())

    @property
    def stands_out(self) -> bool:
        """Whether there is something in front of a background."""
        return self.has_background and float(self.saliency.mean()) > 0.004

    @property
    def centre(self) -> tuple[float, float]:
        """Where the salient pixels lie, as (x, y) in 0-1."""
        weight = float(self.saliency.sum()) or 1.0
        rows, columns = np.mgrid[0 : self.saliency.shape[0], 0 : self.saliency.shape[1]]
        side = THUMBNAIL_SIDE
        return float((columns * self.saliency).sum() / weight / side), float(
            (rows * self.saliency).sum() / weight / side
        )

    def colours(self, *, share: float = 0.2) -> tuple[str, ...]:
        """Names of the colours that cover at least this share of the salient pixels, the largest first."""
        solid = self.saliency > 0.5
        if not solid.any():
            return (colour_name(self.background),)
        names, counts = np.unique(_colour_names(self.hsv[solid]), return_counts=True)
        order = np.argsort(-counts, kind="stable")
        return tuple(str(names[index]) for index in order if counts[index] >= share * counts.sum())[:3]

    def shape(self) -> str:
        """A word for the outline of what stands out, from how much of its bounding box it fills."""
        solid = self.saliency > 0.5
        rows, columns = np.flatnonzero(solid.any(axis=1)), np.flatnonzero(solid.any(axis=0))
        if len(rows) < 3 or len(columns) < 3:
            return "shape"
        box = solid[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        filled = float(box.mean())
        if filled > 0.9:
            return "square" if 0.6 < box.shape[0] / box.shape[1] < 1.6 else "rectangle"
        if filled > 0.68:
            return "circle"
        return "triangle" if 0.4 < filled < 0.6 else "shape"


def colour_name(rgb: tuple[float, float, float]) -> str:
    """The everyday name of a colour given as red, green and blue in 0-1."""
    return str(_colour_names(_hsv(np.asarray([[rgb]], dtype=np.float32))[0])[0])


def _colour_names(hsv: Pixels) -> npt.NDArray[np.str_]:
    hue, saturation, value = hsv[..., 0] * 360, hsv[..., 1], hsv[..., 2]
    limits = np.asarray([limit for limit, _ in _HUES])
    words = np.asarray([name for _, name in _HUES])
    names: npt.NDArray[np.str_] = words[np.searchsorted(limits, hue, side="right").clip(0, len(words) - 1)].astype(
        "<U8"
    )
    names[(names == "orange") & (value < 0.6)] = "brown"
    grey = saturation < 0.18
    names[grey] = "grey"
    names[grey & (value > 0.82)] = "white"
    names[value < 0.22] = "black"
    return names


def _hsv(pixels: Pixels) -> Pixels:
    high, low = pixels.max(axis=-1), pixels.min(axis=-1)
    span = high - low
    safe = np.where(span == 0, 1, span)
    red, green, blue = pixels[..., 0], pixels[..., 1], pixels[..., 2]
    hue = np.where(
        high == red,
        (green - blue) / safe % 6,
        np.where(high == green, (blue - red) / safe + 2, (red - green) / safe + 4),
    )
    hue = np.where(span == 0, 0, hue / 6)
    saturation = np.where(high == 0, 0, span / np.where(high == 0, 1, high))
    return np.stack([hue, saturation, high], axis=-1).astype(np.float32)
