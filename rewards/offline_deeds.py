"""Check offline what the platform hands out: the receipt of a deed, and that a deed is in a batch that was retired.

Standard library only: this file is part of the stand-alone verifier. The formats stand in PROOFS.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from rewards.leaves import DEED, deed_entry, deed_opening
from rewards.merkle import is_included, leaf_hash
from rewards.notes import read_base64
from rewards.offline import Trust, Verification, hashes, members, moment, must, whole
from rewards.offline_certificates import check_certificate
from rules.replay import FORMAT, check, read

MEMBERSHIP = "tanpuhui-membership/1"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_HEAD = ("methodology", "month", "region", "version")
_BATCH = ("batch", "certificates", "close", "index", "path", "size")


def verify_receipt(raw: bytes, packs: Sequence[bytes], trust: Trust) -> list[str]:
    """What a receipt proves, line by line. packs: pack.json files, byte for byte. Raises Refused."""
    run, receipt = Verification(trust), read(raw)
    run.lines += check(receipt, packs)
    mg, points = receipt["reduction_mg"], receipt["points"]
    run.say(f"calculated anew: {mg} mg CO2e; {points} points", f"重算相符：{mg} 毫克 CO2e；积分 {points}")
    if receipt["format"] == FORMAT:
        run.say("a calculation only: nothing in it is signed or in the log", "仅为计算：其中没有签名，也未入日志")
        return run.lines
    head = receipt["head"]
    _check_head(head, receipt["records"])
    opening = deed_opening(read_base64(receipt["salt"]), _body(receipt))
    logged = _check_logged(run, receipt["log"], deed_entry(head, opening))
    if logged:
        run.say(
            f"the entry commits to this receipt of deed {receipt['deed']}, version {receipt['version']}, as it stands",
            f"该条目所承诺的正是这份收据：行为 {receipt['deed']}，第 {receipt['version']} 版",
        )
    if receipt["batch"] is None:
        run.say(
            "no batch is shown: the deed is in none, or in one closed before there was a log",
            "未出示批次：该行为不在任何批次中，或所在批次早于日志",
        )
        return run.lines
    _check_batch(run, receipt["batch"], head, deed_entry(head, opening))
    if numbers := ", ".join(receipt["batch"]["certificates"]):
        run.say(f"said to be used by {numbers}: check these by themselves", f"据称用于 {numbers}：请逐一核验")
    return run.lines


def verify_membership(raw: bytes, trust: Trust) -> list[str]:
    """What a membership proves, line by line: a deed is in a batch of the certificate beside it. Raises Refused."""
    run, shown = Verification(trust), read(raw)
    members(shown, ("batch", "certificate", "format", "head", "log", "opening"), "a membership", "归集证明")
    must(shown["format"] == MEMBERSHIP, f"this is no {MEMBERSHIP}", f"不是 {MEMBERSHIP} 格式")
    head, batch = shown["head"], shown["batch"]
    members(head, _HEAD, "the head", "head ")
    entry = deed_entry(head, read_base64(shown["opening"]))
    _check_logged(run, shown["log"], entry)
    closed = _check_batch(run, batch, head, entry)
    check_certificate(run, shown["certificate"])
    body = shown["certificate"]["certificate"]
    lines = [line for line in body["lineage"] if line["batch"] == batch["batch"]]
    must(
        len(lines) == 1,
        f"the certificate {body['number']} has no grams of batch {batch['batch']}",
        f"证书 {body['number']} 不含批次 {batch['batch']}",
    )
    if closed is not None:
        _check_lineage(lines[0], closed, batch["size"])
    run.say(
        f"so a deed of {head['methodology']} in {head['region']}, {head['month']}, is in the batch of which "
        f"{body['number']} retired {lines[0]['quantity_g']} g; whose deed it is, this does not say",
        f"因此，{head['region']} {head['month']} 的一次 {head['methodology']} 行为在证书 {body['number']} 注销 "
        f"{lines[0]['quantity_g']} 克的批次中；此证明不透露是谁的行为",
    )
    return run.lines


def _check_head(head: Mapping[str, Any], records: Sequence[Mapping[str, Any]]) -> None:
    """That it tells of the record that leads the deed. Raises Refused."""
    members(head, _HEAD, "the head", "head ")
    said = (head["methodology"], head["version"], head["region"], head["month"])
    told = [(r["pack"]["code"], r["pack"]["version"], r["region"], r["day"][:7]) for r in records]
    must(said in told, "the head names another methodology, month or region than the records", "head 与各条记录不符")


def _body(receipt: Mapping[str, Any]) -> dict[str, Any]:
    """What the deed's commitment closes over, out of what the receipt tells."""
    return {
        **{name: receipt[name] for name in ("deed", "points", "reduction_mg", "row", "version")},
        "records": [
            {
                **{name: record[name] for name in ("day", "evidence", "facts", "region")},
                **record["credited"],
                "pack": record["pack"]["sha256"],
                "measured_mg": record["calculation"]["measured_mg"],
                "started_us": _micros(record["started_at"]),
                "ended_us": _micros(record["ended_at"]),
            }
            for record in receipt["records"]
        ],
    }


def _micros(text: str) -> int:
    """Microseconds since 1970."""
    return (moment(text) - _EPOCH) // timedelta(microseconds=1)


def _check_logged(run: Verification, logged: Any, entry: bytes) -> bool:
    """Whether the deed's entry is in the log; it must be the one that is expected. Raises Refused."""
    if run.entry(logged, DEED, "the deed", "该行为") is None:
        return False
    must(
        logged["entry"].encode() == entry,
        "the log's entry commits to something else: a value, the salt or the row was changed since it was logged",
        "日志条目所承诺的内容与此不同：入日志后有数值、盐或 row 被改动",
    )
    return True


def _check_batch(run: Verification, batch: Any, head: Mapping[str, str], entry: bytes) -> dict[str, Any] | None:
    """That the deed's entry is in its batch's own tree; what the log says of the batch's close. Raises Refused."""
    members(batch, _BATCH, "the `batch`", "batch ")
    number, index, size = batch["batch"], whole(batch["index"]), whole(batch["size"])
    closed = run.entry(batch["close"], "close", f"the close of batch {number}", f"批次 {number} 的归集")
    if closed is None:
        return None
    pool = ".".join((head["region"], head["methodology"], head["version"], head["month"].replace("-", "")))
    must(
        (closed["batch"], closed["pool"], closed.get("deeds", size)) == (number, pool, size),
        f"the log closed batch {number} otherwise: another batch, pool or number of deeds",
        f"日志所载批次 {number} 的归集与此不符：批次、池或行为数不同",
    )
    leaf, root = leaf_hash(leaf_hash(entry)), read_base64(closed["members_root"])
    must(
        is_included(leaf, index, size, hashes(batch["path"]), root),
        f"the path does not lead from the deed to the members' root of batch {number}",
        f"路径不能从该行为得出批次 {number} 的成员根",
    )
    run.say(
        f"the deed is member {index} of {size} of batch {number}, pool {pool}",
        f"该行为是批次 {number}（池 {pool}）{size} 个成员中的第 {index} 个",
    )
    return closed


def _check_lineage(line: Mapping[str, Any], closed: Mapping[str, Any], size: int) -> None:
    """That the certificate tells of the batch what the log says of its close. Raises Refused."""
    month, pack = line["vintage"].replace("-", ""), line["methodology"]
    told = {
        "members_root": line.get("members_root"),
        "pool": f"{line['region']['code']}.{pack['code']}.{pack['version']}.{month}",
        "gas_basis": line["gas_basis"],
        "demonstration": line["demonstration"],
    }
    for name, value in told.items():
        must(
            value == closed[name],
            f"{name} of batch {line['batch']} is {value} on the certificate, in the log {closed[name]}",
            f"批次 {line['batch']} 的 {name} 在证书上为 {value}，日志为 {closed[name]}",
        )
    deeds = line.get("deeds_in_batch", size)
    must(
        deeds == size,
        f"the certificate counts {deeds} deeds in the batch, not {size}",
        f"证书称批次有 {deeds} 个行为，不是 {size}",
    )
