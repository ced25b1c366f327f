"""Leaf by leaf: the rows of its fact are there and make the same entry again; and no fact is there without a leaf."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from backend.store import audit, db, facts
from backend.usecases import audit_deeds, log_facts
from backend.usecases.collect_findings import Check, Tell
from rewards import leaves

Leaf = tuple[int, str, int, int, bytes]  # index, kind, ref_id, ref_no, entry


def check_facts(conn: db.Connection, first: int, until: int, tell: Tell) -> Iterator[Check]:
    """The leaves from a place to before another; then those without rows, and rows without a leaf, of the whole log."""
    check = Check("facts", "事实", "facts of the log")
    deeds = audit_deeds.DeedAudit(conn)
    for at in range(first, until, audit.AT_ONCE):
        by_kind: dict[str, list[Leaf]] = defaultdict(list)
        for leaf in audit.leaves(conn, at, min(at + audit.AT_ONCE, until)):
            by_kind[leaf[1]].append(leaf)
        deeds.check_leaves(by_kind.pop(leaves.DEED, []))
        for kind in facts.KINDS:
            _check_kind(conn, check, kind, by_kind[kind])
        tell("facts", min(at + audit.AT_ONCE, until) - first, until - first)
    yield check
    yield deeds.deeds
    yield deeds.receipts
    yield deeds.packs.check
    yield _check_without_leaf(conn)
    yield _check_gone(conn)


def _check_kind(conn: db.Connection, check: Check, kind: str, found: Sequence[Leaf]) -> None:
    check.counts[kind] += len(found)
    told = _facts(conn, check, kind, [ref_id for _, _, ref_id, _, _ in found])
    missing = [ref_id for _, _, ref_id, _, _ in found if ref_id not in told]
    there = audit.corrections(conn, missing) if kind == "correction" and missing else set()
    for index, _, ref_id, ref_no, entry in found:
        fact = told.get(ref_id)
        if fact is None or fact["ref_no"] != ref_no:
            if kind == "correction" and ref_id not in there:
                check.counts["erased corrections"] += 1  # or deleted: see _check_gone
            else:
                rows = (*_rows(kind, ref_id, {}, _read(entry)), f"log_leaf {index}")
                check.find(rows, f"the rows of {kind} {ref_id} are not there", f"缺少 {kind} {ref_id} 的行")
        elif fact["salt"] is None and fact["row"]:
            _check_unsalted(conn, check, ref_id)
        else:
            _check_entry(check, kind, ref_id, index, entry, fact)


def _facts(conn: db.Connection, check: Check, kind: str, ids: list[int]) -> dict[int, dict[str, Any]]:
    """Facts by id; what cannot even be read is told by itself."""
    if not ids:
        return {}
    try:
        with audit.trying(conn):
            return {row["ref_id"]: row for row in facts.facts(conn, kind, ids)}
    except audit.Unreadable as error:
        if len(ids) == 1:
            check.find(_rows(kind, ids[0], {}), f"it cannot be read: {error}", f"无法读取：{error}")
            return {}
        return {ref_id: row for one in ids for ref_id, row in _facts(conn, check, kind, [one]).items()}


def _check_entry(check: Check, kind: str, ref_id: int, index: int, entry: bytes, fact: dict[str, Any]) -> None:
    try:
        again = log_facts.entry_of(kind, fact)
    except ValueError as error:
        again = str(error).encode()
    if again != entry:
        said, made = _read(entry), _read(again)
        names = sorted(name for name in {*said, *made} - {"commitment"} if said.get(name) != made.get(name))
        what = "; ".join(f"{name}: {_short(said.get(name))} -> {_short(made.get(name))}" for name in names)
        check.find(
            (*_rows(kind, ref_id, fact["row"] or fact["public"], said), f"log_leaf {index}"),
            f"the rows of {kind} {ref_id} do not make its entry: {what or 'what it commits to'}",
            f"{kind} {ref_id} 的行得不出其条目：{what or '其承诺的内容'}",
        )


def _check_unsalted(conn: db.Connection, check: Check, recall_id: int) -> None:
    """A recall of somebody erased: its amount is in the sums of its batch and its deed."""
    people = audit.recalled_people(conn, [recall_id])
    if audit.erased(conn, list(people.values())):
        check.counts["recalls of erased people"] += 1
    else:
        rows = [f"person {person_id}" for person_id in people.values()]
        check.find((*rows, f"recall {recall_id}"), "the person is gone, and was not erased", "此人已不在，却未曾注销")


def _check_without_leaf(conn: db.Connection) -> Check:
    check = Check("leaves", "无叶之行", "rows without a leaf")
    for kind, ref_id, ref_no in audit.without_leaf(conn):
        rows = [f"deed {ref_id}/{ref_no}"] if kind == leaves.DEED else _rows(kind, ref_id, {})
        check.find(rows, f"the log does not know this {kind}", f"日志中没有这一 {kind}")
    if check.found:
        english = "what is from before there was a log is adopted once, by `tanpuhui log adopt`"
        check.remarks.append(("日志启用之前的行须用 tanpuhui log adopt 一次补入", english))
    return check


def _check_gone(conn: db.Connection) -> Check:
    """Leaves without their row are as many as the erasures say, and none of them left a trace."""
    check = Check("erasures", "注销", "erasures")
    for kind, ref_id, ref_no, rows in audit.gone(conn):
        if kind is None:
            check.counts["leaves without rows"] = ref_id
            continue
        row = f"deed {ref_id}/{ref_no}" if kind == leaves.DEED else f"{kind} {ref_id}"
        check.find(
            (row, *rows), "it is gone, and no erasure took it: what would have gone with it is here",
            "该行已不在，却非注销所致：随其应去者仍在",
        )  # fmt: skip
    lost = sum(int(_read(entry).get("leaves") or 0) for entry in audit.erasures(conn))
    check.counts["leaves that erasures account for"] = lost
    if check.counts["leaves without rows"] != lost:
        check.differs(["deed *", "correction *", "erasure *"], "leaves without rows",
                      check.counts["leaves without rows"], lost)  # fmt: skip
    return check


def _rows(kind: str, ref_id: int, row: dict[str, Any], said: dict[str, Any] | None = None) -> list[str]:
    """The rows that a fact is made of, and the one with its salt. said: its entry."""
    batch = [f"batch {row['batch_id']}"] if "batch_id" in row else []
    match kind:
        case "correction":
            return [f"correction {ref_id}", f"event {ref_id}"]
        case "close":
            return [f"batch {ref_id}", f"batch_tree {ref_id}"]
        case "issue" | "attestation" | "cancellation" | "amendment" | "settlement":
            return [f"{kind} {ref_id}", *batch]
        case "sale":
            batches = [line["batch_id"] for line in row.get("lines") or ()]
            batches += [line.get("batch") for line in (said or {}).get("lines") or ()]
            lines = [f"order_line {ref_id}/{batch_id}" for batch_id in batches]
            payment = row["payment"]["payment_id"] if "payment" in row else f"of order {ref_id}"
            return [f"purchase_order {ref_id}", *lines, f"payment {payment}", *_client(row, "client_id")]
        case "refund":
            order = [f"purchase_order {row['order_id']}"] if row else []
            return [f"refund {ref_id}", *order, *([f"payment {row['payment_id']}"] if row else [])]
        case "transfer":
            return [f"credit_transfer {ref_id}", *_client(row, "from_client"), f"credit_block of transfer {ref_id}"]
        case "retirement":
            number = row.get("number", f"of retirement {ref_id}")
            blocks = f"credit_block of {number}"
            return [f"retirement {ref_id}", f"certificate {number}", *_client(row, "client_id"), blocks]
        case "terms":
            return [f"sale_terms {ref_id}"]
    return [f"{kind} {ref_id}"]


def _client(row: dict[str, Any], name: str) -> list[str]:
    return [f"client {row[name]}"] if row.get(name) else []


def _read(entry: bytes) -> dict[str, Any]:
    try:
        said = json.loads(entry)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 200 else text[:200] + "..."
