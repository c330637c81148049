#!/usr/bin/env bash
# Versions: diffusers 0.42.1, torch 2.13.0 (CPU), numpy 2.4.6, Python 3.11, Linux x86-64; seen in November 2026.
#
# Seen: add_noise of DPMSolverMultistepScheduler, as it is built, gives for time 0 what belongs to time 999, almost nothing but noise,
#   and for time 999 the clean latents; DPMSolverSinglestep, DEISMultistep and UniPCMultistep do the same. After set_timesteps(20) the
#   20 times of that schedule are right, and nearly all others get the noise of one and the same time, the second-lowest of
#   the schedule. Nothing is said about it. The list of times is looked up in falling order and the list of noises lies in rising
#   order until set_timesteps turns it; what is not found takes a fixed place.
#
# Expected: the same noise at the same time as DDPM, DDIM, PNDM, LCM and SASolver give, before set_timesteps and after it; or
#   an error, as the Euler and Heun schedulers raise for a time that is not in their schedule.
#
# Who is hurt: whoever trains with the scheduler that came with a pipeline (pipe.scheduler.add_noise), or measures a model's
#   denoising loss by it: at each time the model is shown the noise of another, and the sampling afterwards, by the
#   same scheduler, asks for what it was never shown. The schedulers are otherwise exchangeable by one line, and
#   a comment in the code has this way of training in mind.
#
# It downloads PyTorch (some hundred megabytes; more where pip takes the files for graphics cards).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cannot() { echo "Could not be tried: $1." >&2; exit 2; }
"${PYTHON:-python3}" -m venv venv || cannot "no virtual environment"
venv/bin/python -m pip install --quiet --disable-pip-version-check \
    diffusers==0.42.1 torch==2.13.0 numpy==2.4.6 || cannot "the packages are not to be had"

venv/bin/python -W ignore - <<'PYTHON'
import sys

import diffusers
import torch

NOISE = dict(beta_schedule="scaled_linear", beta_start=0.00085, beta_end=0.012)
TIMES = (0, 100, 500, 900, 999)
SOLVERS = ("DPMSolverMultistep", "DPMSolverSinglestep", "DEISMultistep", "UniPCMultistep")


def share(scheduler, time: int) -> float:
    """The factor of the noise in what add_noise returns."""
    return scheduler.add_noise(torch.zeros(1), torch.ones(1), torch.tensor([time])).item()


def build(name: str):
    return getattr(diffusers, f"{name}Scheduler")(**NOISE)


def tell(title: str, shares: list[float]) -> None:
    print(f"{title}: " + ", ".join(f"{value:.3f} at {time}" for time, value in zip(TIMES, shares)))


right = [share(build("DDPM"), time) for time in TIMES]
tell("noise by DDPM", right)
peers = {name: [share(build(name), time) for time in TIMES] for name in ("DDIM", "PNDM", "SASolver")}
holds = all(abs(a - b) < 1e-3 for shares in peers.values() for a, b in zip(shares, right))
print(f"DDIM, PNDM and SASolver give the same: {holds}")
for name in SOLVERS:
    scheduler = build(name)
    turned = [share(scheduler, time) for time in TIMES]
    tell(name, turned)
    scheduler.set_timesteps(20)
    ddpm = build("DDPM")
    on = [abs(share(scheduler, time) - share(ddpm, time)) < 1e-3 for time in scheduler.timesteps.tolist()]
    others = sorted(set(range(1000)) - set(scheduler.timesteps.tolist()))
    off = [round(share(scheduler, time), 3) for time in others]
    most = max(set(off), key=off.count)
    print(f"    set to 20 steps: {sum(on)} of {len(on)} times right; of the {len(off)} others {off.count(most)} get {most}")
    holds &= all(abs(a - b) < 0.01 for a, b in zip(turned, reversed(right)))
    holds &= all(on) and off.count(most) == len(off)
print("The finding holds." if holds else "The finding no longer holds.")
sys.exit(0 if holds else 1)
PYTHON
