"""What can go wrong with the receiver as a whole."""


class CannotListen(Exception):  # noqa: N818  says what happened
    """The address cannot be listened on. The message says which and why."""
