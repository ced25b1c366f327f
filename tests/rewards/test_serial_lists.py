"""Serial ranges of lists: read in every shape, compared within their space."""

from __future__ import annotations

from contextlib import suppress
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewards import serial_lists
from rewards.serial_lists import Double, Entry, Listed
from rewards.serials import SerialRange, Span

SMALL = st.tuples(st.sampled_from(["7", "8"]), st.integers(1, 30), st.integers(0, 8), st.sampled_from(["x", "y"]))


def entries(rows: list[tuple[str, int, int, str]]) -> list[Entry]:
    return sorted(
        Entry("tanpuhui", space, first, first + more, rest, (0, line))
        for line, (space, first, more, rest) in enumerate(rows, 1)
    )


@given(
    st.from_regex(r"[0-9]{6}", fullmatch=True).filter(str.isascii),
    st.from_regex(r"[a-z][a-z0-9_]{0,20}", fullmatch=True),
    st.dates(min_value=date(2000, 1, 1)),
    st.integers(1, 10**17),
    st.integers(1, 10**17),
    st.integers(0, 10**6),
)
def test_our_own_ranges_are_read_as_they_are_printed(
    region: str, pack: str, day: date, batch: int, first: int, more: int
) -> None:
    one = SerialRange(region, pack, day.replace(day=1), batch, Span(first, first + more))
    listed = serial_lists.parse(f" {one}\r\n")
    assert f"TPH-{listed.rest}-{listed.space}-{listed.first}-{listed.last}" == str(one)
    assert listed.quantity == one.span.quantity_g
    assert serial_lists.unit(listed.shape) == "g"


@pytest.mark.parametrize(
    ("text", "shape", "space", "first", "last"),
    [
        (
            "10643-233905433-233912432-VCS-VCU-279-VER-BR-1-896-01012012-30062012-0",
            "verra",
            "VCS",
            233905433,
            233912432,
        ),
        ("8040-449402275-449402275-VCU-042-MER-PE-14-1360-01072013-30062014-1", "verra", "VCU", 449402275, 449402275),
        ("0001-000001-000100-VCS-VCU-003-VER-US-0003-01012020-31122020-1", "verra", "VCS", 1, 100),
        ("CAR-1-US-1335-31-983-KS-2025-9205-1 to 5000", "car", "CAR-1-US-1335-31-983-KS-2025-9205", 1, 5000),
        ("CAR-ROC-US-1316-105-276-CA-2025-9388-1 to 1", "car", "CAR-ROC-US-1316-105-276-CA-2025-9388", 1, 1),
        ("ACR-FR-1129-2025-2917-30932 to 35143", "acr", "ACR-FR-1129-2025-2917", 30932, 35143),
        ("ACR-US-192-2010-203-1-5000", "acr", "ACR-US-192-2010-203", 1, 5000),
    ],
)
def test_the_shapes_that_registries_publish_are_read(text: str, shape: str, space: str, first: int, last: int) -> None:
    listed = serial_lists.parse(text)
    assert listed[:4] == (shape, space, first, last)
    assert serial_lists.unit(shape) == "t"
    assert serial_lists.mentions(f"something before\n{text}")


@pytest.mark.parametrize(
    "text",
    [
        "", "serial", "TPH-310000-cycling-202606-7-1000-1", "TPH-310000-cycling-202613-7-1-2",
        "TPH-310000-cycling-202606-7-1-2 and more", "TPH-" + "1" * 10_000, "CAR-1-US-1335-31-983-KS-2025-9205-5 to 1",
        "CAR-1-US-1335-31-983-KS-2025-9205-1-5000", "ACR-US-192-2010-203-1", "ART-GY-102-2016-9-1 to 1400",
        "10643-9-8-VCS-VCU-279-VER-BR-1-896-01012012-30062012-0", "ACR-US-192-2010-203-１ to ２",
        "10643-1-1000000000000000000-VCS-VCU-279-VER-BR-1-896-01012012-30062012-0",
    ],
)  # fmt: skip
def test_what_is_no_range_is_refused_in_a_sentence(text: str) -> None:
    with pytest.raises(ValueError, match=r"range|month") as told:
        serial_lists.parse(text)
    assert len(str(told.value)) < 200


@given(st.text())
def test_no_text_breaks_the_reading(text: str) -> None:
    for read in (serial_lists.parse, serial_lists.quantity):
        with suppress(ValueError):
            read(text)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("", None), (" ", None), ("0", 0), ("5000", 5000), ("1,454,054", 1454054), ("1 454 054", 1454054),
        ("28'571", 28571), ("28，571", 28571), ("4212.0", 4212), ("1,000.00", 1000),
    ],
)  # fmt: skip
def test_a_quantity_may_have_its_thousands_apart(text: str, number: int | None) -> None:
    assert serial_lists.quantity(text) == number


@pytest.mark.parametrize("text", ["1.000", "1,00", "1,000 000", "5 t", "-5", "5.5", "1e3", "n/a", "９", "9" * 19])
def test_a_quantity_that_can_be_read_in_two_ways_is_not_read(text: str) -> None:
    with pytest.raises(ValueError, match="not a quantity"):
        serial_lists.quantity(text)


def test_the_columns_of_the_registries_exports_are_known() -> None:
    verra = ["Issuance Date", "Total Vintage Quantity", "Quantity Issued", "Serial Number"]
    car = ["Vintage", "Offset Credit Serial Numbers", "Quantity of Offset Credits", "Unnamed: 22"]
    acr = ["fiid", "Credit\u00a0Serial Numbers", "Quantity of Credits"]
    assert [(serial_lists.serial_columns(h), serial_lists.quantity_column(h)) for h in (verra, car, acr)] == [
        ([3], 2), ([1], 2), ([1], 2),
    ]  # fmt: skip
    assert serial_lists.serial_columns(["我的序列号段", "数量"]) == [0]
    assert serial_lists.serial_columns(["serial from", "serial to"]) == [0, 1]
    assert serial_lists.serial_columns(["Serial numbers retired in June"]) == []
    assert serial_lists.column(["Quantity_G"], "quantity g") == 0


@given(st.lists(SMALL, max_size=25))
def test_all_that_is_listed_twice_is_found_and_nothing_else(rows: list[tuple[str, int, int, str]]) -> None:
    listed = entries(rows)
    found = list(serial_lists.doubles(listed))
    for space in ("7", "8"):
        seen: dict[int, int] = {}
        for one in listed:
            if one.space == space:
                for number in range(one.first, one.last + 1):
                    seen[number] = seen.get(number, 0) + 1
        told = {n for double in found if double.space == space for n in range(double.first, double.last + 1)}
        assert told == {number for number, times in seen.items() if times > 1}
    at = {one.place: one for one in listed}
    for double in found:
        one, other = at[double.place], at[double.other]
        assert double.place > double.other
        assert (max(one.first, other.first), min(one.last, other.last)) == (double.first, double.last)
        assert double.same == (one[:5] == other[:5])
    assert len(found) < max(len(rows), 1)


def test_lines_that_say_the_very_same_are_told_as_such() -> None:
    rows = [("7", 1, 99, "x"), ("7", 5, 5, "x"), ("7", 5, 5, "x"), ("7", 5, 5, "y"), ("8", 5, 5, "x")]
    assert list(serial_lists.doubles(entries(rows))) == [
        Double("tanpuhui", "7", 5, 10, (0, 2), (0, 1), False),
        Double("tanpuhui", "7", 5, 10, (0, 3), (0, 2), True),
        Double("tanpuhui", "7", 5, 10, (0, 4), (0, 1), False),
    ]


def test_a_range_knows_how_much_it_is() -> None:
    assert Listed("car", "CAR-1", 251, 750, "").quantity == 500
