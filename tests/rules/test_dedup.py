"""One deed, one credit: `settle` says the same whatever the order of arrival, and never credits a moment twice."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from rules import dedup
from rules.dedup import MICRO, Outcome, Record, settle
from rules.model import CREDITED, DUPLICATE_OF, REFUSED, ExclusionClass

MOBILITY = ExclusionClass(
    "mobility", jitter_s=60, overlap_tolerance_s=180, continue_gap_s=120, shift_s=180, duration_jitter_s=5,
    overlap_share_percent=85,
)  # fmt: skip
WEIGHING = ExclusionClass("recycling", 60, None, same_record_facts=("material", "mass_g"), distinct_act_refs=True)
DAY = date(2026, 10, 1)


def ride(event_id: int, start_s: int, end_s: int, **other: object) -> Record:
    """A plausible ride of 1,000 mg and 1.5 points, seconds counted from some midnight."""
    day = date.fromordinal(DAY.toordinal() + start_s // 86_400)
    record = Record(
        event_id, 0, "bikes", f"r{event_id}", start_s * MICRO, end_s * MICRO, day, "cycling",
        measured_mg=1000, points_micro=1_500_000,
    )  # fmt: skip
    return replace(record, **other)  # type: ignore[arg-type]


rides = st.lists(
    st.builds(
        lambda *row: row,
        st.integers(0, 2 * 86_400), st.integers(60, 3000), st.integers(0, 3), st.sampled_from("ab"), st.booleans(),
        st.sampled_from([None, None, None, "1", "2"]), st.integers(-500, 5000),
        st.sampled_from([None, None, b"1", b"2"]), st.integers(0, 9),
    ),
    max_size=14,
).map(
    lambda rows: [
        ride(
            i + 1, start, start + length, tier=tier, client_id=client, refusal="too_fast" if refused else "",
            acts=(("bikes", act.encode()),) if act else (), measured_mg=mg, cap_mg=7000, asset=asset,
            aggregate=not total, root_id=i + 1,
        )
        for i, (start, length, tier, client, refused, act, mg, asset, total) in enumerate(rows)
    ]
)  # fmt: skip


@given(rides, st.randoms(use_true_random=False))
def test_the_order_of_arrival_changes_nothing(records: list[Record], random: object) -> None:
    shuffled = list(records)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert settle(shuffled, MOBILITY) == settle(records, MOBILITY)


@given(rides)
def test_no_moment_of_a_person_is_credited_twice(records: list[Record]) -> None:
    outcomes = settle(records, MOBILITY)
    standing = [r for r in records if outcomes[r.event_id].verdict == CREDITED]
    for a in standing:
        for b in standing:
            assert a is b or not dedup.overlap(a, b, MOBILITY)
            assert a is b or not set(a.acts) & set(b.acts)


@given(rides)
def test_every_event_gets_one_fate_and_every_duplicate_names_a_deed_that_stands(records: list[Record]) -> None:
    outcomes = settle(records, MOBILITY)
    assert set(outcomes) == {r.event_id for r in records}
    for outcome in outcomes.values():
        if outcome.verdict == DUPLICATE_OF:
            head = outcomes[outcome.stands or 0]
            assert head.verdict == CREDITED
            assert head.stands == outcome.stands
            assert (outcome.reduction_mg, outcome.points) == (0, 0)


@given(rides)
def test_a_day_never_gives_more_than_its_cap_and_rounds_points_down_once(records: list[Record]) -> None:
    outcomes = settle(records, MOBILITY)
    for day in {r.day for r in records}:
        today = [r for r in records if r.day == day and outcomes[r.event_id].verdict == CREDITED]
        assert sum(max(outcomes[r.event_id].reduction_mg, 0) for r in today) <= 7000
        exact_micro = sum(dedup._points_micro(r, outcomes[r.event_id].reduction_mg) for r in today)
        assert sum(outcomes[r.event_id].points for r in today) == exact_micro // MICRO


@given(rides, st.data())
def test_settling_a_neighbourhood_gives_the_same_as_settling_a_life(records: list[Record], data: st.DataObject) -> None:
    """The closure of a record with its day-mates is enough: what lies further away cannot matter."""
    if not records:
        return
    seed = data.draw(st.sampled_from(records))
    group = dedup.closure([seed], [r for r in records if r is not seed], MOBILITY)
    days = {r.day for r in group}
    mates = [r for r in records if r.day in days]
    near = dedup.closure(mates, [r for r in records if r.day not in days], MOBILITY)
    whole, part = settle(records, MOBILITY), settle(near, MOBILITY)
    for r in mates:
        assert part[r.event_id] == whole[r.event_id]


def test_seconds_apart_across_eight_o_clock_is_one_deed() -> None:
    eight = 8 * 3600
    first, second = ride(1, eight - 2, eight + 600), ride(2, eight + 3, eight + 640, client_id="wallet")
    assert settle([first, second], MOBILITY)[2] == Outcome(DUPLICATE_OF, "same_record", 1)


def test_rides_in_a_row_that_clocks_push_together_are_two_and_real_overlap_is_one() -> None:
    ridden = ride(1, 0, 600)
    assert settle([ridden, ride(2, 420, 1200)], MOBILITY)[2].verdict == CREDITED  # 180 s shared
    assert settle([ridden, ride(2, 419, 1200)], MOBILITY)[2] == Outcome(DUPLICATE_OF, "overlap", 1)
    assert settle([ridden, ride(2, 500, 615)], MOBILITY)[2] == Outcome(DUPLICATE_OF, "overlap", 1)  # 100 of 115 s
    assert settle([ridden, ride(2, 510, 630)], MOBILITY)[2].verdict == CREDITED  # 90 of 120 s


def test_a_copy_whose_clock_is_three_minutes_off_is_the_same_record_by_its_duration() -> None:
    ridden = ride(1, 0, 120)
    assert settle([ridden, ride(2, 175, 297, client_id="wallet")], MOBILITY)[2].code == "same_record"
    assert settle([ridden, ride(2, 175, 310, client_id="wallet")], MOBILITY)[2].verdict == CREDITED


def test_better_evidence_stands_even_when_it_starts_later() -> None:
    claimed, ordered = ride(1, 0, 600, tier=3), ride(2, 100, 620, tier=0)
    outcomes = settle([claimed, ordered], MOBILITY)
    assert outcomes[2].verdict == CREDITED
    assert outcomes[1] == Outcome(DUPLICATE_OF, "overlap", 2)


def test_a_copy_of_a_refused_record_is_refused_for_the_same_reason() -> None:
    broken, copy = ride(1, 0, 600, refusal="distance_unknown"), ride(2, 40, 640, client_id="wallet")
    assert settle([broken, copy], MOBILITY)[2] == Outcome(REFUSED, "distance_unknown", None)


def test_a_copy_of_a_copy_shares_its_fate_though_the_first_record_is_out_of_the_clocks_reach() -> None:
    first, copy, copy_of_copy = ride(1, 0, 600), ride(2, 50, 620), ride(3, 95, 680, refusal="too_fast")
    assert settle([first, copy, copy_of_copy], MOBILITY)[3] == Outcome(DUPLICATE_OF, "same_record", 1)


def test_of_two_back_to_back_rides_a_copy_means_the_one_of_its_own_duration() -> None:
    first, second = ride(1, 0, 62, refusal="distance_unknown"), ride(2, 55, 120)
    copy = ride(3, 40, 102, client_id="wallet")
    assert settle([first, second, copy], MOBILITY)[3] == Outcome(REFUSED, "distance_unknown", None)


def test_a_refused_record_takes_no_place_in_anybody_s_time() -> None:
    broken, other = ride(1, 0, 6000, refusal="too_long"), ride(2, 600, 1200)
    assert settle([broken, other], MOBILITY)[2].verdict == CREDITED


def test_one_order_number_is_one_deed_however_far_the_clocks_are_apart() -> None:
    act = ("bikes", b"8812")
    assert settle([ride(1, 0, 600, acts=(act,)), ride(2, 4000, 4600, acts=(act,))], MOBILITY)[2] == Outcome(
        DUPLICATE_OF, "same_act", 1
    )


def test_two_bags_on_one_scale_are_two_deeds_and_one_bag_told_twice_is_one() -> None:
    bag = ride(1, 0, 0, same_facts=("PET", 800), acts=(("lvhui", b"1"),))
    next_bag = ride(2, 30, 30, same_facts=("PET", 800), acts=(("lvhui", b"2"),))
    heavier = ride(3, 31, 31, same_facts=("PET", 900))
    retold = ride(4, 20, 20, same_facts=("PET", 800), client_id="wallet")
    outcomes = settle([bag, next_bag, heavier, retold], WEIGHING)
    assert [outcomes[i].verdict for i in (1, 2, 3, 4)] == [CREDITED, CREDITED, CREDITED, DUPLICATE_OF]


def test_a_deed_in_a_closed_pool_is_fixed_and_comes_first() -> None:
    pooled = ride(1, 100, 700, tier=1, cap_mg=1200, fixed_mg=1000, fixed_points=1)
    better = ride(2, 0, 720, tier=0, cap_mg=1200)
    later = ride(3, 5000, 5600, cap_mg=1200)
    outcomes = settle([pooled, better, later], MOBILITY)
    assert outcomes[1] == Outcome(CREDITED, "ok", 1, 1000, 1)
    assert outcomes[2] == Outcome(DUPLICATE_OF, "overlap", 1)
    assert outcomes[3] == Outcome(CREDITED, "capped", 3, 200, 0)


def test_a_restart_of_the_same_bike_within_the_gap_goes_on_with_the_same_deed() -> None:
    first, again, third = (
        ride(1, 0, 600, asset=b"b1"),
        ride(2, 700, 1300, asset=b"b1"),
        ride(3, 1310, 1500, asset=b"b1"),
    )
    other = ride(4, 1600, 1900, asset=b"b2")
    copy = ride(5, 740, 1340, client_id="wallet")
    outcomes = settle([other, third, again, first, copy], MOBILITY)
    assert [(outcomes[i].code, outcomes[i].stands) for i in (1, 2, 3, 4)] == [
        ("ok", 1), ("continues", 1), ("continues", 1), ("ok", 4),
    ]  # fmt: skip
    assert outcomes[5] == Outcome(DUPLICATE_OF, "same_record", 1)
    assert sum(outcomes[i].reduction_mg for i in (1, 2, 3)) == 3000


def test_a_restart_after_the_gap_or_of_another_bike_is_another_deed() -> None:
    first, late, other = ride(1, 0, 600, asset=b"b1"), ride(2, 721, 1300, asset=b"b1"), ride(3, 1310, 1500, asset=b"b2")
    assert {o.code for o in settle([first, late, other], MOBILITY).values()} == {"ok"}


def test_a_load_weighed_at_the_bin_and_again_at_the_depot_is_one_deed() -> None:
    bin_act, depot_act, mill_act = ("lvhui", b"bin-1"), ("depot", b"d-9"), ("mill", b"m-3")
    at_bin = ride(1, 0, 0, same_facts=("PET", 800), acts=(bin_act,))
    at_depot = ride(2, 90_000, 90_000, same_facts=("PET", 790), acts=(depot_act, bin_act))
    at_mill = ride(3, 190_000, 190_000, same_facts=("PET", 780), acts=(mill_act, depot_act))
    outcomes = settle([at_mill, at_depot, at_bin], WEIGHING)
    assert [outcomes[i].verdict for i in (1, 2, 3)] == [CREDITED, DUPLICATE_OF, DUPLICATE_OF]
    assert outcomes[3].stands == 1


def test_a_day_s_total_counts_for_what_the_deeds_inside_the_day_leave_of_it() -> None:
    steps = ride(1, 0, 86_399, aggregate=True, measured_mg=2500, points_micro=2_500_000)
    inside = [ride(2, 3600, 7200), ride(3, 9000, 9600)]
    outcomes = settle([steps, *inside], MOBILITY)
    assert (outcomes[1].code, outcomes[1].reduction_mg) == ("rest_of_day", 500)
    assert {outcomes[i].code for i in (2, 3)} == {"ok"}
    assert settle([steps], MOBILITY)[1].reduction_mg == 2500


def test_a_ruling_that_two_records_are_two_deeds_holds_in_any_order() -> None:
    first, second = ride(1, 0, 600, root_id=1), ride(2, 20, 630, root_id=2, apart=frozenset({1}))
    for records in ([first, second], [second, first]):
        assert {o.verdict for o in settle(records, MOBILITY).values()} == {CREDITED}


def test_a_deed_without_a_reduction_counts_and_earns_nothing() -> None:
    assert settle([ride(1, 0, 600, measured_mg=-50)], MOBILITY)[1] == Outcome(CREDITED, "no_reduction", 1, -50, 0)
