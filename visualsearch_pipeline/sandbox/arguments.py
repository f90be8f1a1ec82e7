"""Typed reading of what a client sent, refusing what the service refuses (contract §2, §3)."""

import contextlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePath

from visualsearch_pipeline.sandbox.errors import UNBINDABLE, ApiError
from visualsearch_pipeline.sandbox.state.entries import CaptureDetails

MAX_CAMERA_MODEL = 200
MAX_CALLBACK = 299
MAX_FOLDER_NAME = 100
_INT64 = 2**63


@dataclass(frozen=True, kw_only=True)
class ReceivedFile:
    """A file part of a multipart body, already on disk."""

    field: str
    file_name: str
    content_type: str
    path: Path
    size_bytes: int

    @property
    def extension(self) -> str:
        """The extension in lower case, with its dot."""
        return PurePath(self.file_name).suffix.lower()


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """The parameters of one call, from query, JSON, form or multipart body.

    `values` holds decoded JSON (or text, for forms), `array` the body when it is a bare JSON array. Every reader
    raises ApiError when a value is missing, of the wrong type or out of range.
    """

    values: Mapping[str, object]
    array: Sequence[object] | None = None
    files: tuple[ReceivedFile, ...] = ()

    def raw(self, name: str) -> object:
        """The value as it came; None when it is absent, null or an empty form field list."""
        return self.values.get(name)

    def text(self, name: str) -> str | None:
        """An optional string."""
        value = self.raw(name)
        if value is None:
            return None
        if isinstance(value, list) and value and all(isinstance(item, str) for item in value):
            value = value[0]
        if isinstance(value, bool | dict | list):
            raise _unbindable(name, value, "a string")
        return str(value)

    def required_text(self, name: str, *, message: str | None = None, code: str = "0001") -> str:
        """A string that must be there and not be blank."""
        value = self.text(name)
        if value is None or not value.strip():
            raise ApiError(message or f"The {name} parameter cannot be empty!", code=code)
        return value

    def integer(self, name: str) -> int | None:
        """An optional integer, from a JSON number or from text."""
        value = self.raw(name)
        if value is None or value == "":
            return None
        number: int | None = None
        if isinstance(value, str | int) and not isinstance(value, bool):
            with contextlib.suppress(ValueError):
                number = int(value)
        elif isinstance(value, float) and value.is_integer():
            number = int(value)
        if number is None or not -_INT64 <= number < _INT64:
            raise _unbindable(name, value, "an integer")
        return number

    def number(self, name: str) -> float | None:
        """An optional finite number, from a JSON number or from text."""
        value = self.raw(name)
        if value is None or value == "":
            return None
        try:
            number = float(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else None
        except (ValueError, OverflowError):
            number = None
        if number is None or not math.isfinite(number):
            raise _unbindable(name, value, "a number")
        return number

    def boolean(self, name: str, *, default: bool) -> bool:
        """An optional truth value; forms send True, true, 1 and the like."""
        value = self.raw(name)
        if value is None or value == "":
            return default
        word = str(value).lower()
        if word not in {"true", "false", "1", "0"}:
            raise _unbindable(name, value, "true or false")
        return word in {"true", "1"}

    def texts(self, name: str, *, at_most: int) -> tuple[str, ...] | None:
        """An optional list of strings: a JSON array, or form fields repeated as `name`, `name[]` or `name[0]`."""
        value = self.raw(name)
        if value is None:
            return None
        items = value if isinstance(value, list) else [value]
        if any(isinstance(item, bool | dict | list) or item is None for item in items):
            raise _unbindable(name, value, "a list of strings")
        if len(items) > at_most:
            raise ApiError(f"The number of {name} cannot exceed {at_most}")
        return tuple(str(item) for item in items)

    def file(self, name: str = "file") -> ReceivedFile:
        """A file part that must be there."""
        for received in self.files:
            if received.field == name:
                return received
        raise ApiError(f"Required part '{name}' is not present.")

    def coordinates(self) -> tuple[float, float] | None:
        """Latitude and longitude in degrees: both or neither."""
        latitude, longitude = self.number("latitude"), self.number("longitude")
        if latitude is None and longitude is None:
            return None
        if latitude is None or longitude is None:
            raise ApiError("latitude and longitude must be supplied together")
        if not (-90 <= latitude <= 90 and -180 <= longitude <= 180):
            raise ApiError(f"latitude {latitude} or longitude {longitude} is out of range")
        return latitude, longitude

    def taken_at_ms(self, name: str = "datetime_taken") -> int | None:
        """A capture time written `yyyy-MM-dd HH:mm:ss` (read as UTC, contract §1.7), as epoch milliseconds."""
        value = self.text(name)
        if not value:
            return None
        try:
            moment = datetime.strptime(value, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
        except ValueError:
            raise ApiError(f"{name} must have the format yyyy-MM-dd HH:mm:ss") from None
        return round(moment.timestamp() * 1000)

    def capture_details(self, *, max_tags: int) -> CaptureDetails:
        """What uploads say about capture, with the tag `api` that the service adds (contract §2.1, §9.18)."""
        camera_model = self.text("camera_model") or None
        if camera_model is not None and len(camera_model) > MAX_CAMERA_MODEL:
            raise ApiError(f"camera_model cannot exceed {MAX_CAMERA_MODEL} characters")
        tags = tuple(dict.fromkeys(tag for tag in self.texts("tags", at_most=max_tags) or () if tag))
        place = self.coordinates()
        return CaptureDetails(
            datetime_taken_ms=self.taken_at_ms(),
            camera_model=camera_model,
            latitude=place[0] if place else None,
            longitude=place[1] if place else None,
            tags=tags if "api" in tags else (*tags, "api"),
        )

    def callback(self, *names: str) -> str | None:
        """An optional callback URL under the first of the names that is present."""
        for name in names:
            value = self.text(name)
            if not value:
                continue
            if len(value) > MAX_CALLBACK:
                raise ApiError(f"{name} cannot exceed {MAX_CALLBACK} characters")
            if not value.startswith(("http://", "https://")):
                raise ApiError(f"{name} must be a valid URL")
            return value
        return None

    def within(self, name: str, *, low: int, high: int | None, default: int) -> int:
        """An integer with a default, refused outside its range (`high` None: no upper end)."""
        value = self.integer(name)
        if value is None:
            return default
        if value < low or (high is not None and value > high):
            raise ApiError(f"{name} must be between {low} and {high}" if high else f"{name} must be at least {low}")
        return value

    def choice(self, name: str, accepted: Sequence[str], *, default: str) -> str:
        """One of a few words."""
        value = self.text(name)
        if not value:
            return default
        if value not in accepted:
            raise ApiError(f"Unknown {name} {value!r}; accepted values: [{', '.join(accepted)}]", code=UNBINDABLE)
        return value


def merge_form_fields(fields: Sequence[tuple[str, str]]) -> dict[str, object]:
    """Form fields as arguments: repeated names, `name[]` and `name[0]` become lists (contract §9.23)."""
    merged: dict[str, object] = {}
    for field, value in fields:
        name, bracket, _ = field.partition("[")
        if not bracket and name not in merged:
            merged[name] = value
            continue
        known = merged.get(name)
        merged[name] = [*(known if isinstance(known, list) else [] if known is None else [known]), value]
    return merged


def _unbindable(name: str, value: object, wanted: str) -> ApiError:
    shown = str(value)[:80]
    return ApiError(f"Parameter {name} cannot be read: {shown!r} is not {wanted}", code=UNBINDABLE)
