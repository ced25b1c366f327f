"""The platform's verdicts beside the answer key."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mobile_mock.traffic.trips import InputError


@dataclass(frozen=True, slots=True)
class Mismatch:
    """An event whose verdict is not the one that the truth asks for. Verdicts are 'verdict code'."""

    partner: str
    line: int
    ref: str
    kind: str
    expected: str
    said: str


def grade(folder: Path) -> tuple[int, list[Mismatch]]:
    """The number of events in the key and those that were judged otherwise, or not at all.

    An event of a batch that had to be sent again may come back as `repeated`: then its first verdict counts. Raises
    InputError when the folder holds no key or no verdicts.
    """
    said = {(v["partner"], v["line"]): v for v in _read(folder / "verdicts.jsonl")}
    wrong: list[Mismatch] = []
    count = 0
    for key in _read(folder / "key.jsonl"):
        count += 1
        verdict = said.pop((key["partner"], key["line"]), {})
        if not _agrees(key, verdict):
            place = (key["partner"], key["line"], key["id"], key["kind"])
            wrong.append(Mismatch(*place, _told(key), _told(verdict)))
    wrong += [
        Mismatch(partner, line, str(v.get("id")), "not in the key", "", _told(v)) for (partner, line), v in said.items()
    ]
    return count, wrong


def _agrees(key: dict[str, Any], verdict: dict[str, Any]) -> bool:
    if verdict.get("verdict") == "repeated" and key["verdict"] != "repeated" and verdict.get("retried"):
        verdict = verdict | (verdict.get("original") or {})
    return verdict.get("id") == key["id"] and _told(verdict) == _told(key)


def _told(judged: dict[str, Any]) -> str:
    text = f"{judged.get('verdict', 'nothing')} {judged.get('code', '')}".strip()
    original = judged.get("original") if judged.get("verdict") == "repeated" else None
    return text + (f" (first: {original['verdict']} {original['code']})" if original else "")


def _read(path: Path) -> Iterator[dict[str, Any]]:
    try:
        with path.open(encoding="utf-8") as lines:
            yield from map(json.loads, lines)
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read ({error}): run `generate`, then `send`") from None
