"""The mcgurk program; `python -m tasks` is the same."""

import io
import os
import signal
import sys
import threading
from types import FrameType

INTERRUPTED = 130
USER_ERROR = 2
interrupts: list[int] = []  # the signals that came
stops: list[int] = []  # likewise of those that end the program
SOON = 0.05  # seconds after which an interrupt that was lost comes again


def main() -> None:
    """Run a command and exit: 0, 2 with one line on stderr for a mistake, 130 for Ctrl-C.

    Without a command it prints the help on stderr, and exits with 2 too.
    """
    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGINT, _interrupt)
    _keep_interrupts()
    # Two programs on one machine otherwise slow each other down tenfold: idle threads of torch
    # keep the cores busy while they wait.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    for stream in (sys.stdout, sys.stderr):  # names of files may hold bytes that no terminal shows
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        code = run(sys.argv[1:])
    finally:
        if interrupts:  # what libraries do at the end is not to be interrupted once more
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            # An interrupt that came out of an `exec` of a library (a dataclass of one, say) has
            # Python kill itself instead of giving our exit code, until another `exec` went well.
            exec("")
        # A library may turn our exit code into its own, as Ray does.
        if stops:
            sys.exit(128 + stops[0])
    sys.exit(code)


def run(arguments: list[str]) -> int:
    """Run the program on its arguments and return the exit code."""
    try:
        return _run(arguments)
    except KeyboardInterrupt:  # while the commands themselves are loaded
        return _tell_interrupt()
    except Exception:
        # An interrupt in the middle of a library's C code can come out as any error.
        if not interrupts:
            raise
    return _tell_interrupt()


def _run(arguments: list[str]) -> int:
    from tasks.cli.quiet import silence_libraries

    silence_libraries()  # before any library is loaded
    from typer.exceptions import Abort, TyperException

    from tasks.cli import app

    try:
        code = app(arguments, standalone_mode=False) or 0
        return _tell_interrupt() if code == INTERRUPTED else code
    except (KeyboardInterrupt, Abort):
        return _tell_interrupt()
    except BrokenPipeError:
        # The reader of our output is gone; there is nobody to tell.
        sys.stderr.close()
        return USER_ERROR
    except TyperException as error:
        message = error.format_message()
        if _is_help(error):  # a group without a command; its help keeps its lines
            print(message, file=sys.stderr)
            return USER_ERROR
    except OSError as error:
        message = _describe(error)
    except ValueError as error:
        message = str(error)
    if interrupts:
        return _tell_interrupt()
    if message:
        print(f"mcgurk: {' '.join(message.split())}", file=sys.stderr)
    return USER_ERROR


def _is_help(error: Exception) -> bool:
    """Say whether an error of typer is but the help that it shows where no command is given."""
    context = getattr(error, "ctx", None)
    return context is not None and str(error) == context.get_help()


def _tell_interrupt() -> int:
    print(
        "mcgurk: interrupted; what was finished is kept, nothing is left half-written.",
        file=sys.stderr,
    )
    return INTERRUPTED


def _interrupt(number: int, frame: FrameType | None) -> None:
    interrupts.append(number)
    raise KeyboardInterrupt


def _keep_interrupts() -> None:
    """Have an interrupt come again that arose where Python only prints what is raised.

    That is in a `__del__`, for example, or in what runs between a fork and the program it starts;
    such a child ends with the program it was made by, and has nothing to say.
    """
    ours, before = os.getpid(), sys.unraisablehook

    def hear(unraisable: "sys.UnraisableHookArgs") -> None:
        if not isinstance(unraisable.exc_value, KeyboardInterrupt):
            before(unraisable)
        elif os.getpid() == ours:
            wake = signal.pthread_kill, (threading.main_thread().ident, signal.SIGINT)
            threading.Timer(SOON, *wake).start()

    sys.unraisablehook = hear


def _describe(error: OSError) -> str:
    if error.strerror is None:
        return str(error)
    where = f"{error.filename}: " if error.filename else ""
    return f"{where}{error.strerror}. Check the path, its permissions and the space left."


def _stop(number: int, frame: FrameType | None) -> None:
    stops.append(number)
    # SystemExit runs the clean-up that the default action would skip.
    raise SystemExit(128 + number)


if __name__ == "__main__":
    main()
