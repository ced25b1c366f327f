"""Made traffic sent in the order of its plan, and what the platform said of each event."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec

from mobile_mock.traffic import client
from mobile_mock.traffic.trips import InputError


@dataclass(frozen=True, slots=True)
class Sender:
    """A partner as the platform knows it, and the subjects of its people."""

    platform: client.Platform
    subjects: Mapping[str, str]


def manifest_of(folder: Path) -> dict[str, Any]:
    """The manifest of made traffic. Raises InputError when the folder holds none."""
    try:
        manifest: dict[str, Any] = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        return manifest
    except (OSError, ValueError):
        raise InputError(f"{folder} holds no made traffic: make it with `generate --out {folder}`") from None


def send(folder: Path, senders: Mapping[str, Sender], on_batch: Callable[[int], None] = lambda _: None) -> int:
    """Send a folder of made traffic and write its verdicts.jsonl; the number of events sent.

    Raises InputError when a partner of the plan has no sender or a person no subject, client.Undelivered when the
    platform does not take a batch (what was said until then is written).
    """
    plan = manifest_of(folder)["plan"]
    if missing := sorted({step["partner"] for step in plan} - set(senders)):
        raise InputError(f"no client is given for {', '.join(missing)}")
    queues = {partner: _events(folder / f"{partner}.jsonl", senders[partner].subjects) for partner in senders}
    lines: dict[str, int] = dict.fromkeys(senders, 0)
    sent = 0
    with (folder / "verdicts.jsonl").open("w", encoding="utf-8") as file:
        for step in plan:
            partner, sender = step["partner"], senders[step["partner"]]
            batch = list(islice(queues[partner], step["events"]))
            before = sender.platform.retries
            for verdict in _said(sender.platform.send(batch), len(batch)):
                lines[partner] += 1
                place = {"partner": partner, "line": lines[partner], "retried": sender.platform.retries > before}
                file.write(json.dumps(place | verdict, ensure_ascii=False) + "\n")
            sent += len(batch)
            on_batch(len(batch))
    return sent


def _events(path: Path, subjects: Mapping[str, str]) -> Any:
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            event = json.loads(line)
            if "partner_ref" in event:
                partner_ref = event.pop("partner_ref")
                if partner_ref not in subjects:
                    raise InputError(f"{path.name}: {partner_ref} has no subject; import {path.stem}.people.csv first")
                event["subject"] = subjects[partner_ref]
            yield event


def _said(answer: bytes, count: int) -> list[dict[str, Any]]:
    client.verdicts(answer, count)
    said: list[dict[str, Any]] = msgspec.json.decode(answer)["verdicts"]
    return said
