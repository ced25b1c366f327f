"""Every verdict code has a sentence a person can act on."""

import pytest

from rules import model, reasons


def test_every_code_has_a_reason_in_the_order_of_the_judge() -> None:
    assert list(reasons.REASONS) == list(model.CODES)


def test_reasons_are_short_and_in_both_languages() -> None:
    for code, (zh, en) in reasons.REASONS.items():
        assert 8 <= len(zh) <= 40, code
        assert any("\u4e00" <= c <= "\u9fff" for c in zh), code
        assert 20 <= len(en) <= 120, code
        assert en.isascii() or "“" in en, code
        assert zh[-1] in "。！", code
        assert en[-1] in ".!", code


def test_reasons_name_no_partner_and_no_time() -> None:
    """They go to partners too: a name, an hour or a placeholder for one would tell of another partner's user."""
    for zh, en in reasons.REASONS.values():
        assert not any(c.isdigit() or c in "{}" for c in zh + en)


def test_an_unknown_code_is_an_error_not_an_empty_sentence() -> None:
    assert reasons.reason("ok", "en") == "Counted. Thank you for your green act!"
    assert reasons.reason("ok", "zh") == "已计入，感谢您的绿色行动！"
    with pytest.raises(KeyError):
        reasons.reason("nope", "zh")
