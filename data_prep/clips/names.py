"""What the files and the shards' entries of a clip are called, whatever its id is."""

import re
from hashlib import sha256
from urllib.parse import quote, unquote

PART = 200  # characters of a part of a key; file systems take names of 255 bytes
LONGEST = 180  # bytes of a file's name, before a suffix and the mark of unfinished files
UNFIT = re.compile(r"[/\0]")  # what no name of a file may hold
EMPTY = "%"  # is the key of no other id, whose "%" is written "%25"


def key_of(clip_id: str) -> str:
    """Return the key of a clip in a shard, another one for each id.

    webdataset ends a key at the first dot, takes a slash for a folder, and passes over folders such
    as "__meta__". So all but ASCII letters, digits, "_", "-" and "~" is escaped as in addresses of
    the web ("a.b" is "a%2Eb"), and a slash parts what is long, so that it can be unpacked.

    Args:
        clip_id: Any text; ids without other characters are their keys.
    """
    key = quote(clip_id, safe="", errors="surrogatepass").replace(".", "%2E")
    if key.startswith("__"):
        key = f"%5F{key[1:]}"
    return "/".join(key[n : n + PART] for n in range(0, len(key), PART)) or EMPTY


def id_of(key: str) -> str:
    """Return the id of the clip whose key `key_of` gave."""
    return "" if key == EMPTY else unquote(key.replace("/", ""), errors="surrogatepass")


def file_name_of(clip_id: str) -> str:
    """Return what the files of a clip are called, without suffix, another name for each id.

    It is the id itself. Of one that is too long, or that has slashes (as cuts of lhotse may), it is
    a part, with "_" for slashes, and a digest of the whole.

    Args:
        clip_id: Any text.
    """
    data = clip_id.encode(errors="surrogatepass")
    if len(data) <= LONGEST and not UNFIT.search(clip_id):
        return clip_id
    start = UNFIT.sub("_", data[: LONGEST - 17].decode(errors="ignore"))
    return f"{start}-{sha256(data).hexdigest()[:16]}"
