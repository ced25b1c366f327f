"""What the front page shows a partner works as it is printed."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

from backend.app import create_app
from tests import cast, phones, serving

README = (Path(__file__).parents[2] / "README.md").read_text("utf-8")


def test_the_python_of_the_front_page_sends_an_event_and_gets_its_verdict(
    database_url: str, redis_url: str, tmp_path: Path
) -> None:
    [program] = re.findall(r"```python\n(.+?)```", README, re.DOTALL)
    port = serving.free_port()
    address = {"TANPUHUI_PUBLIC_URL": f"http://127.0.0.1:{port}"}
    with (
        cast.stage(database_url, redis_url, **address) as stage,
        phones.serving(create_app(stage.platform), port) as base,
    ):
        partner = stage.partner("Valley Bike", ["lin"])
        (tmp_path / "bikes.key").write_text(json.dumps(partner.key))
        ride = cast.recent()
        for shown, real in {
            "http://127.0.0.1:8000": base, "pa-…": partner.id, "bikes.key": str(tmp_path / "bikes.key"),
            "<the subject from subjects.csv>": partner.subjects["lin"],
            "2026-11-01T08:40:11+08:00": ride.isoformat(),
            "2026-11-01T08:52:40+08:00": (ride + timedelta(minutes=12)).isoformat(),
        }.items():  # fmt: skip
            assert shown in program, shown
            program = program.replace(shown, real)
        names: dict[str, Any] = {}
        exec(program, names)
        [verdict] = names["answer"].json()["verdicts"]
    assert (verdict["verdict"], verdict["code"]) == ("credited", "ok")
