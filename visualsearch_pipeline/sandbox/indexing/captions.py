"""Sentences about a clip, derived from its keyframes: colours, outline, brightness, motion."""

import itertools
from collections import Counter
from collections.abc import Sequence

from visualsearch_pipeline.sandbox.indexing.pictures import Picture, colour_name

_DARK, _BRIGHT = 0.35, 0.7
_STILL = 0.02


def describe_clip(pictures: Sequence[Picture]) -> str:
    """One English sentence for consecutive keyframes of a clip.

    Example: ``a red circle moving right on a dark black background``.
    """
    middle = pictures[len(pictures) // 2]
    light = _light(sum(picture.brightness for picture in pictures) / len(pictures))
    if not middle.has_background:
        colours = " and ".join(middle.colours(share=0.15)) or "mixed colours"
        return f"a {light}scene with {colours}"
    background = colour_name(middle.background)
    if not middle.stands_out:
        return f"a plain {light}{background} picture"
    outstanding = [picture for picture in pictures if picture.stands_out]
    shape = Counter(picture.shape() for picture in outstanding).most_common(1)[0][0]
    colours = " and ".join(middle.colours())
    background_light = _light(max(middle.background))
    words = (colours, shape, _motion(outstanding), f"on a {background_light}{background} background")
    return f"{'an' if colours[0] in 'aeiou' else 'a'} {' '.join(word for word in words if word)}"


def describe_picture(picture: Picture) -> str:
    """One English sentence for a single image."""
    return describe_clip([picture])


def _light(brightness: float) -> str:
    if brightness < _DARK:
        return "dark "
    return "bright " if brightness > _BRIGHT else ""


def _motion(pictures: Sequence[Picture]) -> str:
    steps = [
        (after.centre[0] - before.centre[0], after.centre[1] - before.centre[1])
        for before, after in itertools.pairwise(pictures)
    ]
    if not steps:
        return ""
    across, down = sum(step[0] for step in steps) / len(steps), sum(step[1] for step in steps) / len(steps)
    if max(abs(across), abs(down)) < _STILL:
        return "standing still"
    if abs(across) >= abs(down):
        return "moving right" if across > 0 else "moving left"
    return "moving down" if down > 0 else "moving up"
