"""The main job as its users live it, step by step, and what must hold at the end."""

from __future__ import annotations

import json
from collections import Counter
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import urllib3

from mobile_mock.demo import proofs, real, show
from mobile_mock.demo.caller import Caller
from mobile_mock.demo.host import Place
from mobile_mock.traffic import generate, grade, keys, replay, send
from mobile_mock.traffic.client import Platform
from mobile_mock.traffic.trips import CHINA

SEED = 20261
NO_KEY = "none: real files have no key"
PARTNERS = ("valleybike", "metrolink", "lvhui", "qingsu")
OTHERS = {"company": "Green Bay Coffee 绿湾咖啡", "verifier": "Cangyan Verification 苍岩核查",
          "operator": "Platform staff 平台运营"}  # fmt: skip
# A made company: the code is well formed (GB 32100-2015) and belongs to nobody we know of.
BENEFICIARY = {
    "name": "绿湾咖啡（演示）有限公司",
    "name_en": "Green Bay Coffee (demo) Ltd",
    "uscc": "91350100M000100Y43",
}
PRICE_FEN_PER_TONNE = 6000


class DoesNotHold(Exception):
    """The platform did something else than it should."""


def tell(place: Place, data: Path | None, events: int) -> dict[str, Any]:
    """Run the whole story; the summary. Raises DoesNotHold, or host.Failed with the platform's own words."""
    clients = _onboard(place)
    month = closable_month(datetime.now(CHINA).date())
    if data:
        summary, key = real.send(place, clients, data, month), NO_KEY
    else:
        summary, key = _made(place, clients, month, events)
    operator, verifier, company = (
        Caller.client(place.base_url, *clients[r]) for r in ("operator", "verifier", "company")
    )
    issued_g = _issue(operator, verifier)
    retired = _buy_and_retire(company, issued_g, month)
    _share(operator)
    number = retired["certificate"]["number"]
    files = _certificate(place, number)
    citizen = None if data else _log_in(place)
    log_size = _prove(place, files["certificate_json"], citizen)
    conservation = Caller(place.base_url).get("/v1/conservation")
    show.proof(conservation)
    books = {identity["name"]: identity["left"] for identity in conservation["identities"]}
    return {
        "events": summary.total(), "credited": summary["credited"], "duplicate_of": summary["duplicate_of"],
        "refused": summary["refused"], "repeated": summary["repeated"], "malformed": summary["malformed"],
        "in_review": summary["in_review"],
        "reduction_mg": books["reductions_of_people"], "points": books["points_of_people"],
        "issued_g": issued_g, "retired_g": retired["certificate"]["quantity_g"], **files, "certificate": number,
        "log_size": log_size, "proof": "ok", "answer_key": key,
        "conservation": "ok" if conservation["ok"] else "failed",
    }  # fmt: skip


def closable_month(today: date) -> date:
    """The newest month whose pools may be closed: over for more than the week in which late events still come."""
    return (today.replace(day=1) - timedelta(days=1 if today.day > 8 else 32)).replace(day=1)


def _onboard(place: Place) -> dict[str, tuple[str, Path]]:
    """Let everybody in, as the operator does on the command line: name or role -> (client id, key file)."""
    show.step("入驻 Onboarding", "four partners, a company, a verifier, an operator")
    if place.tanpuhui("clients", "list").strip():
        raise DoesNotHold(
            "this platform is in use; the demo starts from nothing: give it another TANPUHUI_HOME (or DATABASE_URL)"
        )
    clients = {}
    for name, role, title in [(p, "partner", p) for p in PARTNERS] + [(r, r, title) for r, title in OTHERS.items()]:
        key = place.out / f"{name}.key"
        place.tanpuhui("keys", "new", str(key))
        added = place.tanpuhui("clients", "add", "--role", role, "--name", title, "--jwk", f"{key}.pub")
        clients[name] = (added.strip(), key)
    return clients


def people(place: Place, partner: str, client_id: str, ids: Path, *more: str) -> Path:
    """Import a partner's people; the CSV of their subjects."""
    subjects = place.out / f"{partner}.subjects.csv"
    subjects.write_text(place.tanpuhui("people", "add", "--partner", client_id, "--ids", str(ids), *more))
    return subjects


def _made(place: Place, clients: dict[str, tuple[str, Path]], month: date, events: int) -> tuple[Counter[str], str]:
    """Made traffic whose truth is known: send it, and compare the verdicts with the answer key."""
    show.step("数据 Traffic", f"{events} made events of four partners in three cities, {month:%Y-%m}")
    folder = place.out / "traffic"
    generate.make(folder, SEED, month=month, events=events, people=max(events // 8, 40))
    senders = {}
    for name in PARTNERS:
        client_id, key = clients[name]
        subjects = people(place, name, client_id, folder / f"{name}.people.csv", "--person-column")
        senders[name] = send.Sender(Platform(place.base_url, client_id, keys.load(key)), replay.subjects_in(subjects))
    with show.progress("sending", events) as advance:
        send.send(folder, senders, advance)
    count, wrong = grade.grade(folder)
    show.answer_key(count, wrong)
    said = [json.loads(line) for line in (folder / "verdicts.jsonl").read_text("utf-8").splitlines()]
    show.verdicts(said)
    return Counter(v["verdict"] for v in said), "failed" if wrong else "ok"


def _issue(operator: Caller, verifier: Caller) -> int:
    """Close every pool that can be closed, attest and issue the batches; the grams issued."""
    show.step("入池 核查 签发 Pool, attest, issue", "strictly ex post: only months that are over")
    pools = [p for p in operator.get("/v1/pools?limit=100")["items"] if p["state"] == "closable" and p["reduction_mg"]]
    if not pools:
        raise DoesNotHold("no pool can be closed: nothing was credited with consent to pooling")
    issued = []
    for pool in pools:
        batch = operator.post(f"/v1/pools/{pool['id']}/close")
        verifier.post(f"/v1/batches/{batch['id']}/attestation", {
            "decision": "attested", "assurance": "limited", "materiality_ppm": 50_000,
            "sample": {"deeds": min(batch["deeds"], 30), "method": "demonstration: the first deeds"},
            "findings": "demonstration 示范：no finding", "independence": "demonstration 示范",
        })  # fmt: skip
        issued.append(operator.post(f"/v1/batches/{batch['id']}/issue", {"price_fen_per_tonne": PRICE_FEN_PER_TONNE}))
    show.batches(issued)
    return sum(batch["issue"]["issued_g"] for batch in issued)


def _buy_and_retire(company: Caller, issued_g: int, month: date) -> dict[str, Any]:
    """A company buys a third of what was issued, pays on the provider's page, and retires half of that."""
    wanted_g = max(issued_g // 3, 1)
    show.step("出售 注销 Sell, retire", f"a company buys {wanted_g:,} g and retires half of it")
    quote = company.post("/v1/quotes", {"quantity_g": wanted_g})
    order = company.post("/v1/orders", {"quote_id": quote["id"]})
    declared = company.post(f"/v1/orders/{order['id']}/payment", {"method": "provider"})
    pay(declared["payment"]["pay_url"])
    paid = company.until(f"/v1/orders/{order['id']}", lambda found: found["state"] == "paid")
    held_g = company.get("/v1/holdings")["held_g"]
    if (paid["state"], held_g) != ("paid", wanted_g):
        raise DoesNotHold(f"paid for {wanted_g} g, but the order is {paid['state']} and {held_g} g are held")
    retired = company.post("/v1/retirements", {
        "quantity_g": max(held_g // 2, 1), "beneficiary": BENEFICIARY, "purpose": "event",
        "period_from": month.isoformat(), "period_to": (month + timedelta(days=27)).isoformat(),
        "note": "演示 demonstration",
    })  # fmt: skip
    show.retirement(order, retired["certificate"])
    return dict(retired)


def pay(pay_url: str) -> None:
    """What the buyer does on the payment provider's page."""
    if urllib3.request("POST", pay_url, fields={"do": "pay"}).status >= 400:
        raise DoesNotHold(f"{pay_url} could not be paid")


def _share(operator: Caller) -> None:
    """The money of the sale goes to the people, the partners, the platform and the fund."""
    settled = operator.post("/v1/operator/settlements")["items"]
    flows = operator.get("/v1/flows")["totals"]
    if not settled or flows["citizens_fen"] != sum(one["citizens_fen"] for one in settled):
        raise DoesNotHold(f"a final sale was not shared out: {flows}")
    show.flows(flows)


def _certificate(place: Place, number: str) -> dict[str, str]:
    """Fetch the certificate without an account and have it checked; the files."""
    anyone = Caller(place.base_url)
    anyone.until(f"/v1/certificates/{number}.json", lambda found: found["log"] is not None)
    pdf, signed = place.out / f"{number}.pdf", place.out / f"{number}.json"
    signed.write_bytes(anyone.fetch(f"/v1/certificates/{number}.json"))
    pdf.write_bytes(anyone.fetch(f"/v1/certificates/{number}.pdf"))
    if not anyone.post("/v1/certificates/verify", json.loads(signed.read_text("utf-8")))["valid"]:
        raise DoesNotHold(f"the platform does not recognise its own certificate {number}")
    return {"certificate_pdf": str(pdf), "certificate_json": str(signed)}


def _prove(place: Place, certificate: str, citizen: Caller | None) -> int:
    """The certificate and a citizen's receipt prove themselves, without the platform; the log's size."""
    show.step("证明 Prove", "checked by a script that needs Python and nothing else, without the platform")
    proofs.fetch_verifier(place)
    show.proven(Path(certificate), proofs.verify(place, "certificate", Path(certificate)))
    if citizen:
        [deed, *_] = [d["deed"] for d in citizen.get("/v1/me/deeds?limit=100")["items"] if d["verdict"] == "credited"]
        path = f"/v1/me/deeds/{deed}/receipt"
        receipt = citizen.until(path, lambda found: found["log"] is not None)
        file = place.out / f"receipt-{deed}.json"
        file.write_bytes(citizen.fetch(path))
        packs = {record["pack"]["sha256"] for record in receipt["records"]}
        show.proven(file, proofs.verify(place, "receipt", file, *sorted(packs)))
    return int(Caller(place.base_url).get("/v1/log/checkpoints?limit=1")["items"][0]["size"])


def _log_in(place: Place) -> Caller:
    """A citizen logs in with the phone's identity provider and looks at the points."""
    who = (place.out / "traffic" / "valleybike.people.csv").read_text("utf-8").splitlines()[-1].split(",")[1]
    code = Caller(place.phone_url).get(f"/mock/login?as={who}")["code"]
    session = Caller(place.base_url).post("/v1/sessions", {"provider": "wechat", "code": code})
    me = Caller(place.base_url, session["access_token"])
    show.citizen(me.get("/v1/me"), me.get("/v1/me/deeds?limit=5"), me.get("/v1/me/statement"))
    return me
