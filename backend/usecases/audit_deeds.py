"""The leaves of deeds: each version opens its commitment again, and every record of it is replayed from its pack."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date
from functools import lru_cache
from typing import Any

from backend.store import audit, db, log
from backend.usecases import narrow_deeds
from backend.usecases.collect_findings import Check
from rules import replay

NARROWED = 200  # deeds that are looked into closely
CALCULATIONS = 100_000  # that are remembered: many rides are as long as another

Leaf = tuple[int, str, int, int, bytes]  # index, kind, ref_id, ref_no, entry
Key = tuple[int, int]  # deed, version


class Packs:
    """The packs that judged here, by the hash of their pack.json."""

    def __init__(self, conn: db.Connection) -> None:
        self.check = Check("packs", "方法学包", "packs that judged")
        self.packs: dict[str, dict[str, Any]] = {}
        for row in audit.packs(conn):
            self.check.counts["packs"] += 1
            name, text = f"pack_version {row['content_sha256']}", row["pack_json"]
            found = hashlib.sha256(text.encode()).hexdigest()
            if found != row["content_sha256"]:
                self.check.differs([name], "sha256", found, row["content_sha256"])
                continue
            try:
                pack = json.loads(text)
                named = (("pack_code", pack["code"]), ("pack_version", pack["version"]))
            except (ValueError, KeyError, TypeError):
                self.check.find([name], "this is no pack", "这不是方法学包")
                continue
            self.packs[found] = pack
            for column, expected in named:
                if row[column] != expected:
                    self.check.differs([name], column, row[column], expected)
        self.measured = lru_cache(CALCULATIONS)(self._measured)

    def _measured(self, sha256: str, region: str, facts: str, on: date, evidence: str) -> int:
        """Milligrams, as anybody replays them. Raises what a calculation raises for facts that fit no pack."""
        calculation = replay.calculate(self.packs[sha256], region, json.loads(facts or "{}"), on, evidence)
        return int(calculation["measured_mg"])


class DeedAudit:
    """What was found of deeds so far."""

    def __init__(self, conn: db.Connection) -> None:
        self.conn = conn
        self.deeds = Check("deeds", "行为", "deeds")
        self.receipts = Check("receipts", "收据", "receipts")
        self.packs = Packs(conn)
        self._narrowed = 0

    def check_leaves(self, found: Sequence[Leaf]) -> None:
        keys = [(deed_id, version) for _, _, deed_id, version, _ in found]
        rows = {(row["deed_id"], row["version"]): row for row in log.deed_versions(self.conn, keys)} if keys else {}
        records: dict[Key, list[dict[str, Any]]] = defaultdict(list)
        for record in log.deed_records(self.conn, keys) if keys else ():
            records[record["deed_id"], record["version"]].append(record)
        for index, _, deed_id, version, entry in found:
            key = (deed_id, version)
            self.deeds.counts["versions"] += 1
            if key not in rows:
                self.deeds.counts["erased versions"] += 1  # or deleted: see audit_facts
            elif rows[key]["salt"] is None:
                person = f"person {rows[key]['person_id']}"
                self.deeds.find([person, f"deed {deed_id}/{version}"], "the person is gone, the deed is there",
                                "此人已不在，其行为仍在")  # fmt: skip
            else:
                self._check(rows[key], records[key], index, entry)
        for several in records.values():
            for record in several:
                self._replay(record)

    def _check(self, row: Mapping[str, Any], records: list[dict[str, Any]], index: int, entry: bytes) -> None:
        if narrow_deeds.is_opened(row, records, entry):
            return
        name = f"deed {row['deed_id']}/{row['version']}"
        self._narrowed += 1
        suspect = None
        if self._narrowed <= NARROWED:
            suspect = narrow_deeds.narrow_deed(self.conn, row, records, entry, self.packs)
        if suspect:
            rows = [*suspect.rows, name, f"log_leaf {index}"]
            self.deeds.differs(rows, f"{rows[0]} {suspect.what}", suspect.found, suspect.expected)
            return
        rows = narrow_deeds.rows_of(self.conn, row, records)
        self.deeds.find(
            [*rows, f"log_leaf {index}"], f"the rows of {name} do not open its commitment", f"{name} 的行打不开其承诺"
        )

    def _replay(self, record: Mapping[str, Any]) -> None:
        """A record comes to the same milligram again, and no more was credited than its verdict allows."""
        if record["pack"] is None:  # judged before packs were kept
            self.receipts.counts["records without a pack"] += 1
            return
        self.receipts.counts["records"] += 1
        rows = [f"event {record['event_id']}", f"deed {record['deed_id']}/{record['version']}"]
        if record["pack"] not in self.packs.packs:
            self.receipts.find(
                [f"pack_version {record['pack']}", *rows], "the pack that judged is not here", "缺少判定所用的包"
            )
            return
        facts = (record["region"], record["facts"], record["day"], record["evidence"])
        try:
            measured = self.packs.measured(record["pack"], *facts)
            if measured != record["measured_mg"]:
                self.receipts.differs(
                    rows, f"measured_mg of event {record['event_id']}", record["measured_mg"], measured
                )
                return
            replay._check_credited({"credited": record}, measured)
        except replay.MALFORMED as error:  # Refused is one of them
            english, _, chinese = str(error).partition(" / ")
            self.receipts.find(rows, english, chinese or english)
