"""Where commands write: what was asked for on standard output, everything else on standard error."""

from __future__ import annotations

from rich.console import Console


class _Console(Console):
    """A console whose reader may go away, as `head` does: that is told to the shell, and to nobody else."""

    def on_broken_pipe(self) -> None:
        """Leave it to `main`."""
        raise BrokenPipeError


out = _Console()
err = _Console(stderr=True)
