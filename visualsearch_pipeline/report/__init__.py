"""The report: a folder with one page that shows the hits to people who would rather look than query."""

from visualsearch_pipeline.report.errors import ReportBusyError, ReportDestinationError, ReportError
from visualsearch_pipeline.report.writing import Report, write_report

__all__ = [
    "Report",
    "ReportBusyError",
    "ReportDestinationError",
    "ReportError",
    "write_report",
]
