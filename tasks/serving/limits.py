"""What one client may ask of the server, and all of them together."""

from dataclasses import dataclass, fields

MEGABYTE = 1024 * 1024
LARGEST = 2.0**63


@dataclass(frozen=True)
class Limits:
    """Bounds; beyond them a request is refused, and no other suffers.

    Attributes:
        upload_bytes: Size of a file.
        duration_s: Seconds of sound in a file.
        upload_s: Seconds that the upload of a request may last.
        patience_s: Seconds that an upload may be silent; from then on it must also have come at
            `least_pace` on the whole.
        least_pace: Bytes per second of a client that is no longer waited for below it.
        request_s: Seconds from the end of the upload to the end of the answer.
        queue: Requests that may wait while others are worked on.
        at_once: Requests that are worked on at once.
        uploads: Requests whose files may arrive at once.
        models: How many models are kept loaded.
        model_bytes: What they may take together; one alone may take more.
        grace_s: Seconds that are left to requests when the server is told to end.
        connections: Open connections; one more is closed at once.
    """

    upload_bytes: int = 100 * MEGABYTE
    duration_s: float = 7200.0
    upload_s: float = 120.0
    patience_s: float = 10.0
    least_pace: int = 1000
    request_s: float = 600.0
    queue: int = 16
    uploads: int = 32
    at_once: int = 1
    models: int = 2
    model_bytes: float = LARGEST
    grace_s: float = 30.0
    connections: int = 256

    def __post_init__(self):
        for field in fields(self):
            value = getattr(self, field.name)
            if not 0 < value < float("inf"):
                raise ValueError(f"{field.name} is {value}; expected a number above 0.")

    @property
    def longest_s(self) -> float:
        """Seconds after which no request can be at work any more."""
        return self.upload_s + self.request_s + 2 * self.patience_s
