"""A small log in memory, and the files that its platform would hand out: receipt, membership, certificate, heads."""

from __future__ import annotations

import base64
import copy
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import cache
from typing import Any

import rfc8785
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from rewards import certificates, leaves, merkle, notes, offline, recalling
from rewards.offline_script import verify_file
from rewards.serials import Span
from rules import quantification, receipts, replay, standard

STANDARD = standard.load()
PACK = STANDARD.pack_version("metro", "1.0.0")
SHANGHAI = STANDARD.regions["310000"]
NUMBER, BATCH, OTHER_BATCH = "TPH-C-2026-000001", 7, 8
POOL = "310000.metro.1.0.0.202606"
USCC = "91440300708461136T"
ENTITY = {"name": "深圳绿源", "name_en": "Shenzhen Lvyuan", "uscc": USCC}
RETIRED_AT = datetime(2026, 11, 20, 3, 4, 5, 678_901, tzinfo=UTC)
DEEDS = 23


def b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


@dataclass
class Log:
    """An append-only log with the key that signs for it."""

    seed: int = 1
    origin: str = "tanpuhui.example/v1/log"
    entries: list[bytes] = field(default_factory=list)
    witnesses: list[tuple[str, int]] = field(default_factory=list)  # name, seed

    @property
    def private(self) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(bytes([self.seed]) * 32)

    @property
    def key(self) -> notes.NoteKey:
        return notes.NoteKey(self.origin, notes.ED25519, self.private.public_key().public_bytes_raw())

    def sign(self, body: dict[str, Any]) -> dict[str, str]:
        value = base64.urlsafe_b64encode(self.private.sign(rfc8785.dumps(body))).rstrip(b"=").decode()
        return {"kid": offline.thumbprint(self.key.public), "alg": "EdDSA", "value": value}

    def add(self, entry: bytes) -> int:
        self.entries.append(entry)
        return len(self.entries) - 1

    def tree(self, size: int) -> merkle.Tree:
        return tree([merkle.leaf_hash(entry) for entry in self.entries], size)

    def head(self, size: int | None = None) -> str:
        """The signed and cosigned head of a size."""
        size = len(self.entries) if size is None else size
        text = notes.head_text(self.origin, size, self.tree(size).root())
        lines = [notes.signature_line(self.key, self.private.sign(text.encode()))]
        for name, seed in self.witnesses:
            key, private = witness(name, seed)
            stamped = (1_795_000_000).to_bytes(8, "big") + private.sign(notes.cosigned_message(text, 1_795_000_000))
            lines.append(notes.signature_line(key, stamped))
        return f"{text}\n{''.join(lines)}"

    def logged(self, index: int) -> dict[str, str]:
        size = len(self.entries)
        proof = notes.Proof(index, tuple(self.tree(size).inclusion(index)), self.head())
        return {"entry": self.entries[index].decode(), "proof": notes.proof_text(proof)}

    def growth(self, old: int, size: int) -> bytes:
        """The answer of GET /v1/log/proofs/consistency."""
        return dumps({"from": old, "to": size, "path": [b64(one) for one in self.tree(size).consistency(old)]})


def tree(hashes: Sequence[bytes], size: int) -> merkle.Tree:
    def tiles(level: int, index: int, width: int) -> Sequence[bytes]:
        assert level == 0
        return hashes[index * merkle.TILE_WIDTH :][:width]

    return merkle.Tree(size, tiles)


def witness(name: str, seed: int) -> tuple[notes.NoteKey, Ed25519PrivateKey]:
    private = Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32)
    return notes.NoteKey(name, notes.COSIGNATURE, private.public_key().public_bytes_raw()), private


def dumps(document: Any) -> bytes:
    return json.dumps(document, ensure_ascii=False).encode()


# --- the files --------------------------------------------------------------------------------------------------------


@dataclass
class Case:
    """What a platform hands out, by kind of file, and its log."""

    log: Log
    receipt: dict[str, Any]
    membership: dict[str, Any]
    certificate: dict[str, Any]
    pack: bytes

    def of(self, kind: str) -> Any:
        return self.log.head() if kind == "checkpoint" else getattr(self, kind)

    def verify(self, kind: str, document: Any = None, **more: Any) -> list[str]:
        """Check a file with the platform's key and pack, unless other ones are given."""
        document = self.of(kind) if document is None else document
        raw = document if isinstance(document, bytes) else document.encode() if isinstance(document, str) else None
        unlogged = more.pop("unlogged", False)
        files = {"key": [str(self.log.key).encode()], "pack": [self.pack]} | more
        return verify_file(kind, dumps(document) if raw is None else raw, files, unlogged=unlogged)


Change = Callable[[Any], Any]


def made(
    *,
    content: Change = lambda body: body,
    retirement: Change = lambda entry: entry,
    close: Change = lambda entry: entry,
    amendments: Change = lambda bodies: bodies,
    amended: Change = lambda entry: entry,
    **log: Any,
) -> Case:
    """All files of one retirement; the changes are made before signing and logging, as a platform would that lies."""
    book = Log(**log)
    entry, receipt = _receipt()
    index = book.add(entry)
    others = [leaves.deed_entry(receipt["head"], bytes([n]) * 32) for n in range(1, DEEDS)]
    for other in others:
        book.add(other)
    members = sorted(merkle.leaf_hash(one) for one in (entry, *others))
    members_root = merkle.tree_root([merkle.leaf_hash(one) for one in members])
    said = {"batch": BATCH, "pool": POOL, "members_root": b64(members_root), "reduction_mg": 9_000_000, "deeds": DEEDS,
            "gas_basis": "CO2e", "demonstration": False, "at": "2026-08-01T00:00:00+00:00"}  # fmt: skip
    closed = book.add(leaves.entry("close", close(said), bytes(32)))
    body = content(_certificate(members_root))
    retired = book.add(leaves.entry("retirement", retirement(_retirement(body)), bytes(32)))
    bodies = amendments(_amendments())
    placed = [book.add(leaves.entry("amendment", amended(_amended(one)), bytes(32))) for one in bodies]
    place = members.index(merkle.leaf_hash(entry))
    batch = {
        "batch": BATCH, "index": place, "size": DEEDS, "close": book.logged(closed), "certificates": [NUMBER],
        "path": [b64(one) for one in tree([merkle.leaf_hash(one) for one in members], DEEDS).inclusion(place)],
    }  # fmt: skip
    certificate = {
        "certificate": body, "signature": book.sign(body), "log": book.logged(retired),
        "amendments": [
            {"amendment": one, "signature": book.sign(one), "log": book.logged(at)}
            for one, at in zip(bodies, placed, strict=True)
        ],
    }  # fmt: skip
    receipt |= {"log": book.logged(index), "batch": batch}
    opening = leaves.deed_opening(base64.b64decode(receipt["salt"]), _body(receipt))
    membership = {"format": "tanpuhui-membership/1", "head": receipt["head"], "opening": b64(opening),
                  "log": receipt["log"], "batch": batch, "certificate": certificate}  # fmt: skip
    assert PACK
    return Case(book, receipt, membership, certificate, PACK.document)


def put(*path: Any) -> Change:
    """Change what stands at a path; the last of it is the new value."""
    *keys, last, value = path

    def change(document: Any) -> Any:
        holder = document
        for key in keys:
            holder = holder[key]
        holder[last] = value(holder[last]) if callable(value) else value
        return document

    return change


def drop(*path: Any) -> Change:
    *keys, last = path

    def change(document: Any) -> Any:
        holder = document
        for key in keys:
            holder = holder[key]
        del holder[last]
        return document

    return change


@cache
def _honest() -> Case:
    return made()


def honest() -> Case:
    """Files that hold; to be changed at will."""
    return copy.deepcopy(_honest())


def record(hour: int, code: str) -> receipts.Entry:
    assert PACK
    on, facts = date(2026, 6, 3), {"distance_m": 11_000 + hour}
    measured = quantification.measure(STANDARD, PACK, SHANGHAI, facts, on, "order")
    return receipts.Entry(
        document=PACK.document, sha256=PACK.content_sha256, region="310000", day=on, evidence="order", facts=facts,
        measured_mg=measured.reduction_mg, code=code, reduction_mg=measured.reduction_mg, points=3,
        cap_mg=measured.daily_cap_mg, cap_points=measured.daily_points,
        started_at=f"2026-06-03T{hour:02d}:00:00.5+08:00", ended_at=f"2026-06-03T{hour:02d}:20:00+08:00",
    )  # fmt: skip


def _receipt() -> tuple[bytes, dict[str, Any]]:
    """The entry of a deed, and its receipt without the proofs."""
    salt = bytes(range(32))
    receipt = receipts.receipt(501, [record(8, "ok"), record(9, "continues")]) | {
        "format": replay.PROVEN, "version": 2, "row": b64(b"r" * 32), "salt": b64(salt),
        "head": leaves.deed_head("metro", "1.0.0", "310000", "2026-06"),
    }  # fmt: skip
    return leaves.deed_entry(receipt["head"], leaves.deed_opening(salt, _body(receipt))), receipt


def _body(receipt: dict[str, Any]) -> dict[str, Any]:
    """What the platform's tables say of the deed."""
    starts = [datetime(2026, 6, 3, hour - 8, 0, 0, 500_000, tzinfo=UTC) for hour in (8, 9)]
    return {
        "deed": "501", "version": 2, "points": 6, "row": receipt["row"], "reduction_mg": receipt["reduction_mg"],
        "records": [
            {
                "pack": r["pack"]["sha256"], "region": "310000", "day": "2026-06-03", "evidence": "order",
                "facts": r["facts"], "measured_mg": r["calculation"]["measured_mg"], "started_us": int(
                    start.timestamp() * 2) * 500_000, "ended_us": int(start.timestamp()) * 1_000_000 + 1_200_000_000,
                **r["credited"],
            }
            for r, start in zip(receipt["records"], starts, strict=True)
        ],
    }  # fmt: skip


def source(batch_id: int, members_root: bytes | None, spans: Sequence[Span], **more: Any) -> certificates.Source:
    given = {
        "batch_id": batch_id, "region": "310000", "region_zh": "上海市", "region_en": "Shanghai", "pack_code": "metro",
        "pack_version": "1.0.0", "pack_zh": "地铁出行", "pack_en": "Metro trips", "provisional": True,
        "demonstration": False, "gas_basis": "CO2e", "vintage_month": date(2026, 6, 1), "verifier": "华测认证",
        "assurance": "limited", "people": 30, "deeds": DEEDS, "members_root": members_root, "own_ppm": 0,
        "spans": spans,
    } | more  # fmt: skip
    return certificates.Source(**given)


def _certificate(members_root: bytes, **more: Any) -> dict[str, Any]:
    request = {
        "beneficiary": ENTITY, "purpose": "own_emissions", "period_from": date(2025, 1, 1),
        "period_to": date(2025, 12, 31), "jurisdiction": "CN", "note": "年会 \u2028 \"2025\"\n",
        "footprint": {"quantity_g": 1000, "boundary": "办公用电 scope 2"},
    } | more  # fmt: skip
    sources = [
        source(BATCH, members_root, [Span(1, 100), Span(201, 300)]),
        source(OTHER_BATCH, None, [Span(5, 104)], people=3, own_ppm=12, vintage_month=date(2026, 7, 1)),
    ]
    return certificates.certificate(
        number=NUMBER, retired_at=RETIRED_AT, company={"id": "c-1", "name": "深圳绿源"}, request=request,
        sources=sources, issuer="https://tanpuhui.example",
        url=f"https://tanpuhui.example/v1/certificates/{NUMBER}",
    )  # fmt: skip


def _retirement(body: dict[str, Any]) -> dict[str, Any]:
    lines = [{"batch": line["batch"], "quantity_g": line["quantity_g"]} for line in body["lineage"]]
    return {"at": RETIRED_AT.isoformat(), "certificate": body["number"], "quantity_g": body["quantity_g"],
            "lines": lines, "sha256": certificates.sha256(body)}  # fmt: skip


def _amendments() -> list[dict[str, Any]]:
    """Two days of recalls: the first replaced out of the batch, the second out of an older one and still owing."""
    bodies: list[dict[str, Any]] = []
    june, march = date(2026, 6, 1), date(2026, 3, 1)
    own = recalling.Cancelled(BATCH, "310000", "metro", june, "available", 2, [Span(401, 402)])
    older = recalling.Cancelled(3, "310000", "metro", march, "reserve", 2, [Span(9, 9), Span(11, 11)])
    days = [(date(2026, 12, 1), 1_500, 0, own), (date(2026, 12, 5), 4_200, 1, older)]
    for day, in_all_mg, owed_g, cancelled in days:
        before = bodies[-1] if bodies else None
        bodies.append(
            recalling.amendment(
                batch_id=BATCH, made_on=day, version=1, made_at=datetime(day.year, day.month, day.day, 2, tzinfo=UTC),
                issuer="https://tanpuhui.example", recalled_mg=in_all_mg,
                before_mg=before["recalled_in_all_mg"] if before else 0, owed_g=owed_g, cancelled=[cancelled],
                previous_sha256=certificates.sha256(before) if before else None,
            )
        )  # fmt: skip
    return bodies


def _amended(body: dict[str, Any]) -> dict[str, Any]:
    at = body["made_at"].replace("Z", ".123456+00:00")
    return {"batch": body["batch"], "number": body["number"], "sha256": certificates.sha256(body), "at": at}
