"""From milligrams to whole grams, with nothing lost."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewards import pooling

MG = st.integers(-(10**12), 10**15)


@given(MG, st.integers(0, 10**9), st.integers(-(10**9), 999), st.integers(0, 1_000_000))
def test_what_is_minted_and_what_remains_is_what_was_attested(
    attested: int, adjustments: int, carried: int, ppm: int
) -> None:
    minting = pooling.mint(attested, adjustments, carried, ppm)
    assert 1000 * minting.issued_g + minting.remainder_mg == attested - adjustments + carried
    assert minting.remainder_mg < 1000
    assert minting.issued_g == 0 or minting.remainder_mg >= 0
    assert minting.issued_g == minting.for_sale_g + minting.reserve_g
    assert minting.reserve_g * 1_000_000 >= minting.issued_g * ppm > (minting.reserve_g - 1) * 1_000_000


def test_a_debt_issues_nothing_and_is_carried_whole() -> None:
    assert pooling.mint(-500, 0, 0, 50_000) == pooling.Minting(0, 0, -500)
    assert pooling.mint(2_100, 0, -500, 50_000) == pooling.Minting(1, 1, 600)


def test_a_pool_may_be_closed_when_its_month_and_the_window_after_it_are_over() -> None:
    assert pooling.closable_on(date(2026, 6, 1), 7) == date(2026, 7, 8)
    assert pooling.closable_on(date(2026, 12, 1), 0) == date(2027, 1, 1)
    assert pooling.closable_on(date(2028, 1, 1), 31) == date(2028, 3, 3)


def test_a_pool_id_is_parsed_back() -> None:
    key = pooling.PoolKey("310000", "plastic_substitution", "1.0.0", date(2026, 6, 1))
    assert str(key) == "310000.plastic_substitution.1.0.0.202606"
    assert pooling.parse_pool_id(str(key)) == key


@pytest.mark.parametrize(
    "text", ["", "310000.cycling.202606", "310000.cycling.1.0.202613", "1.cycling.1.202606", "x" * 300]
)
def test_what_is_no_pool_id_is_not_parsed(text: str) -> None:
    with pytest.raises(ValueError, match="pool id"):
        pooling.parse_pool_id(text)
