"""What the soak plans and tells; the soak itself takes minutes."""

import pytest

from tools.soak_server import BURST, KINDS, SHARES, describe_memory, draw_memory, plan, tabulate


def test_a_plan_has_as_many_requests_as_were_asked_for_and_all_kinds():
    planned = plan(500)
    kinds = [kind for kind, _ in planned]
    assert set(kinds) == set(SHARES) == set(KINDS)
    rounds = kinds.count("burst")
    assert kinds.count("good") == SHARES["good"] * rounds
    count = len(kinds) + rounds * (BURST - 1)
    assert 500 <= count < 500 + sum(SHARES.values()) + BURST
    assert planned == plan(500) != plan(500, seed=1)


def test_each_status_is_counted():
    told = tabulate({("burst", 429): 16, ("burst", 200): 8, ("hang-up", 0): 2})
    assert "| 24 | 24 clips at once | 8 x 200, 16 x 429 |" in told
    assert "| 2 | hung up in the upload or before the answer | not waited for |" in told


def test_memory_is_told_by_quarters_and_drawn_small(tmp_path):
    memory = [(float(second), 100.0 + second) for second in range(600)]
    assert "175, 325, 475, 625 MB; at most 699 MB" in describe_memory(memory)
    draw_memory(memory, tmp_path / "memory.png")
    assert 1000 < (tmp_path / "memory.png").stat().st_size < 40_000


def test_a_form_is_read_as_it_was_written(tmp_path):
    pytest.importorskip("fastapi")
    pytest.importorskip("python_multipart")
    from fastapi import FastAPI, Request
    from starlette.testclient import TestClient

    from tools.served import BOUNDARY, form

    app = FastAPI()

    @app.post("/")
    async def read(request: Request) -> dict[str, str]:
        got = await request.form()
        return {"model": str(got["model"]), "file": (await got["file"].read()).decode()}  # type: ignore[union-attr]

    kind = {"content-type": f"multipart/form-data; boundary={BOUNDARY}"}
    told = TestClient(app).post("/", content=form(b"sound\r\n--", {"model": "a"}), headers=kind)
    assert told.json() == {"model": "a", "file": "sound\r\n--"}
