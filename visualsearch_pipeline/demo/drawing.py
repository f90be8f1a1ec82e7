"""Simple things that move, drawn so that a person, a colour histogram and a shape detector each know them again."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw

WIDTH: Final = 480
HEIGHT: Final = 270

Colour: TypeAlias = tuple[int, int, int]
Point: TypeAlias = tuple[float, float]
Subject: TypeAlias = Literal["truck", "circle", "triangle", "star", "person", "logo"]

RED: Final[Colour] = (214, 30, 36)
BLUE: Final[Colour] = (30, 84, 214)
GREEN: Final[Colour] = (32, 164, 72)
YELLOW: Final[Colour] = (244, 204, 28)
ORANGE: Final[Colour] = (240, 130, 24)
WHITE: Final[Colour] = (246, 246, 242)
NIGHT: Final[Colour] = (10, 12, 30)
DUSK: Final[Colour] = (92, 60, 104)
DAY: Final[Colour] = (168, 204, 232)
INDOORS: Final[Colour] = (206, 196, 180)


@dataclass(frozen=True, slots=True)
class Sprite:
    """One thing in a scene, moving in a straight line.

    Attributes:
        subject: What it is.
        colour: Its main colour; of a person, the shirt.
        start: Its centre at the scene's first moment, as parts of width and height.
        end: Its centre at the scene's last moment.
        height: Its height as a part of the picture's.
    """

    subject: Subject
    colour: Colour
    start: Point
    end: Point
    height: float = 0.5


@dataclass(frozen=True, slots=True)
class Scene:
    """Some seconds before one background; the next scene begins with a cut."""

    seconds: float
    background: Colour
    sprites: tuple[Sprite, ...] = ()


def draw_scenes(scenes: tuple[Scene, ...], *, seconds: float) -> Image:
    """The picture at a time of a clip that shows these scenes one after the other; the last one stays."""
    begins = 0.0
    for scene in scenes[:-1]:
        if seconds < begins + scene.seconds:
            return draw_scene(scene, progress=(seconds - begins) / scene.seconds)
        begins += scene.seconds
    return draw_scene(scenes[-1], progress=min(1.0, (seconds - begins) / scenes[-1].seconds))


def draw_scene(scene: Scene, *, progress: float) -> Image:
    """The picture of a scene, `progress` of the way from its beginning (0) to its end (1)."""
    from PIL import Image, ImageDraw

    picture = Image.new("RGB", (WIDTH, HEIGHT), scene.background)
    pen = ImageDraw.Draw(picture)
    floor = tuple(round(channel * 0.8) for channel in scene.background)
    pen.rectangle((0, HEIGHT * 0.84, WIDTH, HEIGHT), fill=floor)
    for sprite in scene.sprites:
        x = sprite.start[0] + (sprite.end[0] - sprite.start[0]) * progress
        y = sprite.start[1] + (sprite.end[1] - sprite.start[1]) * progress
        _DRAWERS[sprite.subject](pen, (x * WIDTH, y * HEIGHT), sprite.height * HEIGHT, sprite.colour)
    return picture


def _truck(pen: ImageDraw, centre: Point, height: float, colour: Colour) -> None:
    x, y = centre
    unit = height / 4
    pen.rectangle((x - 4 * unit, y - 2 * unit, x + 1.4 * unit, y + unit), fill=colour)
    pen.rectangle((x + 1.7 * unit, y - unit, x + 4 * unit, y + unit), fill=colour)
    pen.rectangle((x + 2.6 * unit, y - 0.7 * unit, x + 3.8 * unit, y + 0.1 * unit), fill=(190, 220, 240))
    pen.rectangle((x + 3.7 * unit, y + 0.3 * unit, x + 4 * unit, y + 0.8 * unit), fill=(255, 240, 170))
    for wheel in (-2.9, -1.5, 2.8):
        middle = x + wheel * unit
        pen.ellipse((middle - 0.7 * unit, y + 0.6 * unit, middle + 0.7 * unit, y + 2 * unit), fill=(40, 40, 44))


def _circle(pen: ImageDraw, centre: Point, height: float, colour: Colour) -> None:
    pen.circle(centre, height / 2, fill=colour)


def _triangle(pen: ImageDraw, centre: Point, height: float, colour: Colour) -> None:
    pen.polygon(_corners(centre, height / 2, 3), fill=colour)


def _star(pen: ImageDraw, centre: Point, height: float, colour: Colour) -> None:
    outer = _corners(centre, height / 2, 5)
    inner = _corners(centre, height / 5, 5, turn=math.pi / 5)
    pen.polygon([corner for pair in zip(outer, inner, strict=True) for corner in pair], fill=colour)


def _person(pen: ImageDraw, centre: Point, height: float, colour: Colour) -> None:
    x, y = centre
    unit = height / 8
    pen.circle((x, y - 3 * unit), unit, fill=(232, 190, 160))
    pen.rounded_rectangle((x - 2 * unit, y - 2 * unit, x + 2 * unit, y + 1.6 * unit), radius=unit / 2, fill=colour)
    pen.rectangle((x - 1.6 * unit, y + 1.6 * unit, x - 0.2 * unit, y + 4 * unit), fill=(44, 48, 66))
    pen.rectangle((x + 0.2 * unit, y + 1.6 * unit, x + 1.6 * unit, y + 4 * unit), fill=(44, 48, 66))


def _logo(pen: ImageDraw, centre: Point, height: float, colour: Colour) -> None:
    x, y = centre
    unit = height / 8
    pen.circle(centre, 4 * unit, fill=colour)
    pen.circle(centre, 3 * unit, fill=WHITE)
    for left, right, shade in ((-1.9, -0.9, BLUE), (-0.5, 0.5, GREEN), (0.9, 1.9, BLUE)):
        pen.rectangle((x + left * unit, y - 1.6 * unit, x + right * unit, y + 1.6 * unit), fill=shade)
    pen.line((x - 2.2 * unit, y + 1.8 * unit, x + 2.2 * unit, y - 1.8 * unit), fill=(20, 20, 24), width=round(unit / 2))


def _corners(centre: Point, radius: float, count: int, *, turn: float = 0.0) -> list[Point]:
    angles = [turn - math.pi / 2 + 2 * math.pi * corner / count for corner in range(count)]
    return [(centre[0] + radius * math.cos(angle), centre[1] + radius * math.sin(angle)) for angle in angles]


_DRAWERS: Final[Mapping[Subject, Callable[[ImageDraw, Point, float, Colour], None]]] = {
    "truck": _truck,
    "circle": _circle,
    "triangle": _triangle,
    "star": _star,
    "person": _person,
    "logo": _logo,
}
