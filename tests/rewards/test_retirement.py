"""Check signs of 统一社会信用代码, and what a certificate must say."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewards import retirement

SIGNS = "0123456789ABCDEFGHJKLMNPQRTUWXY"


@pytest.mark.parametrize("code", ["91350100M000100Y43", "91440300708461136T", "9111000071093123XX"])
def test_real_codes_have_the_right_check_sign(code: str) -> None:
    assert retirement.uscc_mistake(code) is None


@given(st.text(SIGNS, min_size=17, max_size=17), st.integers(0, 16), st.sampled_from(SIGNS))
def test_one_wrong_sign_is_always_found(first_17: str, place: int, sign: str) -> None:
    code = first_17 + retirement.uscc_check_sign(first_17)
    assert retirement.uscc_mistake(code) is None
    wrong = code[:place] + sign + code[place + 1 :]
    assert (retirement.uscc_mistake(wrong) is None) == (wrong == code)


@pytest.mark.parametrize(
    ("code", "word"),
    [("9144", "18"), ("91440300708461136I", "I"), ("91440300708461136t", "t"), ("914403007084611360", "check sign")],
)
def test_what_is_wrong_with_a_code_is_said_in_words(code: str, word: str) -> None:
    assert word in (retirement.uscc_mistake(code) or "")


def test_a_certificate_says_that_it_is_no_ccer_and_a_demonstration_says_so_first() -> None:
    plain = retirement.statements(demonstration=False, provisional=False)
    assert "CCER" in plain[0]["en"]
    shown = retirement.statements(demonstration=True, provisional=True)
    assert shown[0] == {"zh": "示范，不得用于任何声明", "en": "demonstration, no claim may be made"}
    assert len(shown) == len(plain) + 2
