"""A dozen short clips such as a team's shared drive holds: cameras, phones, an interview, a copy, a broken download."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from visualsearch_pipeline.demo.drawing import (
    BLUE,
    DAY,
    DUSK,
    GREEN,
    INDOORS,
    NIGHT,
    ORANGE,
    RED,
    WHITE,
    YELLOW,
    Scene,
    Sprite,
    draw_scene,
    draw_scenes,
)
from visualsearch_pipeline.demo.encoding import Sound, SubtitleLine, encode_clip

if TYPE_CHECKING:
    from PIL.Image import Image

DAY_COUNT: Final = 3


@dataclass(frozen=True, slots=True)
class DemoClip:
    """One file of the set, and what is known of it because we made it.

    Attributes:
        path: The file.
        day: The UTC date of its modification time.
        shows: What can be seen, in words.
        says: What its subtitle track says.
        captured_at: The capture time in its tags.
        camera_model: The camera in its tags.
        has_audio: Whether it has a sound track.
        copy_of: The clip with the same bytes, for a copy.
        is_broken: Whether it is cut short, so that it cannot be opened.
    """

    path: Path
    day: date
    shows: tuple[str, ...]
    says: tuple[str, ...]
    captured_at: datetime
    camera_model: str | None
    has_audio: bool = True
    copy_of: Path | None = None
    is_broken: bool = False


@dataclass(frozen=True, slots=True)
class QueryImages:
    """Pictures to search by: frames of scenes that stand in the clips."""

    logo: Path
    red_truck: Path
    red_shirt: Path


@dataclass(frozen=True, slots=True)
class _Script:
    """How one clip is made."""

    file_name: str
    day_index: int
    at: time
    scenes: tuple[Scene, ...]
    shows: tuple[str, ...]
    says: tuple[str, ...] = ()
    camera: tuple[str, str] | None = None
    location: str | None = None
    has_audio: bool = True


def make_clips(folder: Path, *, days: Sequence[date], seed: int = 0) -> tuple[DemoClip, ...]:
    """Encode the set into a folder. The same seed and days give the same bytes on the same machine.

    Twelve files of 7 to 11 seconds, 480x270, H.264 and AAC, in MP4, QuickTime and Matroska: ten clips, an exact copy of
    one of them under another name, and one that is cut short. Modification times lie in the first hours after midnight
    UTC of the given days.

    Args:
        folder: Made if it is missing. Files of the same names are replaced.
        days: Three dates that are over, so that no modification time lies in the future.
        seed: Shifts the movements and the sound a little.

    Raises:
        ValueError: Not three days.
    """
    if len(days) != DAY_COUNT:
        raise ValueError(f"the demo clips are spread over {DAY_COUNT} days, got {len(days)}")
    clips = [_make(script, folder, day=days[script.day_index], seed=seed) for script in _SCRIPTS]
    interview = next(clip for clip in clips if clip.path.name == "Interview take 2.mp4")
    copy_path = interview.path.with_name("Interview take 2 (copy).mp4")
    shutil.copy2(interview.path, copy_path)
    truck = next(clip for clip in clips if clip.path.name == "loading dock night.mp4")
    broken = replace(truck, path=folder / "night shift (broken download).mp4", day=days[2], is_broken=True)
    whole = truck.path.read_bytes()
    broken.path.write_bytes(whole[: len(whole) * 6 // 10])
    _set_modified(broken.path, datetime.combine(days[2], time(2, 40), tzinfo=UTC))
    return (*clips, replace(interview, path=copy_path, copy_of=interview.path), broken)


def make_query_images(folder: Path) -> QueryImages:
    """Save the pictures of the demo's image queries, as PNG: whole frames, because the sandbox compares whole pictures.

    Args:
        folder: Made if it is missing.
    """
    folder.mkdir(parents=True, exist_ok=True)
    images = QueryImages(folder / "logo.png", folder / "red_truck.png", folder / "red_shirt.png")
    for path, scene in ((images.logo, _LOGO_CARD), (images.red_truck, _NIGHT_TRUCK), (images.red_shirt, _RED_SHIRT)):
        draw_scene(scene, progress=0.5).save(path)
    return images


def _make(script: _Script, folder: Path, *, day: date, seed: int) -> DemoClip:
    path = folder / script.file_name
    path.parent.mkdir(parents=True, exist_ok=True)
    captured_at = datetime.combine(day, script.at, tzinfo=UTC)
    seconds = sum(scene.seconds for scene in script.scenes)
    chance = random.Random(f"{seed} {script.file_name}")  # noqa: S311 (variety, not secrecy)
    encode_clip(
        path,
        seconds=seconds,
        draw=partial(_draw, tuple(_shifted(scene, chance) for scene in script.scenes)),
        audio=_hum(chance) if script.has_audio else None,
        subtitles=_spread(script.says, seconds=seconds),
        tags=_tags(script, captured_at),
    )
    _set_modified(path, captured_at + timedelta(seconds=seconds))
    return DemoClip(
        path=path,
        day=day,
        shows=script.shows,
        says=script.says,
        captured_at=captured_at,
        camera_model=" ".join(script.camera) if script.camera else None,
        has_audio=script.has_audio,
    )


def _draw(scenes: tuple[Scene, ...], seconds: float) -> Image:
    return draw_scenes(scenes, seconds=seconds)


def _shifted(scene: Scene, chance: random.Random) -> Scene:
    """The scene with its paths moved by up to a hundredth of the picture."""
    sprites = []
    for sprite in scene.sprites:
        x, y = chance.uniform(-0.01, 0.01), chance.uniform(-0.01, 0.01)
        start, end = (sprite.start[0] + x, sprite.start[1] + y), (sprite.end[0] + x, sprite.end[1] + y)
        sprites.append(replace(sprite, start=start, end=end))
    return replace(scene, sprites=tuple(sprites))


def _hum(chance: random.Random) -> Sound:
    """A tone of its own for each clip, over a little noise."""
    frequency_hz = chance.uniform(180, 420)
    noise = np.random.default_rng(chance.getrandbits(32))

    def sound(times: NDArray[np.float64]) -> NDArray[np.float64]:
        return 0.2 * np.sin(2 * np.pi * frequency_hz * times) + noise.uniform(-0.02, 0.02, times.shape)

    return sound


def _spread(says: tuple[str, ...], *, seconds: float) -> tuple[SubtitleLine, ...]:
    """The lines one after the other, each for its share of the clip but for a breath at its end."""
    share = seconds / max(1, len(says))
    return tuple(SubtitleLine(n * share + 0.25, (n + 1) * share - 0.25, text) for n, text in enumerate(says))


def _tags(script: _Script, captured_at: datetime) -> dict[str, str]:
    """The container tags as this kind of camera writes them."""
    tags = {"creation_time": captured_at.isoformat().replace("+00:00", "Z")}
    if script.camera is not None:
        make, model = script.camera
        prefix = {"Apple": "com.apple.quicktime.", "Google": "com.android."}.get(make, "")
        tags[f"{prefix}manufacturer" if make == "Google" else f"{prefix}make"] = make
        tags[f"{prefix}model"] = model
    if script.location is not None:
        apple = script.camera is not None and script.camera[0] == "Apple"
        tags["com.apple.quicktime.location.ISO6709" if apple else "location"] = script.location
    return tags


def _set_modified(path: Path, moment: datetime) -> None:
    os.utime(path, (moment.timestamp(), moment.timestamp()))


_NIGHT_TRUCK: Final = Scene(4, NIGHT, (Sprite("truck", RED, (0.3, 0.6), (0.7, 0.6), height=0.5),))
_NIGHT_TRUCK_BACK: Final = Scene(4, NIGHT, (Sprite("truck", RED, (0.7, 0.62), (0.35, 0.62), height=0.44),))
_LOGO_CARD: Final = Scene(3, WHITE, (Sprite("logo", ORANGE, (0.5, 0.5), (0.5, 0.5), height=0.9),))
_RED_SHIRT: Final = Scene(4, INDOORS, (Sprite("person", RED, (0.4, 0.52), (0.55, 0.52), height=0.86),))
_BLUE_SHIRT: Final = Scene(4, INDOORS, (Sprite("person", BLUE, (0.35, 0.52), (0.6, 0.52), height=0.86),))
_BLUE_CIRCLE: Final = Scene(4, DAY, (Sprite("circle", BLUE, (0.2, 0.4), (0.8, 0.55)),))
_GREEN_TRIANGLE: Final = Scene(4, DAY, (Sprite("triangle", GREEN, (0.7, 0.5), (0.3, 0.45), height=0.6),))
_YELLOW_STAR: Final = Scene(4, DUSK, (Sprite("star", YELLOW, (0.25, 0.35), (0.75, 0.5), height=0.6),))
_EMPTY_YARD: Final = Scene(3, NIGHT, (Sprite("circle", (70, 72, 84), (0.85, 0.2), (0.86, 0.2), height=0.12),))

_AXIS: Final = ("Axis", "Q6135-LE")
_IPHONE: Final = ("Apple", "iPhone 15 Pro")
_PIXEL: Final = ("Google", "Pixel 8")
_SONY: Final = ("Sony", "ILCE-7M4")

_SCRIPTS: Final = (
    _Script(
        "loading dock night.mp4",
        0,
        time(1, 5),
        (_EMPTY_YARD, _NIGHT_TRUCK),
        ("a red truck at night",),
        ("The truck is at the gate.", "Please open dock number four."),
        _AXIS,
        "+52.5200+013.4050/",
    ),
    _Script(
        "Front gate 07-15.mov", 0, time(1, 20), (_BLUE_CIRCLE, _LOGO_CARD), ("a blue circle", "the logo"), (), _SONY
    ),
    _Script(
        "Kundengespräch Müller.mp4",
        0,
        time(2, 10),
        (_RED_SHIRT, _BLUE_SHIRT),
        ("a person in a red shirt", "a person in a blue shirt"),
        ("My camera stopped working last week.", "It is still under warranty.", "Then we will repair it."),
        _SONY,
        "+48.1351+011.5820/",
    ),
    _Script(
        "phone/IMG_0421.MOV",
        0,
        time(3, 30),
        (_GREEN_TRIANGLE, _YELLOW_STAR),
        ("a green triangle", "a yellow star"),
        (),
        _IPHONE,
        "+48.8577+002.2950+035.000/",
    ),
    _Script(
        "red truck, second try.mp4",
        1,
        time(1, 15),
        (_NIGHT_TRUCK_BACK, _YELLOW_STAR),
        ("a red truck at night", "a yellow star"),
        ("Stop. Back up a little.", "That was better."),
        _AXIS,
        "+52.5200+013.4050/",
    ),
    _Script(
        "Product film final v2.mkv",
        1,
        time(2, 0),
        (_GREEN_TRIANGLE, _LOGO_CARD, _BLUE_CIRCLE),
        ("a green triangle", "the logo", "a blue circle"),
        ("Made to last.", "Two years of warranty on every part."),
        _SONY,
    ),
    _Script(
        "phone/VID_20260105_181502.mp4",
        1,
        time(3, 45),
        (_YELLOW_STAR, _EMPTY_YARD),
        ("a yellow star at dusk",),
        (),
        _PIXEL,
        "-33.8568+151.2153/",
    ),
    _Script(
        "team meeting.mp4",
        1,
        time(4, 5),
        (_BLUE_SHIRT, _GREEN_TRIANGLE),
        ("a person in a blue shirt", "a green triangle"),
        has_audio=False,
    ),
    _Script(
        "shop floor.mp4",
        2,
        time(1, 50),
        (_RED_SHIRT, _BLUE_CIRCLE, _LOGO_CARD),
        ("a person in a red shirt", "a blue circle", "the logo"),
        ("Welcome to the shop.", "The new model is over there."),
        _AXIS,
        "+40.7128-074.0060/",
    ),
    _Script(
        "Interview take 2.mp4",
        2,
        time(2, 20),
        (_BLUE_SHIRT, _RED_SHIRT),
        ("a person in a blue shirt", "a person in a red shirt"),
        ("The warranty covers water damage.", "It does not cover a fall."),
        _SONY,
        "+48.1351+011.5820/",
    ),
)
