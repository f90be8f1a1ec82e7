"""What can go wrong while the report is written. What stood there before is untouched in every case.

ReportError
├── ReportDestinationError   the folder cannot be written, or holds something that is not a report
└── ReportBusyError          another process is writing the same report
"""

from __future__ import annotations


class ReportError(Exception):
    """Anything this layer raises of its own. The message says what was attempted, on what, and what to do."""


class ReportDestinationError(ReportError):
    """The report cannot be written where it should go."""


class ReportBusyError(ReportError):
    """Another process is writing the same report and did not finish in time."""
