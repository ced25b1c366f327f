"""Retiring credits: for whom, for what, and in which words."""

from __future__ import annotations

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


def statements(*, demonstration: bool, provisional: bool) -> list[dict[str, str]]:
    """What a certificate must say about itself, most important first: [{"zh", "en"}]."""
    texts = [DEMONSTRATION] * demonstration + [NOT_CCER, NOT_NEUTRALITY] + [PROVISIONAL] * provisional
    return [{"zh": zh, "en": en} for zh, en in texts]
