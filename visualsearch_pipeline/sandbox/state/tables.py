"""The tables of the sandbox's database."""

from sqlalchemy import BigInteger, Boolean, Column, Float, Index, Integer, LargeBinary, MetaData, String, Table, Text

SCHEMA_VERSION = "2"

metadata = MetaData()

settings = Table(
    "settings",
    metadata,
    Column("key", String, primary_key=True),
    Column("value", Text, nullable=False),
)

videos = Table(
    "videos",
    metadata,
    Column("video_no", String, primary_key=True),
    Column("snowflake", BigInteger, nullable=False, unique=True),
    Column("library", String, nullable=False, comment="account name, or 'public'"),
    Column("unique_id", String, nullable=False),
    Column("folder_id", BigInteger, nullable=False),
    Column("platform", String, comment="TIKTOK, YOUTUBE, INSTAGRAM for scraped ones"),
    Column("source_url", Text),
    Column("task_id", String),
    Column("video_name", Text, nullable=False),
    Column("file_name", Text, nullable=False),
    Column("status", String, nullable=False, comment="UNPARSE, PARSE, FAILED: spelled by the dialect on its way out"),
    Column("cause", Text),
    Column("decode_state", String, nullable=False, comment="queued, decoded, failed"),
    Column("created_ms", BigInteger, nullable=False),
    Column("parsed_ms", BigInteger, comment="when it became PARSE"),
    Column("ready_at_ms", BigInteger, comment="null: not before it is decoded and a transition says so"),
    Column("ready_is_planned", Boolean, nullable=False, default=False, comment="a transition chose ready_at_ms"),
    Column("reads_left", Integer, comment="status reads until it may become ready"),
    Column("stuck", Boolean, nullable=False, default=False),
    Column("planned_cause", Text, comment="ends as FAILED with this cause although it could be decoded"),
    Column("recover_at_ms", BigInteger, comment="a failed video becomes PARSE at this time"),
    Column("size_bytes", BigInteger, nullable=False),
    Column("duration_seconds", Float, nullable=False, default=0.0),
    Column("fps", Float),
    Column("width", Integer),
    Column("height", Integer),
    Column("bucket", String, nullable=False),
    Column("blob", String, nullable=False),
    Column("keyframe_bucket", String, nullable=False),
    Column("keyframe_prefix", String, nullable=False, index=True),
    Column("retains_original", Boolean, nullable=False, default=True),
    Column("has_file", Boolean, nullable=False, default=True),
    Column("datetime_taken_ms", BigInteger),
    Column("camera_model", Text),
    Column("latitude", Float),
    Column("longitude", Float),
    Column("tags", Text, nullable=False, default="[]"),
    Column("callback", Text),
    Column("transcription_prompt", Text),
    Column("detail", Text, comment="JSON: likes, publisher and so on of a public video"),
    Index("videos_by_library", "library", "status", "snowflake"),
    Index("videos_unparsed", "status", "decode_state", "ready_at_ms"),
)

media_index = Table(
    "media_index",
    metadata,
    Column("video_no", String, primary_key=True),
    Column("segments", Text, nullable=False, comment="JSON"),
    Column("transcript", Text, nullable=False, comment="JSON"),
    Column("keyframes", Text, nullable=False, comment="JSON: second and blob of each"),
    Column("descriptors", LargeBinary, nullable=False, comment="float32 matrix, one row per keyframe"),
)

images = Table(
    "images",
    metadata,
    Column("image_id", BigInteger, primary_key=True),
    Column("account", String, nullable=False, index=True),
    Column("unique_id", String, nullable=False),
    Column("folder_id", BigInteger, nullable=False),
    Column("name", Text, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("bucket", String, nullable=False),
    Column("blob", String, nullable=False),
    Column("datetime_taken_ms", BigInteger),
    Column("camera_model", Text),
    Column("latitude", Float),
    Column("longitude", Float),
    Column("tags", Text, nullable=False, default="[]"),
    Column("words", Text, nullable=False, comment="what the picture shows, in words"),
)

folders = Table(
    "folders",
    metadata,
    Column("folder_id", BigInteger, primary_key=True),
    Column("account", String, nullable=False),
    Column("name", String, nullable=False),
    Index("folder_names", "account", "name", unique=True),
)

tasks = Table(
    "tasks",
    metadata,
    Column("task_id", String, primary_key=True),
    Column("account", String, nullable=False),
    Column("unique_id", String, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("ready_at_ms", BigInteger, nullable=False),
    Column("callback", Text),
    Column("finished", Boolean, nullable=False, default=False),
    Column("posts", Text, nullable=False, comment="JSON: what is to be fetched"),
    Column("library", String, nullable=False),
    Column("folder_id", BigInteger, nullable=False),
)

journal = Table(
    "journal",
    metadata,
    Column("sequence", Integer, primary_key=True, autoincrement=True),
    Column("at_ms", BigInteger, nullable=False),
    Column("method", String, nullable=False),
    Column("path", Text, nullable=False),
    Column("operation", String, nullable=False, index=True),
    Column("account", String),
    Column("params", Text, nullable=False),
    Column("item_ids", Text, nullable=False),
    Column("status", Integer, comment="null: the connection ended without an answer"),
    Column("code", String),
    Column("bytes_in", BigInteger, nullable=False),
    Column("bytes_out", BigInteger, nullable=False),
    Column("duration_ms", Integer, nullable=False),
    Column("took_effect", Boolean, nullable=False),
    Column("fault_id", Integer),
)

faults = Table(
    "faults",
    metadata,
    Column("fault_id", Integer, primary_key=True, autoincrement=True),
    Column("rule", Text, nullable=False),
    Column("seen", Integer, nullable=False, default=0),
    Column("fired", Integer, nullable=False, default=0),
    Column("active", Boolean, nullable=False, default=True),
)

transitions = Table(
    "transitions",
    metadata,
    Column("transition_id", Integer, primary_key=True, autoincrement=True),
    Column("plan", Text, nullable=False),
    Column("used", Integer, nullable=False, default=0),
)

credits_ledger = Table(
    "credits_ledger",
    metadata,
    Column("entry_id", Integer, primary_key=True, autoincrement=True),
    Column("at_ms", BigInteger, nullable=False),
    Column("account", String, nullable=False, index=True),
    Column("operation", String, nullable=False),
    Column("item_id", String),
    Column("amount_usd", Float, nullable=False, comment="negative: spent"),
)

callbacks = Table(
    "callbacks",
    metadata,
    Column("callback_id", Integer, primary_key=True, autoincrement=True),
    Column("due_ms", BigInteger, nullable=False),
    Column("url", Text, nullable=False),
    Column("payload", Text, nullable=False),
    Column("sent_at_ms", BigInteger),
    Column("answer_status", Integer),
    Column("failure", Text),
)
