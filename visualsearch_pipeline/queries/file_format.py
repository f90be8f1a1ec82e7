"""What a file of saved queries may say: one pydantic model per kind of query, told apart by the key that is present.

These models know the file's words and nothing else: no image is opened and no other entry is looked at here. They see
entries after `defaults` and `parameters` have been applied (`preparing`); editors see their JSON Schema. Keys that
several kinds have stand in each of them, since an editor offers them in this order: what is asked before its limits.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal, TypeAlias

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag

from visualsearch_pipeline.located_yaml import nearest_word
from visualsearch_pipeline.queries.alerts import ALERT_MEANING, AlertSetting
from visualsearch_pipeline.queries.entry_values import (
    Camera,
    Entry,
    Identifier,
    Moment,
    MostHits,
    PlaceEntry,
    Share,
    Within,
    Words,
)
from visualsearch_pipeline.queries.library_models import PublicMedium
from visualsearch_pipeline.queries.question_parts import FilteringLevel
from visualsearch_pipeline.queries.schedules import SCHEDULE_MEANING, ScheduleSetting
from visualsearch_pipeline.settings.values import Owner

KIND_KEYS: Final = ("text", "image", "transcript")
"""The keys that say what a query is; each entry has exactly one of them."""

_PRIVATE_KEYS: Final = ("tag", "camera", "taken_after", "near", "within", "prompt")
"""What cannot be asked of the public library (contract §2.12 to §2.14)."""


def _check_all_platforms(value: object) -> object:
    if value != "all":
        raise ValueError("must be `all`: the service looks for a phrase on every platform at once")
    return value


AnyMedium: TypeAlias = Literal["clips", "audio", "captions", "images"]
Public: TypeAlias = Literal["tiktok", "youtube", "instagram", "all"]

_TEXT: Final = "What to look for; English works best."
_IMAGE: Final = "A file, relative to this one: jpg, png, gif, bmp or webp, at most 20 MB."
_MEDIUM: Final = (
    "What the text is compared with: the picture of videos (clips), what is said (audio), captions, or images."
)
_PUBLIC: Final = "Ask the public library instead, once a day: tiktok, youtube, instagram or all (a call each)."
_LEVEL: Final = "The service's own threshold: low 0.15, medium 0.225, high 0.4. Left out: everything, ranked."
_MIN_SCORE: Final = "Hits below this score are not kept."
_TOP_K: Final = "Only so many hits of each day are kept, the best ones."
_TAG: Final = "Only videos or images with this tag."
_CAMERA: Final = "Only videos or images of this camera model."
_TAKEN_AFTER: Final = "Only what was taken at this time or later. Without a zone it is UTC."
_NEAR: Final = "Only what was taken within about 20 km of this place."
_SIMILARITY: Final = "How alike a moment must be to the image, 0 to 1."


class QueryEntry(Entry):
    """The keys that every kind of query has."""

    id: Identifier = Field(description="Unique in this file: lower-case letters, digits and `_`, a letter first.")
    description: Words | None = Field(None, description="What the query is for. A change asks nothing anew.")
    tags: tuple[Words, ...] = Field((), description="For people. A change asks nothing anew.")
    alert: AlertSetting | None = Field(None, description=f"{ALERT_MEANING} A change asks nothing anew.")
    parameters: dict[str, tuple[Words, ...] | dict[str, Words]] | None = Field(
        None, description="Values for the placeholders: one query per combination, such as {colour: [red, blue]}."
    )


class TextEntry(QueryEntry):
    """A text, searched in the clips, the audio or the captions of the library, or in its images."""

    text: Words = Field(description=_TEXT)
    medium: AnyMedium = Field("clips", alias="in", description=_MEDIUM)
    filtering_level: FilteringLevel | None = Field(None, description=_LEVEL)
    min_score: Share | None = Field(None, description=_MIN_SCORE)
    top_k: MostHits | None = Field(None, description=_TOP_K)
    tag: Words | None = Field(None, description=_TAG)
    camera: Camera | None = Field(None, description=_CAMERA)
    taken_after: Moment | None = Field(None, description=_TAKEN_AFTER)
    near: PlaceEntry | None = Field(None, description=_NEAR)


class ImageEntry(QueryEntry):
    """An image, compared with the clips of the whole library."""

    image: Words = Field(description=_IMAGE)
    similarity: Share = Field(0.85, description=_SIMILARITY)
    min_score: Share | None = Field(None, description=_MIN_SCORE)
    top_k: MostHits | None = Field(None, description=_TOP_K)


class ImageInVideoEntry(QueryEntry):
    """An image and a prompt, searched within one video at a time: a call for each video."""

    image: Words = Field(description=_IMAGE)
    prompt: Words = Field(description="What of the image matters.")
    within: Within = Field(
        "day", description="The videos to look in: day (all), {query: <id>} (those it hit), or a list of video numbers."
    )
    min_score: Share | None = Field(None, description=_MIN_SCORE)
    top_k: MostHits | None = Field(None, description=_TOP_K)


class TranscriptEntry(QueryEntry):
    """A phrase, found literally in what was said, in any letter case."""

    transcript: Words = Field(description="The phrase.")


class PublicEntry(QueryEntry):
    """A question to the public library, which the vendor shows to all of its users."""

    public: Public = Field(description=_PUBLIC)


class PublicTextEntry(PublicEntry):
    """A text, searched in the picture or the sound of public videos."""

    text: Words = Field(description=_TEXT)
    medium: PublicMedium = Field("clips", alias="in", description="The picture (clips) or the spoken word (audio).")
    filtering_level: FilteringLevel | None = Field(None, description=_LEVEL)
    min_score: Share | None = Field(None, description=_MIN_SCORE)
    top_k: MostHits | None = Field(None, description=_TOP_K)


class PublicImageEntry(PublicEntry):
    """An image, compared with public videos."""

    image: Words = Field(description=_IMAGE)
    similarity: Share = Field(0.85, description=_SIMILARITY)
    min_score: Share | None = Field(None, description=_MIN_SCORE)
    top_k: MostHits | None = Field(None, description=_TOP_K)


class PublicTranscriptEntry(PublicEntry):
    """A phrase, found literally in what is said in public videos."""

    transcript: Words = Field(description="The phrase.")
    public: Annotated[Literal["all"], BeforeValidator(_check_all_platforms)] = Field(
        description="`all`: the service looks for a phrase on every platform at once."
    )


class DefaultsEntry(Entry):
    """Values for every query of the file that takes such a key and does not have it; `null` there means none."""

    medium: AnyMedium | None = Field(None, alias="in", description=_MEDIUM)
    filtering_level: FilteringLevel | None = Field(None, description=_LEVEL)
    similarity: Share | None = Field(None, description=_SIMILARITY)
    min_score: Share | None = Field(None, description=_MIN_SCORE)
    top_k: MostHits | None = Field(None, description=_TOP_K)
    tag: Words | None = Field(None, description=_TAG)
    camera: Camera | None = Field(None, description=_CAMERA)
    taken_after: Moment | None = Field(None, description=_TAKEN_AFTER)
    near: PlaceEntry | None = Field(None, description=_NEAR)
    alert: AlertSetting | None = Field(None, description=ALERT_MEANING)


def entry_model(value: object) -> type[QueryEntry] | None:
    """Which kind of query the plain value of an entry is, by the keys it has; None if it is none."""
    if isinstance(value, QueryEntry):
        return type(value)
    if not isinstance(value, dict):
        return None
    is_public = "public" in value
    if "text" in value:
        return PublicTextEntry if is_public else TextEntry
    if "transcript" in value:
        return PublicTranscriptEntry if is_public else TranscriptEntry
    if "image" in value and is_public:
        return PublicImageEntry
    if "image" in value:
        # `within` alone already says which of the two was meant; its missing prompt is then named.
        return ImageInVideoEntry if "prompt" in value or "within" in value else ImageEntry
    return None


def _kind(value: object) -> str | None:
    model = entry_model(value)
    return model.__name__ if model else None


def _check_one_kind(value: object) -> object:
    """Exactly one of the keys that say what a query is, or a message that says so better than a union of models."""
    if not isinstance(value, dict):
        raise ValueError("must be a mapping with an `id` and one of: text, image, transcript")  # noqa: TRY004 - pydantic reports ValueError
    present = [key for key in KIND_KEYS if key in value]
    if len(present) > 1:
        named = " and ".join(f"`{key}`" for key in present)
        raise ValueError(f"asks two things at once: {named}; make it two queries")
    if not present:
        if "prompt" in value:
            raise ValueError("has a `prompt` but no `image` to go with it")
        message = f"asks nothing; a query has one of: {', '.join(KIND_KEYS)}"
        for key in value:
            if nearest := nearest_word(str(key), KIND_KEYS):
                message += f" ({nearest.removesuffix('?')} by `{key}`?)"
        raise ValueError(message)
    for key in _PRIVATE_KEYS if "public" in value else ():
        if key in value:
            raise ValueError(f"asks the public library, which takes no `{key}`; leave `{key}` or `public` out")
    return value


AnyQueryEntry: TypeAlias = (
    Annotated[TextEntry, Tag("TextEntry")]
    | Annotated[ImageEntry, Tag("ImageEntry")]
    | Annotated[ImageInVideoEntry, Tag("ImageInVideoEntry")]
    | Annotated[TranscriptEntry, Tag("TranscriptEntry")]
    | Annotated[PublicTextEntry, Tag("PublicTextEntry")]
    | Annotated[PublicImageEntry, Tag("PublicImageEntry")]
    | Annotated[PublicTranscriptEntry, Tag("PublicTranscriptEntry")]
)


def _check_not_empty(entries: tuple[AnyQueryEntry, ...]) -> tuple[AnyQueryEntry, ...]:
    if not entries:
        raise ValueError("is empty; a query set has at least one query")
    return entries


class QuerySetFile(Entry):
    """A query set of visualsearch_pipeline: one file, one Dagster asset, one table in SQL."""

    description: Words | None = Field(None, description="What the set is for.")
    owner: Owner | None = Field(None, description="Who keeps it: an e-mail address or team:<name>.")
    schedule: ScheduleSetting | None = Field(None, description=SCHEDULE_MEANING)
    defaults: DefaultsEntry | None = None
    queries: Annotated[
        tuple[Annotated[AnyQueryEntry, Discriminator(_kind), BeforeValidator(_check_one_kind)], ...],
        AfterValidator(_check_not_empty),
    ] = Field(
        description="What is asked; each has an id and one of: text, image, transcript.",
        json_schema_extra={"minItems": 1},
    )
