"""A local server that speaks the Visual Search API: real media, real search, faults on request.

It runs only when it was started by name, and stands apart from the rest of the package: its reading of the API is its
own, so that a misunderstanding of the client cannot hide in it.

Example::

    from visualsearch_pipeline.sandbox import Sandbox, SandboxConfig

    with Sandbox(SandboxConfig(state_dir=folder, indexing_seconds=0)) as server:
        print(server.url, server.api_key)
"""

from visualsearch_pipeline.sandbox.config import (
    DEFAULT_API_KEY,
    AuthFailure,
    Dialect,
    NameMatch,
    OperationFamily,
    Rate,
    RateLimitShape,
    SandboxConfig,
)
from visualsearch_pipeline.sandbox.control.admin_client import SandboxAdmin, SandboxAdminError
from visualsearch_pipeline.sandbox.control.models import (
    FaultKind,
    FaultRule,
    JournalEntry,
    LibraryVideo,
    SeededClip,
    SeededVideo,
    SentCallback,
    StandingFault,
    TransitionPlan,
)
from visualsearch_pipeline.sandbox.server import Sandbox, SandboxStartError, serve

__all__ = [
    "DEFAULT_API_KEY",
    "AuthFailure",
    "Dialect",
    "FaultKind",
    "FaultRule",
    "JournalEntry",
    "LibraryVideo",
    "NameMatch",
    "OperationFamily",
    "Rate",
    "RateLimitShape",
    "Sandbox",
    "SandboxAdmin",
    "SandboxAdminError",
    "SandboxConfig",
    "SandboxStartError",
    "SeededClip",
    "SeededVideo",
    "SentCallback",
    "StandingFault",
    "TransitionPlan",
    "serve",
]
