"""Units of facts and factors: exact conversion and dimensions, so that grams are never added to kilometres.

A unit is written as products and one slash: `kgCO2e/pkm`, `gCO2/kWh`, `kgCO2e/t.km`, `1`. What is emitted is a
dimension of its own for every gas basis and boundary: adding numbers of two gas bases or boundaries is then a unit
error, while their ratio (a clean grid over a mean grid) is a plain number, as it should be.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

# Gas basis of a number -> what its emissions are called in units, and what it means.
GAS_BASES: dict[str, tuple[str, str, str]] = {
    "CO2": ("CO2", "仅二氧化碳", "carbon dioxide only"),
    "CO2e": (
        "CO2e",
        "二氧化碳当量，来源未说明所用的全球变暖潜势值",
        "CO2 equivalent; the source does not say which GWP set",
    ),
    "CO2e-AR4": ("CO2e", "二氧化碳当量，IPCC 第四次评估报告 GWP100", "CO2 equivalent, IPCC AR4 GWP100"),
    "CO2e-AR5": ("CO2e", "二氧化碳当量，IPCC 第五次评估报告 GWP100", "CO2 equivalent, IPCC AR5 GWP100"),
    "CO2e-AR6": ("CO2e", "二氧化碳当量，IPCC 第六次评估报告 GWP100", "CO2 equivalent, IPCC AR6 GWP100"),
    "unstated": ("CO2e", "来源未说明气体口径", "the source does not say which gases"),
}

_MASS = {"mg": Fraction(1, 1000), "g": Fraction(1), "kg": Fraction(1000), "t": Fraction(1_000_000)}

# Atoms that are not masses or emissions: scale to the base unit, and the dimension.
_ATOMS: dict[str, tuple[Fraction, tuple[str, ...]]] = {
    "1": (Fraction(1), ()),
    "m": (Fraction(1), ("distance",)),
    "km": (Fraction(1000), ("distance",)),
    "pm": (Fraction(1), ("person", "distance")),  # person-metre: a metre travelled by one person
    "pkm": (Fraction(1000), ("person", "distance")),
    "vm": (Fraction(1), ("vehicle", "distance")),
    "vkm": (Fraction(1000), ("vehicle", "distance")),
    "Wh": (Fraction(1, 1000), ("energy",)),
    "kWh": (Fraction(1), ("energy",)),
    "MWh": (Fraction(1000), ("energy",)),
    "piece": (
        Fraction(1),
        ("use",),
    ),  # a single-use article is used once; nothing made for many uses is counted by the piece
    "use": (Fraction(1), ("use",)),
    "trip": (Fraction(1), ("trip",)),
    "step": (Fraction(1), ("step",)),
    "l": (Fraction(1), ("volume",)),
    "m3": (Fraction(1000), ("volume",)),
    "h": (Fraction(1), ("time",)),
}


class UnitError(ValueError):
    """A unit that nobody can read."""


# (dimension, exponent), sorted; no exponent is zero.
Dimension = tuple[tuple[str, int], ...]
_NONE: Dimension = ()


@dataclass(frozen=True, slots=True)
class Unit:
    """`scale` base units (gram, metre, kilowatt-hour, use), of a dimension."""

    text: str
    scale: Fraction
    dimension: Dimension


def emission(gas_basis: str, boundary: str) -> Dimension:
    """The dimension of grams emitted on one gas basis within one boundary."""
    return ((f"emission {gas_basis} {boundary}", 1),)


def multiply(left: Dimension, right: Dimension, sign: int = 1) -> Dimension:
    """Dimension of a product, or with sign -1 of a quotient."""
    powers = dict(left)
    for name, power in right:
        powers[name] = powers.get(name, 0) + sign * power
    return tuple(sorted((name, power) for name, power in powers.items() if power))


def parse(text: str, gas_basis: str = "", boundary: str = "") -> Unit:
    """Read a unit; the gas basis and boundary belong to the number whose unit it is.

    Raises UnitError for an unknown atom, or for CO2 where the gas basis says CO2e (and the other way round).
    """
    above, slash, below = text.partition("/")
    if "/" in below or (slash and not below):
        raise UnitError(f"'{text}' has more than one slash, or nothing behind it")
    scale, dimension = Fraction(1), _NONE
    for atom in above.split("."):
        factor, names = _atom(atom, gas_basis, boundary)
        scale, dimension = scale * factor, multiply(dimension, names)
    for atom in below.split(".") if slash else ():
        factor, names = _atom(atom, gas_basis, boundary)
        scale, dimension = scale / factor, multiply(dimension, names, -1)
    return Unit(text, scale, dimension)


def _atom(atom: str, gas_basis: str, boundary: str) -> tuple[Fraction, Dimension]:
    if atom in _ATOMS:
        scale, names = _ATOMS[atom]
        return scale, tuple((name, 1) for name in sorted(names))
    if atom in _MASS:
        return _MASS[atom], (("mass", 1),)
    for gas in ("CO2e", "CO2"):
        if atom.endswith(gas) and atom.removesuffix(gas) in _MASS:
            if gas_basis and GAS_BASES[gas_basis][0] != gas:
                raise UnitError(f"'{atom}' on the gas basis {gas_basis}: write {GAS_BASES[gas_basis][0]}")
            return _MASS[atom.removesuffix(gas)], emission(gas_basis or gas, boundary)
    raise UnitError(f"'{atom}' is no unit we know; known are {', '.join(known())}")


def known() -> list[str]:
    """Every atom a unit may be made of."""
    return [*_ATOMS, *_MASS, *(f"{mass}{gas}" for gas in ("CO2e", "CO2") for mass in _MASS)]


def readable(dimension: Dimension) -> str:
    """A dimension for a person: 'emission CO2e cradle-to-gate / person.distance'."""
    above = [_power(name, power) for name, power in dimension if power > 0]
    below = [_power(name, -power) for name, power in dimension if power < 0]
    return ".".join(above or ["1"]) + ("/" + ".".join(below) if below else "")


def _power(name: str, power: int) -> str:
    return name if power == 1 else f"{name}^{power}"
