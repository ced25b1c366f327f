"""A methodology in plain words for the terminal, Chinese before English."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from rules.model import Pack
from rules.standard import CASE_KINDS, Standard, pack_json


def describe(standard: Standard, pack: Pack) -> str:
    """A pack in plain words, Chinese before English, for `tanpuhui standard show`."""
    doc = pack_json(pack)
    lines = [
        f"{pack.code} {pack.version}  {pack.name_zh} / {pack.name_en}  {pack.event_type}  {pack.status}",
        *_paragraph("status_reason", doc["status_reason"]),
        f"in_force {doc.get('in_force_from', '-')} .. {doc.get('in_force_to', '')}",
        f"gas_basis {pack.gas_basis}  boundary {pack.boundary}  sha256 {pack.content_sha256}",
    ]
    for name, text in doc["statements"].items():
        lines += _paragraph(name, text)
    lines += _paragraph("missing", doc["missing"]) if "missing" in doc else []
    if pack in standard.drafts:
        return "\n".join(lines)
    for fact in doc["facts"]:
        limits = [str(fact.get(limit, "")) for limit in ("minimum", "maximum")]
        lines += _paragraph(f"fact {fact['name']} {'..'.join(limits)} {fact.get('unit', '')}".strip(), fact["title"])
        for choice, text in sorted(fact.get("values", {}).items()):
            lines += _paragraph(f"    {choice}", text)
    for factor in doc["factors"].values():
        lines += _paragraph(f"factor {factor['id']} in {factor['unit']}", factor["name"])
        lines += [
            f"    {value['value']} / {value['per']}  {value['region']} {value['from']} .. {value.get('to', '')}"
            f"  [{value['tier']}, {value['status']}]  {value['factor_id']}"
            for value in factor["values"]
        ]
    kinds = Counter(case.kind for case in standard.cases_of(pack))
    lines.append("worked examples " + ", ".join(f"{kind} {kinds[kind]}" for kind in sorted(CASE_KINDS)))
    if not kinds["published"]:
        lines += _paragraph("worked examples", {"zh": "没有公布的算例", "en": "no published worked example"})
    return "\n".join([*lines, "", doc["formula"]])


def _paragraph(name: str, text: Mapping[str, str]) -> list[str]:
    return [f"{name}: {text['zh']}", f"    {text['en']}"]
