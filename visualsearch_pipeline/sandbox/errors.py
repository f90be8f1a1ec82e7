"""What a call can be refused with.

ApiError                    an application error: HTTP 200, an envelope whose code is not "0000"
"""

BAD_PARAMETER = "0001"
UNBINDABLE = "0003"
UNAUTHORIZED = "0401"
NO_CREDITS = "0402"
CONFLICT = "0409"
RATE_LIMITED = "0429"


class ApiError(Exception):
    """An application error, sent as an envelope with HTTP status 200 (contract §1.3, §1.4)."""

    def __init__(self, message: str, *, code: str = BAD_PARAMETER) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
