"""Pieces of the page in HTML: how far the work is, the player, downloads, and the door."""

from collections.abc import Mapping
from html import escape

from tasks.serving.gate import PAGE

ICON = (  # a mouth
    '<link rel="icon" href="data:image/svg+xml,%3Csvg xmlns=%22http://www.w3.org/2000/svg%22 '
    "viewBox=%220 0 16 16%22%3E%3Cpath d=%22M1 8q3.5-4 7-2 3.5-2 7 2-7 9-14 0z%22 "
    'fill=%22%23d6336c%22/%3E%3C/svg%3E">'
)
KINDS = {"audio": "Sound", "video": "Video"}


def short_clock(seconds: float) -> str:
    """Format seconds as people read them: 0:07, 12:30, 1:02:03."""
    minutes, whole = divmod(max(0, int(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{whole:02d}" if hours else f"{minutes}:{whole:02d}"


def describe_pace(
    done_s: float, length_s: float | None, taken_s: float
) -> tuple[float | None, str]:
    """Say how far something is, and how long it may take yet.

    Args:
        done_s: Seconds of the file that are done.
        length_s: Seconds that it lasts, None where that is not known.
        taken_s: Seconds that it took so far.

    Returns:
        The part that is done, 0 to 1, or None; and words.
    """
    if not length_s:
        return None, f"{short_clock(done_s)} so far"
    part = min(1.0, done_s / length_s)
    told = f"{short_clock(done_s)} of {short_clock(length_s)}"
    if part >= 1:
        return part, told
    if part > 0.05 and taken_s > 1:
        left_s = taken_s * (1 - part) / part
        told += f", about {short_clock(left_s + 1)} left"
    return part, told


def write_progress(told: str, done: float | None = None, detail: str = "") -> str:
    """Say what is being done.

    Args:
        told: The step; read out by screen readers when it changes.
        done: Part of it that is done, 0 to 1; None where that is not known.
        detail: How far it is in words; changes often and is not read out.
    """
    value = "" if done is None else f' value="{min(1.0, max(0.0, done)):.3f}"'
    more = f' <span class="mcgurk-detail" aria-hidden="true">{escape(detail)}</span>'
    return (
        f'<p role="status" class="mcgurk-told">{escape(told)}</p>'
        f'<progress aria-label="Progress" max="1"{value}></progress>{more if detail else ""}'
    )


def write_note(told: str) -> str:
    """Say how it ended."""
    return f'<p role="status" class="mcgurk-told">{escape(told)}</p>'


def write_failure(told: str) -> str:
    """Say in a sentence why there is no result."""
    return f'<p role="alert" class="mcgurk-failure">{escape(told)}</p>'


def write_player(place: str, kind: str, note: str = "") -> str:
    """Show what was recognised.

    Args:
        place: Where the file is, from the page's address.
        kind: "video" or "audio".
        note: What is to be known of it.
    """
    label = f"{KINDS[kind]} that was transcribed"
    told = f'<p class="mcgurk-quiet">{escape(note)}</p>' if note else ""
    return (
        f'<{kind} id="mcgurk-player" controls playsinline preload="metadata" '
        f'aria-label="{label}" src="files/{escape(place)}"></{kind}>{told}'
    )


def write_downloads(files: Mapping[str, str], name: str) -> str:
    """List files to take along.

    Args:
        files: Where each is, from the page's address, by what it is called.
        name: What they are saved as, without a suffix.
    """
    if not files:
        return ""
    links = [
        f'<li><a href="files/{escape(place)}" download="{escape(_name(name, place))}">'
        f"{escape(label)}</a></li>"
        for label, place in files.items()
    ]
    return f'<h3>Downloads</h3><ul class="mcgurk-downloads">{"".join(links)}</ul>'


def _name(name: str, place: str) -> str:
    """Return what a download is saved as; a preview is not called like the file it is of."""
    suffix = place.rpartition(".")[2]
    return f"{name}.preview.{suffix}" if suffix == "mp4" else f"{name}.{suffix}"


def write_login(wrong: bool = False) -> str:
    """Ask for the token.

    Args:
        wrong: Whether another one was sent.
    """
    told = '<p role="alert">That is not the token of this server.</p>' if wrong else ""
    return LOGIN.format(told=told, page=PAGE, icon=ICON)


LOGIN = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>mcgurk</title>
{icon}
<style>
:root {{ color-scheme: light dark; }}
body {{ font: 1rem/1.5 system-ui, sans-serif; display: grid; place-items: center;
  min-height: 100vh; margin: 0; }}
form {{ display: grid; gap: 0.75rem; width: min(22rem, 88vw); }}
h1 {{ font-size: 1.5rem; margin: 0; }}
p {{ margin: 0; }}
p[role=alert] {{ color: light-dark(#b3261e, #ffb4ab); }}
input, button {{ font: inherit; padding: 0.6rem; border-radius: 0.5rem; border: 1px solid #888; }}
button {{ background: #1d4ed8; border-color: #1d4ed8; color: white; cursor: pointer; }}
</style>
</head>
<body>
<main><form method="post" action="{page}/login">
<h1>mcgurk</h1>
<label for="token">Token of this server</label>
<input id="token" name="token" type="password" autocomplete="current-password" required autofocus>
{told}
<button>Open the page</button>
</form></main>
</body>
</html>
"""
