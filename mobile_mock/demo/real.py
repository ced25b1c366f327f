"""Real files in place of made ones: the trips are real, their region and period are not, and the summary says so."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

from mobile_mock.demo import show, story
from mobile_mock.demo.host import Failed, Place

# format -> (where its files lie, the partner that sends them, the region they are placed in)
SOURCES = {
    "mibici": ("mibici/datos*.csv*", "valleybike", "310000"),
    "valleybike": ("valleybike_raw/*.csv*", "valleybike", "420100"),
    "shenzhen": ("shenzhen_card/*.csv*", "metrolink", "440300"),
}


def send(place: Place, clients: dict[str, tuple[str, Path]], data: Path, month: date) -> list[dict[str, Any]]:
    """Replay what the folder holds of each source; one entry a verdict, with the amounts on the first."""
    said: list[dict[str, Any]] = []
    found = {name: sorted(data.glob(pattern)) for name, (pattern, _, _) in SOURCES.items()}
    if not any(found.values()):
        raise Failed(f"{data} holds none of: {', '.join(pattern for pattern, _, _ in SOURCES.values())}")
    for name, files in found.items():
        if files:
            _, partner, region = SOURCES[name]
            show.step("数据 Traffic", f"{len(files)} real {name} files, placed in {region} from {month} on")
            said += _replay(
                place, name, files[:1] if name == "mibici" else files, partner, clients[partner], region, month
            )
    return said


def _replay(
    place: Place, name: str, files: list[Path], partner: str, client: tuple[str, Path], region: str, month: date
) -> list[dict[str, Any]]:
    ids = place.out / f"{name}.ids"
    ids.write_text(_traffic("people", "--format", name, *map(str, files)))
    subjects = story.people(place, f"{name}", client[0], ids)
    last = _traffic(
        "replay", "--format", name, "--base-url", place.base_url, "--client", client[0], "--key", str(client[1]),
        "--subjects", str(subjects), "--region", region, "--shift-to", month.isoformat(), *map(str, files),
    ).strip().splitlines()[-1]  # fmt: skip
    totals = json.loads(last)
    show.replayed(name, totals)
    said = [
        {"verdict": v, "code": "", "reduction_mg": 0, "points": 0}
        for v, n in totals["verdicts"].items()
        for _ in range(n)
    ]
    if said:
        said[0] |= {"reduction_mg": totals["reduction_mg"], "points": totals["points"]}
    return said


def _traffic(*arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "mobile_mock.traffic", *arguments], stdout=subprocess.PIPE, text=True, check=False
    )
    if done.returncode:
        raise Failed(f"mobile_mock.traffic {arguments[0]} failed, see above")
    return done.stdout
