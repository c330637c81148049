"""The token that clients must send, where one is set."""

import os

TOKEN = "MCGURK_TOKEN"


def read_token(typed: str | None = None) -> str | None:
    """Return the token that clients must send; None where none is set.

    Args:
        typed: What stands in its place in the command; None takes the environment's `TOKEN`.

    Raises:
        ValueError: It is empty, or holds what no header can.
    """
    token = os.environ.get(TOKEN) if typed is None else typed
    if token is None:
        return None
    if not token.isascii() or not token.isprintable() or token != token.strip() or not token:
        name = TOKEN if typed is None else "--token"
        raise ValueError(f"{name} is no token; expected letters, digits and signs of ASCII.")
    return token
