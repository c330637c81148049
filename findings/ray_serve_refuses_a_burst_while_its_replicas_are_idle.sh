#!/usr/bin/env bash
# Versions: ray 2.60.0 with its extra "serve", Python 3.11, Linux x86-64; seen in November 2026.
#
# Seen: max_queued_requests counts each request that a handle or a proxy has not handed on yet, also those for which there is
#   room. Of 64 calls made at once to two idle replicas that take 100 each, with max_queued_requests=8, about 50 are
#   refused (BackPressureError, over HTTP 503); one after the other all are answered. The message speaks of a queue that is
#   full, and never of replicas that have nothing to do.
#
# Expected: what the documentation of load shedding says, that requests are queued if all replicas are busy and cannot accept more,
#   and that the option limits those: below 2 x 100 requests nothing waits and nothing is refused. A comment in the router's
#   source knows that "more than strictly necessary" may be refused; here it is most.
#
# Who is hurt: whoever bounds the queue tightly to keep waiting short, and whoever calls a bounded deployment for each item of a
#   list (handle.remote(item) for item in items), which is how several calls are made at once: work is refused by an
#   idle system, more of it the larger the burst, and adding replicas does not help.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cannot() { echo "Could not be tried: $1." >&2; exit 2; }
"${PYTHON:-python3}" -m venv venv || cannot "no virtual environment"
venv/bin/python -m pip install --quiet --disable-pip-version-check "ray[serve]==2.60.0" \
    || cannot "the packages are not to be had"

export RAY_USAGE_STATS_ENABLED=0
cat > program.py <<'PYTHON'
import asyncio
import sys
from pathlib import Path

import ray
from ray import serve
from ray.serve.exceptions import BackPressureError

CALLS, ROOM, QUEUE, REPLICAS = 64, 100, 8, 2


@serve.deployment(
    num_replicas=REPLICAS, max_ongoing_requests=ROOM, max_queued_requests=QUEUE, ray_actor_options={"num_cpus": 0.5}
)
class Waits:
    async def __call__(self, number: int) -> int:
        await asyncio.sleep(0.5)
        return number


def count_refused(responses) -> int:
    refused = 0
    for response in responses:
        try:
            response.result()
        except BackPressureError as error:
            refused += 1
            said.add(str(error).partition("(")[0])
    return refused


said: set[str] = set()
ray.init(
    "local", num_cpus=2, include_dashboard=False, object_store_memory=100 * 2**20, log_to_driver=False,
    _temp_dir=str(Path.cwd() / "ray"),
)
serve.start(http_options={"host": None})
handle = serve.run(Waits.bind(), name="app", route_prefix=None)
assert handle.remote(0).result() == 0
apart = sum(count_refused([handle.remote(number)]) for number in range(16))
bursts = [count_refused([handle.remote(number) for number in range(CALLS)]) for _ in range(3)]
serve.shutdown()
ray.shutdown()
print(f"{REPLICAS} idle replicas with room for {ROOM} each, max_queued_requests={QUEUE}")
print(f"one after the other: {apart} of 16 refused")
print(f"{CALLS} at once, three times: {', '.join(map(str, bursts))} refused: {' '.join(said)}")
holds = apart == 0 and min(bursts) >= CALLS // 4
print("The finding holds." if holds else "The finding no longer holds.")
sys.exit(0 if holds else 1)
PYTHON
venv/bin/python program.py 2> errors.txt || { code=$?; tail -n 5 errors.txt >&2; exit "$code"; }
