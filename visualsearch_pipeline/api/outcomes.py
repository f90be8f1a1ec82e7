"""Calls with an effect that must not be had twice: what is known of it when the call ends badly (contract §9.13)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from visualsearch_pipeline.api.errors import (
    ConnectionFailed,
    OutcomeUnknown,
    TransientServiceError,
    TransportError,
    UnexpectedCode,
    VisualSearchError,
)
from visualsearch_pipeline.api.operations import Operation


def leaves_outcome_unknown(error: VisualSearchError) -> bool:
    """Tell whether a call that must not be repeated may have taken effect although it ended in `error`.

    A plain refusal was not carried out. A fault of the service or of its gateway, or an answer that cannot be read, may
    come after the effect (contract §9.14).
    """
    if isinstance(error, ConnectionFailed):
        return False
    return isinstance(error, TransportError | TransientServiceError | UnexpectedCode)


@contextmanager
def effect_once(operation: Operation, *, item: str) -> Iterator[None]:
    """Turn faults after which the effect is in doubt into `OutcomeUnknown`; others pass as they are.

    Args:
        operation: What is called within the block.
        item: What it is about.

    Raises:
        OutcomeUnknown: The call may have taken effect.
    """
    try:
        yield
    except VisualSearchError as error:
        if not leaves_outcome_unknown(error):
            raise
        message = f"{error} Whether {operation.name} took effect is not known: look before doing it again."
        raise OutcomeUnknown(message, operation=operation.name, item=item) from error
