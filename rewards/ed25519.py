"""Ed25519 signatures checked in pure Python (RFC 8032, 5.1.7), for a verifier where nothing is installed.

As strict as `cryptography` (OpenSSL): a signature has one form (S below the order, R as the result is encoded), and is
checked without the cofactor. Stricter with what no honest key is: a public key must be written in the one way of
RFC 8032, and one of small order, under which nearly anything is signed, is refused. All that is checked is public, so
it need not take the same time for all input. Standard library only: this file is part of the stand-alone verifier.
"""

from __future__ import annotations

import hashlib

_P = 2**255 - 19
_ORDER = 2**252 + 27742317777372353535851937790883648493
_D = -121665 * pow(121666, -1, _P) % _P
_ROOT_OF_MINUS_1 = pow(2, (_P - 1) // 4, _P)
_BASE_BYTES = b"\x58" + b"\x66" * 31

# On the curve -x^2 + y^2 = 1 + d x^2 y^2, written (X, Y, Z, T): x = X/Z, y = Y/Z, x y = T/Z.
_Point = tuple[int, int, int, int]
_NEUTRAL: _Point = (0, 1, 1, 0)


def is_ed25519(public: bytes, message: bytes, signature: bytes) -> bool:
    """Whether the signature (64 bytes) is over the message by the key (32 bytes). Never raises."""
    if len(public) != 32 or len(signature) != 64:
        return False
    key, scalar = _decode(public), int.from_bytes(signature[32:], "little")
    if key is None or scalar >= _ORDER or _is_neutral(_double(_double(_double(key)))):
        return False
    digest = hashlib.sha512(signature[:32] + public + message).digest()
    challenge = int.from_bytes(digest, "little") % _ORDER
    base = _decode(_BASE_BYTES)
    assert base is not None
    return _encode(_sum_of_multiples(scalar, base, challenge, _negative(key))) == signature[:32]


def _decode(raw: bytes) -> _Point | None:
    """The point that 32 bytes stand for; None where they stand for none, or are not the way to write it."""
    number = int.from_bytes(raw, "little")
    y, odd = number & (1 << 255) - 1, number >> 255
    if y >= _P:
        return None
    above, below = (y * y - 1) % _P, (_D * y * y + 1) % _P
    x = above * pow(below, 3, _P) * pow(above * pow(below, 7, _P), (_P - 5) // 8, _P) % _P
    if below * x * x % _P != above:
        x = x * _ROOT_OF_MINUS_1 % _P
    if below * x * x % _P != above or (x == 0 and odd):
        return None
    if x & 1 != odd:
        x = _P - x
    return x, y, 1, x * y % _P


def _encode(point: _Point) -> bytes:
    inverse = pow(point[2], -1, _P)
    x, y = point[0] * inverse % _P, point[1] * inverse % _P
    return (y | (x & 1) << 255).to_bytes(32, "little")


def _is_neutral(point: _Point) -> bool:
    return point[0] % _P == 0 and (point[1] - point[2]) % _P == 0


def _negative(point: _Point) -> _Point:
    return -point[0] % _P, point[1], point[2], -point[3] % _P


def _add(one: _Point, other: _Point) -> _Point:
    """RFC 8032, 5.1.4; complete, so that it also doubles."""
    a = (one[1] - one[0]) * (other[1] - other[0]) % _P
    b = (one[1] + one[0]) * (other[1] + other[0]) % _P
    c = 2 * one[3] * other[3] * _D % _P
    d = 2 * one[2] * other[2] % _P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % _P, g * h % _P, f * g % _P, e * h % _P


def _double(point: _Point) -> _Point:
    a, b = point[0] * point[0] % _P, point[1] * point[1] % _P
    h = a + b
    e, g = h - (point[0] + point[1]) ** 2, a - b
    f = 2 * point[2] * point[2] + g
    return e * f % _P, g * h % _P, f * g % _P, e * h % _P


def _sum_of_multiples(m: int, one: _Point, n: int, other: _Point) -> _Point:
    """m x one + n x other, both scalars a bit at a time."""
    adds = (None, one, other, _add(one, other))
    total = _NEUTRAL
    for place in range(max(m.bit_length(), n.bit_length()) - 1, -1, -1):
        total = _double(total)
        added = adds[(m >> place & 1) + 2 * (n >> place & 1)]
        if added:
            total = _add(total, added)
    return total
