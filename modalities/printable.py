"""Names of files as text that can be printed and written, whatever bytes they are."""


def printable(text: str) -> str:
    r"""Return a text in which what is no Unicode, as of old file names, stands as "\udce9"."""
    return text.encode(errors="backslashreplace").decode()
