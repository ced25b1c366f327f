"""Caps on collection, and the dossier that a verifier reads."""

from __future__ import annotations

from datetime import timedelta

from tests.cast import Stage, recent
from tests.market import POOL, Market, ok, refused


def cap(market: Market, mg: int | None, partner: str = "", **more: object) -> None:
    body = {"from_month": "2026-06", "cap_mg": mg, "document": "agreement 3", **more}
    ok(market.operator.post(f"/v1/operator/partners/{partner or market.partner.id}/caps", body), 201)


def test_what_a_partner_collects_beyond_its_cap_stays_with_the_citizens(stage: Stage, market: Market) -> None:
    other = stage.partner("metrolink", ["x"])
    early = [market.deed(400_000), market.deed(300_000)]
    negative = market.deed(-50_000)
    late = market.deed(400_000)  # would make 1,100 g
    free = market.deed(2_000_000, client=other)
    cap(market, 1_000_000)
    shown = ok(market.operator.get(f"/v1/pools/{POOL}"), 200)
    assert (shown["deeds"], shown["over_cap_deeds"], shown["reduction_mg"]) == (4, 1, 2_650_000)
    batch = market.closed()
    assert (batch["deeds"], batch["reduction_mg"]) == (4, 2_650_000)
    assert market.members() == {*early, negative, free}
    assert late not in market.members()
    market.deed(290_000)
    market.deed(20_000)
    refused(market.operator.post(f"/v1/pools/{POOL}/close"), 409, "conflict")  # the earlier deed is first in line
    cap(market, 1_400_000, methodology="cycling")
    again = market.closed()
    assert (again["deeds"], again["reduction_mg"]) == (2, 690_000)
    assert market.conservation()["ok"]


def test_caps_are_by_methodology_and_month_and_can_end(stage: Stage, market: Market) -> None:
    market.deed(400_000)
    cap(market, 0)
    assert ok(market.operator.get(f"/v1/pools/{POOL}"), 200)["state"] == "open"
    cap(market, None, methodology="cycling")
    assert ok(market.operator.get(f"/v1/pools/{POOL}"), 200)["deeds"] == 1
    path = f"/v1/operator/partners/{market.partner.id}/caps"
    body = {"from_month": "2026-06", "cap_mg": 5, "document": "d"}
    refused(market.operator.post(path, body), 409, "conflict")
    refused(market.operator.post("/v1/operator/partners/nobody/caps", body), 404, "not_found")
    assert [c["cap_mg"] for c in ok(market.partner.get("/v1/caps"), 200)["items"]] == [0, None]
    assert ok(stage.partner("metrolink").get("/v1/caps"), 200)["items"] == []


def test_the_dossier_tells_what_a_verifier_asks_and_draws_the_same_sample_by_the_same_seed(stage: Stage) -> None:
    people = [f"p{i}" for i in range(24)]
    partner = stage.partner("valleybike", people)
    market = Market(stage, people=0)
    day = recent(days_ago=41)
    events = [
        partner.event(f"e{n}", who, day + timedelta(hours=n % 5, days=n % 2), 10 + n % 7, distance_m=1500 + 100 * n)
        for n, who in enumerate(people)
    ]
    events += [
        partner.event(f"x{n}", "p0", day + timedelta(hours=8, minutes=30 * n), 12, distance_m=2000) for n in range(6)
    ]
    verdicts = partner.verdicts(*events)
    assert {v["verdict"] for v in verdicts} == {"credited"}
    [pool] = [p for p in ok(market.operator.get("/v1/pools"), 200)["items"] if p["state"] == "closable"]
    batch = ok(market.operator.post(f"/v1/pools/{pool['id']}/close"), 201)
    path = f"/v1/batches/{batch['id']}/dossier"
    dossier = ok(market.verifier.get(f"{path}?seed=a&sample=5"), 200)
    tier = {"evidence": "device", "deeds": batch["deeds"], "reduction_mg": batch["reduction_mg"]}
    assert dossier["evidence"] == [tier]  # `order` is believed of a number's own issuer only, and these have none
    assert [p["name"] for p in dossier["partners"]] == ["valleybike"]
    assert dossier["people"]["count"] == batch["people"]
    assert dossier["deeds"]["least_mg"] > 0
    assert {v["verdict"] for v in dossier["verdicts"]} == {"credited"}
    kinds = {one["kind"]: one for one in dossier["anomalies"]}
    assert kinds["repeats"]["deeds"] == 6
    sample = dossier["sample"]["deeds"]
    assert len(sample) == 5
    assert all(one["receipt"]["reduction_mg"] == one["reduction_mg"] for one in sample)
    again = ok(market.operator.get(f"{path}?seed=a&sample=5"), 200)["sample"]
    assert again == dossier["sample"]
    assert ok(market.verifier.get(f"{path}?seed=b&sample=5"), 200)["sample"] != dossier["sample"]
    refused(market.company.get(path), 403, "forbidden")
    refused(market.verifier.get("/v1/batches/99/dossier"), 404, "not_found")
