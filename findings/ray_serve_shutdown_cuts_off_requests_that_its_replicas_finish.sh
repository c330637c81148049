#!/usr/bin/env bash
# Versions: ray 2.60.0 with its extra "serve", httpx 0.28.1, Python 3.11, Linux x86-64; seen in November 2026.
#
# Seen: serve.shutdown(), which is what Ctrl-C at `serve run` and `serve shutdown` do, ends the HTTP proxies first. Whoever waits
#   for an answer loses the connection at once, while the replica, which has graceful_shutdown_timeout_s for it, goes on
#   with the request to its end and has nobody to answer. serve.delete() of the application, in the same place, answers
#   the request and then ends.
#
# Expected: what the deployment's option says, that replicas wait until there is no more work to be done before they shut down,
#   and so that the work's result goes out; as with serve.delete(), and as uvicorn, gunicorn or nginx end when told to.
#
# Who is hurt: whoever ends a server while it works: clients see a broken connection instead of an answer or a status, cannot tell
#   whether the request was carried out (it was) and send it again elsewhere; one that is not repeatable is done twice.
#   Nothing in the log tells that requests were lost.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cannot() { echo "Could not be tried: $1." >&2; exit 2; }
"${PYTHON:-python3}" -m venv venv || cannot "no virtual environment"
venv/bin/python -m pip install --quiet --disable-pip-version-check "ray[serve]==2.60.0" httpx==0.28.1 \
    || cannot "the packages are not to be had"

export RAY_USAGE_STATS_ENABLED=0
cat > program.py <<'PYTHON'
import sys
import threading
import time
from pathlib import Path

import httpx
import ray
from ray import serve

WORK_S, GRACE_S, PORT = 4.0, 60.0, 18731
here = Path.cwd()


@serve.deployment(graceful_shutdown_timeout_s=GRACE_S, graceful_shutdown_wait_loop_s=0.2)
class Slow:
    async def __call__(self, request):
        import asyncio

        name = request.query_params["name"]
        (here / f"{name}-begun").touch()
        await asyncio.sleep(WORK_S)
        (here / f"{name}-done").touch()
        return "the answer"


def end_while_at_work(name: str, end) -> tuple[str, bool]:
    """Ask, end the server while it works, and return what the client got and whether the work was done."""
    serve.run(Slow.bind(), name="app")
    got = []

    def ask() -> None:
        try:
            answer = httpx.get(f"http://127.0.0.1:{PORT}/?name={name}", timeout=30)
            got.append(f"{answer.status_code} {answer.text}")
        except httpx.HTTPError as error:
            got.append(type(error).__name__)

    client = threading.Thread(target=ask)
    client.start()
    while not (here / f"{name}-begun").exists():
        time.sleep(0.05)
    time.sleep(0.5)
    start_s = time.monotonic()
    end()
    client.join()
    print(f"serve.{name}(), {WORK_S:g} s of work in hand, {GRACE_S:g} s allowed: the client got {got[0]!r}; ", end="")
    time.sleep(WORK_S)
    done = (here / f"{name}-done").exists()
    print(f"the work was {'done' if done else 'not done'}; ending took {time.monotonic() - start_s - WORK_S:.1f} s")
    return got[0], done


ray.init(
    "local", num_cpus=2, include_dashboard=False, object_store_memory=100 * 2**20, log_to_driver=False,
    _temp_dir=str(here / "ray"),
)
serve.start(http_options={"host": "127.0.0.1", "port": PORT})
deleted = end_while_at_work("delete", lambda: serve.delete("app"))
shut = end_while_at_work("shutdown", serve.shutdown)
ray.shutdown()
holds = deleted == ("200 the answer", True) and not shut[0].startswith("200")
print("The finding holds." if holds else "The finding no longer holds.")
sys.exit(0 if holds else 1)
PYTHON
venv/bin/python program.py 2> errors.txt || { code=$?; tail -n 5 errors.txt >&2; exit "$code"; }
