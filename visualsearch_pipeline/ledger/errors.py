"""What goes wrong with the ledger as a whole."""

from __future__ import annotations


class LedgerError(Exception):
    """The ledger cannot be opened, read or written, or is of a version that this package does not know."""
