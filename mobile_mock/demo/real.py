"""Real files in place of made ones: the trips are real, their region and period are not, and the summary says so."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from datetime import date
from pathlib import Path

from mobile_mock.demo import show, story
from mobile_mock.demo.host import Failed, Place

# format -> (where its files lie, who sends them, the region they are placed in). The one ValleyBike file of
# 2020 is left out: a shift by whole days would carry it into the future.
SOURCES = {
    "mibici": ("mibici/datos*.csv*", "valleybike", "310000"),
    "valleybike": ("valleybike_raw/VB_Routes_Data_2018*.csv*", "valleybike", "420100"),
    "shenzhen": ("shenzhen_card/*.csv*", "metrolink", "440300"),
}


def send(place: Place, clients: dict[str, tuple[str, Path]], data: Path, month: date) -> Counter[str]:
    """Replay what the folder holds of each source, so that its last month is `month`; how many of each verdict."""
    verdicts: Counter[str] = Counter()
    found = {name: sorted(data.glob(pattern)) for name, (pattern, _, _) in SOURCES.items()}
    if not any(found.values()):
        raise Failed(f"{data} holds none of: {', '.join(pattern for pattern, _, _ in SOURCES.values())}")
    for name, files in found.items():
        if files:
            _, partner, region = SOURCES[name]
            months = len(files) if name == "mibici" else 1  # MiBici publishes a file a month
            first_on = _months_before(month, months - 1)
            show.step("数据 Traffic", f"{len(files)} real {name} files, placed in {region} from {first_on} on")
            verdicts.update(_replay(place, name, files, clients[partner], region, first_on))
    return verdicts


def _months_before(month: date, months: int) -> date:
    years, index = divmod(month.year * 12 + month.month - 1 - months, 12)
    return date(years, index + 1, 1)


def _replay(
    place: Place, name: str, files: list[Path], client: tuple[str, Path], region: str, first_on: date
) -> dict[str, int]:
    ids = place.out / f"{name}.ids"
    ids.write_text(_traffic("people", "--format", name, *map(str, files)))
    subjects = story.people(place, name, client[0], ids)
    last = _traffic(
        "replay", "--format", name, "--base-url", place.base_url, "--client", client[0], "--key", str(client[1]),
        "--subjects", str(subjects), "--region", region, "--shift-to", first_on.isoformat(), *map(str, files),
    ).strip().splitlines()[-1]  # fmt: skip
    totals = json.loads(last)
    show.replayed(name, totals)
    return dict(totals["verdicts"])


def _traffic(*arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "mobile_mock.traffic", *arguments], stdout=subprocess.PIPE, text=True, check=False
    )
    if done.returncode:
        raise Failed(f"mobile_mock.traffic {arguments[0]} failed, see above")
    return done.stdout
