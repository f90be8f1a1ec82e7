"""What passes between a test and the sandbox, in process or over HTTP."""

from datetime import datetime
from enum import StrEnum
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class JournalEntry(_Frozen):
    """One request as the sandbox saw it.

    `status` is None when the connection ended without an answer. `took_effect` says whether the sandbox did what was
    asked, whatever the client was told. `code` is None for answers that are no envelope.
    """

    sequence: int
    at: datetime
    method: str
    path: str
    operation: str
    account: str | None
    params: dict[str, str]
    item_ids: tuple[str, ...]
    status: int | None
    code: str | None
    bytes_in: int
    bytes_out: int
    duration_ms: int
    took_effect: bool
    fault_id: int | None


class FaultKind(StrEnum):
    """The ways in which the sandbox can fail on request."""

    RATE_LIMIT_CODE_ONLY = "rate-limit-code-only"
    RATE_LIMIT_NULL_DATA = "rate-limit-null-data"
    RATE_LIMIT_INTEGER_CODE = "rate-limit-integer-code"
    RATE_LIMIT_BARE_429 = "rate-limit-bare-429"
    CODE = "code"
    SPRING_404 = "spring-404"
    SPRING_503 = "spring-503"
    HTML_200 = "html-200"
    EMPTY_BODY = "empty-body"
    TRUNCATED_JSON = "truncated-json"
    RESET = "reset"
    STALL = "stall"
    SHORT_BODY = "short-body"
    MISSING_TERMINATOR = "missing-terminator"
    WRONG_SIZE = "wrong-size"
    GARBAGE = "garbage"
    JSON_AS_OCTET_STREAM = "json-as-octet-stream"
    WRONG_CONTENT_TYPE = "wrong-content-type"


DOWNLOAD_KINDS = frozenset(
    {
        FaultKind.SHORT_BODY,
        FaultKind.MISSING_TERMINATOR,
        FaultKind.WRONG_SIZE,
        FaultKind.GARBAGE,
        FaultKind.WRONG_CONTENT_TYPE,
    }
)
"""Kinds that spoil a stream of bytes: they fire only where a call would have answered with one."""


class FaultRule(_Frozen):
    """A fault to inject.

    Example: the answers of the next two uploads get lost after the videos were stored::

        FaultRule(operation="upload", kind=FaultKind.RESET, when="after", count=2)
    """

    operation: str = Field(default="*", description="Operation name, e.g. upload or list_videos; * is any.")
    kind: FaultKind
    when: Literal["before", "after"] = Field(default="before", description="Before or after the effect of the call.")
    count: int | None = Field(default=1, ge=1, description="Fires so many times; None: as long as it stands.")
    skip: int = Field(default=0, ge=0, description="Lets so many matching calls pass first.")
    probability: float = Field(default=1.0, gt=0, le=1, description="Chance of each matching call, from the seed.")
    match: str | None = Field(default=None, description="Only calls that have this text in a parameter or file name.")
    code: str = Field(default="0001", description="For `code`: the code sent inside HTTP 200.")
    message: str = Field(default="The network is abnormal, please try again later", description="For `code`: its msg.")
    seconds: float = Field(default=1.0, ge=0, le=600, description="For `stall`: real seconds; then all is well.")
    after_bytes: int | None = Field(
        default=None, ge=0, description="For `reset` before an effect: after so many bytes of the request body."
    )
    content_type: str = Field(default="application/json", description="For `wrong-content-type`.")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.after_bytes is not None and (self.kind is not FaultKind.RESET or self.when != "before"):
            message = "after_bytes goes with kind=reset and when=before"
            raise ValueError(message)
        return self

    @property
    def strikes(self) -> Literal["in-transit", "before", "after"]:
        """The moment at which the rule applies; what spoils a stream of bytes can only come after the effect."""
        if self.after_bytes is not None:
            return "in-transit"
        return "after" if self.kind in DOWNLOAD_KINDS else self.when


class StandingFault(_Frozen):
    """A rule with what became of it. `seen`: matching calls; `fired`: those that were made to fail."""

    fault_id: int
    rule: FaultRule
    seen: int
    fired: int
    active: bool


class TransitionPlan(_Frozen):
    """How the indexing of an item is to end, instead of by the configured time.

    It meets items by id, or by the name of the uploaded file (a glob), whether they are there already or yet to come;
    a plan with neither meets every upload. The oldest plan that fits an item is taken.
    """

    video_no: str | None = None
    file_name: str | None = Field(default=None, description="Glob over file names, e.g. *broken*.")
    uses: int | None = Field(default=None, ge=1, description="So many future uploads; None: all.")
    ready_after_seconds: float | None = Field(
        default=None, ge=0, description="From acceptance, by the sandbox's clock."
    )
    ready_after_reads: int | None = Field(default=None, ge=0, description="Status reads that still see UNPARSE.")
    stuck: bool = Field(default=False, description="Stays UNPARSE until another plan says otherwise.")
    fail_with: str | None = Field(default=None, description="Ends as failed with this cause.")
    recover_after_seconds: float | None = Field(
        default=None, ge=0, description="With fail_with: so long after acceptance it becomes PARSE all the same."
    )


class LibraryVideo(_Frozen):
    """A video as the sandbox knows it, for counting duplicates and the like."""

    video_no: str
    library: str
    unique_id: str
    folder_id: int
    video_name: str
    file_name: str
    status: str
    cause: str | None
    created_at: datetime
    size_bytes: int
    duration_seconds: float
    tags: tuple[str, ...]
    bucket: str
    blob: str


class SeededClip(_Frozen):
    """A clip of a seeded video: what is to be seen, and what is said."""

    start_seconds: float = Field(ge=0)
    end_seconds: float = Field(gt=0)
    caption: str = ""
    spoken: str = ""


class SeededVideo(_Frozen):
    """A parsed video without a file, for libraries whose truth is known."""

    video_name: str
    clips: tuple[SeededClip, ...] = ()
    tags: tuple[str, ...] = ()
    camera_model: str | None = None
    unique_id: str | None = None
    folder_id: int | None = None
    size_bytes: int = Field(default=0, ge=0)


class ClockState(_Frozen):
    """The sandbox's time, and whether it stands still."""

    now: datetime
    frozen: bool


class SentCallback(_Frozen):
    """A callback, sent or yet to be sent."""

    url: str
    payload: dict[str, object]
    sent_at: datetime | None
    answer_status: int | None
    failure: str | None
