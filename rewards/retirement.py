"""Retiring credits: for whom, for what, and in which words."""

from __future__ import annotations

import re
import unicodedata

_USCC_SIGNS = "0123456789ABCDEFGHJKLMNPQRTUWXY"  # GB 32100-2015: no I, O, S, V, Z
_USCC_LENGTH = 18

# Purpose code -> (中文, English).
PURPOSES: dict[str, tuple[str, str]] = {
    "own_emissions": ("自愿抵销自身排放", "voluntary compensation of own emissions"),
    "event": ("活动、会议或赛事", "an event, meeting or match"),
    "travel": ("商务出行", "business travel"),
    "product": ("产品或服务", "a product or service"),
    "public_benefit": ("公益捐赠", "public benefit"),
}

NOT_CCER = (
    "本证书所载减排量不是国家核证自愿减排量（CCER），不得用于碳排放权交易履约。",
    "These reductions are not CCER and must not be used for compliance under any emissions trading scheme.",
)
NOT_NEUTRALITY = (
    "注销本身不等于碳中和：本证书只证明上述数量的减排量已永久注销，不再可售、可转、可用。",
    "Retiring is not neutrality: this certificate proves only that the quantity above was used up for good.",
)
DEMONSTRATION = ("示范，不得用于任何声明", "demonstration, no claim may be made")
ENTITY_WAITING = (
    "受益主体尚待复核。",
    "The entity named as beneficiary has not been reviewed yet.",
)
NEUTRALITY = (
    "受益人就所陈述的足迹声明碳中和，并称自身已先行减排；该声明由受益人负责，平台只证明注销数量及其占足迹的比例。",
    "The beneficiary claims neutrality for the stated footprint after reductions of its own; the claim is the "
    "beneficiary's, this platform proves only what was retired and which share of the footprint it covers.",
)
PROVISIONAL = (
    "标注“暂行”的方法学未取得官方文本，数值可能修订。",
    "Methodologies marked provisional were written without the official text; their values may change.",
)


def uscc_check_sign(first_17: str) -> str:
    """The 18th sign of a 统一社会信用代码 by GB 32100-2015 (weights 3^i mod 31). Raises ValueError for other signs."""
    total = sum(_USCC_SIGNS.index(sign) * pow(3, i, 31) for i, sign in enumerate(first_17))
    return _USCC_SIGNS[-total % 31]


def uscc_mistake(code: str) -> str | None:
    """What is wrong with a 统一社会信用代码, in plain words; None when it is right."""
    if len(code) != _USCC_LENGTH:
        return f"统一社会信用代码应为 18 位 · a unified social credit code has 18 signs, this has {len(code)}"
    strange = sorted({sign for sign in code if sign not in _USCC_SIGNS})
    if strange:
        return f"含有不允许的字符 · these signs do not occur in such a code: {' '.join(strange)}"
    if uscc_check_sign(code[:17]) != code[17]:
        return "校验位不符，请核对 · the check sign does not fit: look for a typing mistake"
    return None


def same_form(name: str) -> str:
    """A company's name without what differs by keyboard alone: width of signs, brackets, blanks, case."""
    return re.sub(r"[\s·•・.,，。'’]+", "", unicodedata.normalize("NFKC", name)).casefold()


def is_same_name(one: str, other: str) -> bool:
    return same_form(one) == same_form(other)


def covered_ppm(retired_g: int, footprint_g: int) -> int:
    """The share of a footprint that retired grams cover, rounded down; never more than all of it."""
    return min(retired_g * 1_000_000 // footprint_g, 1_000_000)


def statements(
    *, demonstration: bool, provisional: bool, waiting: bool = False, neutrality: bool = False
) -> list[dict[str, str]]:
    """What a certificate must say about itself, most important first: [{"zh", "en"}]."""
    not_neutral = [NEUTRALITY] if neutrality else [NOT_NEUTRALITY]
    texts = [DEMONSTRATION] * demonstration + [NOT_CCER, *not_neutral] + [ENTITY_WAITING] * waiting
    return [{"zh": zh, "en": en} for zh, en in texts + [PROVISIONAL] * provisional]
