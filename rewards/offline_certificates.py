"""Check offline what the platform hands out: a certificate, and the amendments beside it.

All that can be calculated of a certificate is calculated here, so that not even its signer can contradict itself.
Standard library only: this file is part of the stand-alone verifier. The formats stand in PROOFS.md.
"""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from itertools import pairwise
from typing import Any

from rewards.leaves import canonical_json
from rewards.offline import Trust, Verification, members, moment, must, whole
from rewards.retirement import PURPOSES, covered_ppm, statements, uscc_mistake
from rewards.serials import SerialRange, Span, parse
from rules.replay import Refused, read

CERTIFICATE = "tanpuhui.certificate.v1"
AMENDMENT = "tanpuhui.amendment.v1"
PEOPLE_MIN = 20  # no published figure rests on fewer people
_NUMBER_OF = re.compile(r"TPH-C-([0-9]{4})-[0-9]{6,12}")
_SAYS = (
    "kind", "number", "issuer", "url", "issued_at", "company", "purpose", "period", "jurisdiction", "quantity_g",
    "serials", "lineage", "demonstration", "statements",
)  # fmt: skip
_MAY_SAY = (
    "beneficiary", "beneficiaries", "on_behalf_of", "footprint", "covered_ppm", "neutrality_claim", "note",
)  # fmt: skip
_LINE = (
    "batch", "region", "methodology", "gas_basis", "vintage", "quantity_g", "attestation", "demonstration",
)  # fmt: skip
_LINE_MAY = ("people_in_batch", "deeds_in_batch", "members_root", "own_ppm", "note")
_AMENDMENT = (
    "kind", "number", "issuer", "batch", "made_on", "version", "made_at", "recalled_mg", "recalled_in_all_mg",
    "recalled_in_all_g", "replaced_by", "owed_g", "covered", "statement", "previous_sha256",
)  # fmt: skip


def verify_certificate(raw: bytes, trust: Trust) -> list[str]:
    """What a certificate file proves, line by line. Raises Refused."""
    run = Verification(trust)
    check_certificate(run, read(raw))
    return run.lines


def check_certificate(run: Verification, signed: Mapping[str, Any]) -> None:
    """{certificate, signature, log, amendments}, all of it. Raises Refused."""
    members(signed, ("certificate", "signature"), "the file", "文件", ("log", "amendments"))
    body = signed["certificate"]
    members(body, _SAYS, "a certificate", "证书", _MAY_SAY)
    spans = _check_serials(body)
    _check_facts_of(body)
    _check_for_whom(body)
    _check_claims(body)
    _say_certificate(run, body)
    run.signature(body, signed["signature"], "the certificate", "证书")
    entry = run.entry(signed.get("log"), "retirement", "the retirement", "注销记录")
    if entry is not None:
        _check_retirement(body, entry)
    _check_amendments(run, signed.get("amendments", []), spans)


def digest(body: Any) -> str:
    """The hash by which the log and later amendments name what was signed."""
    return hashlib.sha256(canonical_json(body)).hexdigest()


# --- what a certificate says of itself --------------------------------------------------------------------------------


def _check_serials(body: Mapping[str, Any]) -> dict[int, list[Span]]:
    """The grams by batch: each once, of a batch of the lineage, as many as stated. Raises Refused."""
    for line in body["lineage"]:
        members(line, _LINE, "a line of the lineage", "来源的一行", _LINE_MAY)
    lines = {line["batch"]: line for line in body["lineage"]}
    must(len(lines) == len(body["lineage"]), "a batch is in the lineage twice", "来源中有重复的批次")
    spans: dict[int, list[Span]] = {batch: [] for batch in lines}
    for text in body["serials"]:
        one = _range(text)
        must(
            one.batch_id in lines,
            f"the serials {text} are of a batch that the lineage does not name",
            f"序号 {text} 的批次不在来源中",
        )
        _check_place(one, text, lines[one.batch_id])
        spans[one.batch_id].append(one.span)
    _check_disjoint(spans)
    for batch, line in lines.items():
        grams, said = sum(span.quantity_g for span in spans[batch]), whole(line["quantity_g"])
        must(
            said == grams > 0,
            f"the lineage says {said} g of batch {batch}, its serials are {grams} g",
            f"来源称批次 {batch} 有 {said} 克，其序号为 {grams} 克",
        )
    total, said = sum(line["quantity_g"] for line in lines.values()), whole(body["quantity_g"])
    must(
        said == total > 0,
        f"quantity_g is {said}, the serials add up to {total}",
        f"quantity_g 为 {said}，序号合计 {total}",
    )
    return spans


def _range(text: str) -> SerialRange:
    try:
        return parse(text)
    except ValueError as error:
        raise Refused(str(error), f"不是序号范围：{text}") from None


def _check_place(one: SerialRange, text: str, line: Mapping[str, Any]) -> None:
    said = (line["region"]["code"], line["methodology"]["code"], line["vintage"])
    must(
        said == (one.region, one.pack_code, f"{one.vintage_month:%Y-%m}"),
        f"the serials {text} name another region, methodology or month than the lineage of batch {one.batch_id}",
        f"序号 {text} 的地区、方法学或月份与批次 {one.batch_id} 的来源不符",
    )


def _check_disjoint(spans: Mapping[int, Iterable[Span]]) -> None:
    """Raises Refused when a gram is there twice."""
    for batch, several in spans.items():
        for one, after in pairwise(sorted(several)):
            must(
                one.last < after.first,
                f"serials overlap: {one.first}-{one.last} and {after.first}-{after.last} of batch {batch}",
                f"序号重叠：批次 {batch} 的 {one.first}-{one.last} 与 {after.first}-{after.last}",
            )


def _check_facts_of(body: Mapping[str, Any]) -> None:
    """Its kind, number, time, address, purpose, period. Raises Refused."""
    must(body["kind"] == CERTIFICATE, f"this is no {CERTIFICATE}", f"不是 {CERTIFICATE}")
    number, at = _NUMBER_OF.fullmatch(body["number"]), moment(body["issued_at"])
    fits = number is not None and int(number[1]) == at.year and f"{at:%Y-%m-%dT%H:%M:%SZ}" == body["issued_at"]
    must(fits, "the certificate's number and its time do not fit", "证书编号与时间不符")
    url = f"{body['issuer']}/v1/certificates/{body['number']}"
    must(body["url"] == url, "the certificate's address is not that of its number", "证书网址与编号不符")
    code = body["purpose"]["code"]
    zh, en = PURPOSES.get(code, ("", ""))
    must(body["purpose"] == {"code": code, "zh": zh, "en": en}, f"the purpose {code} is none", f"用途 {code} 有误")
    first, last = (date.fromisoformat(body["period"][end]) for end in ("from", "to"))
    must(first <= last, "the period ends before it begins", "期间的结束早于开始")


def _check_for_whom(body: Mapping[str, Any]) -> None:
    """Beneficiaries, whose parts are the whole. Raises Refused."""
    must(
        ("beneficiary" in body) != ("beneficiaries" in body), "whom it is for is said twice or not", "受益人缺失或重复"
    )
    whom = beneficiaries(body)
    for entity in [*whom, *([body["on_behalf_of"]] if "on_behalf_of" in body else [])]:
        if mistake := uscc_mistake(entity["uscc"]):
            raise Refused(f"the code {entity['uscc']} of {entity['name']} is wrong", mistake)
    parts = sum(whole(one["quantity_g"]) for one in whom) if "beneficiaries" in body else body["quantity_g"]
    must(
        parts == body["quantity_g"],
        f"the beneficiaries' parts add up to {parts} g, not to {body['quantity_g']} g",
        f"各受益人之和为 {parts} 克，不是 {body['quantity_g']} 克",
    )


def beneficiaries(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Whom it is for: one, or several each with its quantity_g."""
    return [body["beneficiary"]] if "beneficiary" in body else list(body["beneficiaries"])


def _check_claims(body: Mapping[str, Any]) -> None:
    """What follows from the rest: demonstration, statements, the share covered. Raises Refused."""
    lineage, claims = body["lineage"], "neutrality_claim" in body
    demonstration = any(line["demonstration"] for line in lineage)
    must(body["demonstration"] == demonstration, "`demonstration` is not what its batches are", "示范标记与其批次不符")
    provisional = any(line["methodology"]["status"] == "provisional" for line in lineage)
    fit = [
        statements(demonstration=demonstration, provisional=provisional, waiting=waiting, neutrality=claims)
        for waiting in {False, demonstration}  # only a demonstration does not wait for the review of an entity
    ]
    must(body["statements"] in fit, "the statements are not those that it must bear", "声明与证书应载的不符")
    enough = all(line.get("people_in_batch", PEOPLE_MIN) >= PEOPLE_MIN for line in lineage)
    must(enough, f"a figure rests on fewer than {PEOPLE_MIN} people", f"有数字所依据的人数少于 {PEOPLE_MIN}")
    stated, said = body.get("footprint"), body.get("covered_ppm")
    must(bool(stated) or not claims, "a claim of neutrality without a stated footprint", "声明中和而未陈述足迹")
    covered = covered_ppm(body["quantity_g"], stated["quantity_g"]) if stated else None
    must(
        said == covered,
        f"covered_ppm is {said}, of the stated footprint it is {covered}",
        f"covered_ppm 为 {said}，按所陈述的足迹应为 {covered}",
    )


def _say_certificate(run: Verification, body: Mapping[str, Any]) -> None:
    entities = ", ".join(
        " ".join(str(one[name]) for name in ("name", "name_en", "uscc") if one.get(name))
        + (f" {one['quantity_g']} g" if "quantity_g" in one else "")
        for one in beneficiaries(body)
    )
    number, grams, at, company = body["number"], body["quantity_g"], body["issued_at"], body["company"]["name"]
    purpose, first, last = body["purpose"], body["period"]["from"], body["period"]["to"]
    if body["demonstration"]:
        run.say(body["statements"][0]["en"].upper(), body["statements"][0]["zh"])
    run.say(f"{number}: {grams} g CO2e retired at {at}", f"{number}：{at} 注销 {grams} 克 CO2e")
    run.say(
        f"by {company}, for {entities}; {purpose['en']}, {first} to {last}",
        f"由 {company} 为 {entities} 注销；{purpose['zh']}，{first} 至 {last}",
    )
    for line in body["lineage"]:
        pack, region, month, by = line["methodology"], line["region"], line["vintage"], line["attestation"]["verifier"]
        run.say(
            f"batch {line['batch']}: {line['quantity_g']} g, no serial number twice; {pack['en']} {pack['version']}, "
            f"{region['en']}, {month}, attested by {by}",
            f"批次 {line['batch']}：{line['quantity_g']} 克，序号无重复；{pack['zh']} {pack['version']}，"
            f"{region['zh']}，{month}，由 {by} 核查",
        )
    if "footprint" in body:
        ppm, stated = body["covered_ppm"], body["footprint"]["quantity_g"]
        run.say(
            f"that is {ppm} ppm of a footprint of {stated} g, which is stated, not proven",
            f"占所陈述足迹 {stated} 克的百万分之 {ppm}；足迹本身未经证明",
        )


# --- what the log says of it ------------------------------------------------------------------------------------------


def _check_retirement(body: Mapping[str, Any], entry: Mapping[str, Any]) -> None:
    number, named = body["number"], entry["certificate"]
    must(
        named == number,
        f"the log's entry is of the certificate {named}, not of {number}",
        f"该条目属于证书 {named}，不是 {number}",
    )
    must(
        entry["sha256"] == digest(body),
        f"the log has another certificate {number}: its hash is {entry['sha256']}",
        f"日志中编号 {number} 的证书与此不同，其哈希为 {entry['sha256']}",
    )
    lines = sorted((line["batch"], line["quantity_g"]) for line in body["lineage"])
    said = sorted((line["batch"], line["quantity_g"]) for line in entry["lines"])
    must(
        (entry["quantity_g"], said) == (body["quantity_g"], lines),
        "the log says other grams by batch than the certificate",
        "日志所载各批次克数与证书不符",
    )
    _check_moment(entry["at"], body["issued_at"])


def _check_moment(logged: str, told: str) -> None:
    """The log has it to the microsecond, what was signed to the second. Raises Refused."""
    must(
        moment(logged).replace(microsecond=0) == moment(told),
        f"the log says that it was at {logged}, not at {told}",
        f"日志所载时间为 {logged}，不是 {told}",
    )


# --- amendments -------------------------------------------------------------------------------------------------------


def _check_amendments(
    run: Verification, signed: Sequence[Mapping[str, Any]], retired: Mapping[int, list[Span]]
) -> None:
    """One a day and batch, each naming the one before it; none cancels what was retired. Raises Refused."""
    must(isinstance(signed, list), "`amendments` should be a list", "amendments 应为列表")
    before: dict[int, Mapping[str, Any]] = {}
    spans = defaultdict(list, {batch: list(several) for batch, several in retired.items()})
    for one in signed:
        members(one, ("amendment", "signature"), "an amendment", "补充说明", ("log",))
        body = one["amendment"]
        members(body, _AMENDMENT, "an amendment", "补充说明")
        batch, number = body["batch"], body["number"]
        must(
            batch in retired,
            f"the amendment {number} is of a batch that the certificate has not",
            f"补充说明 {number} 的批次不属于该证书",
        )
        _check_follows(body, before.get(batch))
        for cut in body["replaced_by"]:
            spans[cut["batch"]] += _cancelled(body, cut)
        run.signature(body, one["signature"], f"the amendment {number}", f"补充说明 {number}")
        entry = run.entry(one.get("log"), "amendment", f"the amendment {number}", f"补充说明 {number}")
        if entry is not None:
            _check_amended(body, entry)
        before[batch] = body
        recalled, owed, day = body["recalled_in_all_g"], body["owed_g"], body["made_on"]
        run.say(
            f"of batch {batch} {recalled} g were recalled until {day}, {owed} g of them are not replaced yet",
            f"批次 {batch} 至 {day} 共召回 {recalled} 克，其中 {owed} 克尚未补足",
        )
    _check_disjoint(spans)
    run.say(
        f"{len(signed)} amendments, none missing before the last of a batch; whether there is a later one, this file "
        "cannot show",
        f"补充说明 {len(signed)} 份，各批次最后一份之前无缺；其后是否还有，本文件无法证明",
    )


def _check_follows(body: Mapping[str, Any], before: Mapping[str, Any] | None) -> None:
    """After the batch's amendment of an earlier day, and with figures that follow from it. Raises Refused."""
    batch, number, day = body["batch"], body["number"], date.fromisoformat(body["made_on"])
    must(
        body["previous_sha256"] == (digest(before) if before else None),
        f"the amendment {number} does not follow the one before it: one of batch {batch} is missing or changed",
        f"补充说明 {number} 与前一份不衔接：批次 {batch} 有一份缺失或被改动",
    )
    in_all = body["recalled_mg"] + (before["recalled_in_all_mg"] if before else 0)
    fits = [
        body["kind"] == AMENDMENT,
        number == f"TPH-A-{batch:06d}-{day:%Y%m%d}-{body['version']}",
        before is None or before["made_on"] < body["made_on"],
        body["recalled_in_all_mg"] == in_all >= 0,
        body["recalled_in_all_g"] == -(-in_all // 1000),
        body["covered"] == (whole(body["owed_g"]) == 0),
    ]
    must(all(fits), f"the amendment {number} contradicts itself", f"补充说明 {number} 自相矛盾")


def _cancelled(body: Mapping[str, Any], cut: Mapping[str, Any]) -> list[Span]:
    """The grams that were cancelled for a recall. Raises Refused."""
    members(cut, ("batch", "from", "quantity_g", "reason", "serials"), "what replaces a recall", "替换项")
    ranges = [_range(text) for text in cut["serials"]]
    fits = [
        all(one.batch_id == cut["batch"] for one in ranges),
        sum(one.span.quantity_g for one in ranges) == whole(cut["quantity_g"]),
        cut["reason"] == ("recall" if cut["batch"] == body["batch"] else "replacement"),
    ]
    number = body["number"]
    must(
        all(fits), f"the serials in the amendment {number} are not what it says", f"补充说明 {number} 的序号与所述不符"
    )
    return [one.span for one in ranges]


def _check_amended(body: Mapping[str, Any], entry: Mapping[str, Any]) -> None:
    number = body["number"]
    must(
        (entry["number"], entry["batch"], entry["sha256"]) == (number, body["batch"], digest(body)),
        f"the log's entry is not of the amendment {number}",
        f"该条目不属于补充说明 {number}",
    )
    _check_moment(entry["at"], body["made_at"])
