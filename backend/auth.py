"""Who is calling: tokens, client assertions, body signatures, and the digests that hide people.

Pure functions over keys; the database is asked elsewhere. `allow` is how a route states who may call it.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache, wraps
from typing import Any, TypeVar, cast

import jwt
from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from flask import current_app, g, request
from jwt.api_jws import PyJWS

from backend.errors import Problem

ACCESS_S = 900
REFRESH_S = 30 * 86400
ASSERTION_MAX_S = 600
LEEWAY_S = 30
ALGORITHMS = ("EdDSA", "ES256")
ISSUER = "tanpuhui"
ANYONE = "anyone"
CITIZEN = "citizen"
CLIENT_ROLES = ("partner", "company", "verifier", "regulator", "operator")

View = TypeVar("View", bound=Callable[..., Any])

# What PyJWT lets through of a hostile token: nesting too deep, numbers without end, halves of surrogate pairs.
_UNREADABLE = (jwt.PyJWTError, RecursionError, OverflowError, TypeError, ValueError)
_CLIENT_ID = re.compile(r"[\x21-\x7e]{1,64}")


@dataclass(frozen=True, slots=True)
class Caller:
    """The authenticated caller: a client id for client roles, a person id (as text) for a citizen."""

    role: str
    id: str

    @property
    def person_id(self) -> int:
        return int(self.id)


# --- platform keys -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key of the platform, by its RFC 7638 thumbprint."""

    kid: str
    algorithm: str
    private: Any
    public_jwk: dict[str, str]


@cache
def signing_keys(jwks_json: str) -> tuple[SigningKey, ...]:
    """The platform's keys from the setting: the first signs, all verify and are published."""
    keys = []
    for jwk in json.loads(jwks_json):
        public = public_part(jwk)
        key = jwt.PyJWK(jwk, algorithm=algorithm_of(public))
        keys.append(SigningKey(public["kid"], algorithm_of(public), key.key, public))
    return tuple(keys)


def algorithm_of(jwk: Mapping[str, Any]) -> str:
    """EdDSA for an Ed25519 key, ES256 for a P-256 key. Raises ValueError for any other."""
    if jwk.get("kty") == "OKP" and jwk.get("crv") == "Ed25519":
        return "EdDSA"
    if jwk.get("kty") == "EC" and jwk.get("crv") == "P-256":
        return "ES256"
    raise ValueError("the key must be Ed25519 (kty OKP, crv Ed25519) or P-256 (kty EC, crv P-256)")


def public_part(jwk: Mapping[str, Any]) -> dict[str, str]:
    """The public members of a JWK, with kid = its own or the RFC 7638 thumbprint. Raises ValueError."""
    algorithm_of(jwk)
    names = ("crv", "kty", "x", "y") if jwk["kty"] == "EC" else ("crv", "kty", "x")
    try:
        members = {name: str(jwk[name]) for name in names}
    except KeyError as missing:
        raise ValueError(f"the key lacks its member {missing}") from None
    try:
        jwt.PyJWK(members, algorithm=algorithm_of(members))
    except jwt.PyJWTError:
        raise ValueError("the key is damaged: its members are no point of the curve") from None
    digest = hashlib.sha256(json.dumps(members, separators=(",", ":"), sort_keys=True).encode()).digest()
    return members | {"kid": str(jwk.get("kid") or _b64(digest))}


def new_key() -> tuple[dict[str, str], dict[str, str]]:
    """A new Ed25519 key as (private JWK, public JWK)."""
    raw = Ed25519PrivateKey.generate()
    d = _b64(raw.private_bytes_raw())
    public = public_part({"kty": "OKP", "crv": "Ed25519", "x": _b64(raw.public_key().public_bytes_raw())})
    return public | {"d": d}, public


def _b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


# --- tokens --------------------------------------------------------------------------------------------------------


def issue_token(
    keys: Sequence[SigningKey], role: str, subject: str, now: datetime, lifetime_s: int = ACCESS_S, use: str = "access"
) -> str:
    """A signed token that says who the caller is and in which role, for `lifetime_s` seconds."""
    claims: dict[str, Any] = {"iss": ISSUER, "aud": ISSUER, "sub": subject, "role": role, "use": use}
    claims |= {"iat": int(now.timestamp()), "exp": int((now + timedelta(seconds=lifetime_s)).timestamp())}
    return jwt.encode(claims, keys[0].private, algorithm=keys[0].algorithm, headers={"kid": keys[0].kid})


def read_token(keys: Sequence[SigningKey], token: str, use: str = "access") -> Caller:
    """The caller named by one of our tokens. Raises Problem `token_invalid`."""
    try:
        kid = jwt.get_unverified_header(token).get("kid")
        key = next(k for k in keys if k.kid == kid)
        public = jwt.PyJWK(key.public_jwk, algorithm=key.algorithm).key
        claims = jwt.decode(
            token, public, [key.algorithm], audience=ISSUER, issuer=ISSUER, options={"require": ["exp"]}
        )
    except (StopIteration, *_UNREADABLE):
        raise Problem("token_invalid") from None
    if claims.get("use") != use:
        raise Problem("token_invalid")
    return Caller(str(claims["role"]), str(claims["sub"]))


def assertion_subject(assertion: str) -> str:
    """The client id that an assertion claims, before it is checked. Raises Problem `assertion_invalid`."""
    try:
        subject = jwt.decode(assertion, options={"verify_signature": False}).get("sub")
    except _UNREADABLE:
        raise Problem("assertion_invalid", "client_assertion is not a JWT") from None
    if not isinstance(subject, str) or not _CLIENT_ID.fullmatch(subject):
        raise Problem("assertion_invalid", "sub names no client of this platform")
    return subject


def check_assertion(
    assertion: str, client_id: str, jwks: Sequence[Mapping[str, Any]], audiences: Sequence[str]
) -> tuple[int, bytes]:
    """Check an RFC 7523 client assertion against the client's keys; its expiry (Unix seconds), and what it is once.

    That digest is of the client and `jti` or, without one, of what was signed: the signature and the padding of an
    assertion can be written in more than one way.

    Raises Problem `assertion_invalid` saying which of signature, iss, sub, aud, exp is wrong.
    """
    reason = "no key of this client signed it"
    for jwk in jwks:
        algorithm = algorithm_of(jwk)
        try:
            claims = jwt.decode(
                assertion,
                jwt.PyJWK(dict(jwk), algorithm=algorithm).key,
                [algorithm],
                audience=list(audiences),
                issuer=client_id,
                leeway=LEEWAY_S,
                options={"require": ["exp", "iss", "sub", "aud"]},
            )
        except (jwt.InvalidSignatureError, jwt.InvalidAlgorithmError, jwt.InvalidKeyError):
            continue
        except _UNREADABLE as error:
            reason = str(error)
            break
        expires = int(claims["exp"])
        if expires - datetime.now(UTC).timestamp() > ASSERTION_MAX_S:
            raise Problem("assertion_invalid", f"exp may be at most {ASSERTION_MAX_S} seconds ahead")
        return expires, _once(client_id, str(claims.get("jti") or ""), assertion.rpartition(".")[0])
    raise Problem("assertion_invalid", reason)


def _once(client_id: str, jti: str, signed: str) -> bytes:
    parts = ("jti", client_id, jti) if jti else ("signed", signed)
    return hashlib.sha256("\x1f".join(parts).encode("utf-8", "surrogatepass")).digest()


# --- body signatures -----------------------------------------------------------------------------------------------

_jws = PyJWS()


def check_body_signature(signature: str, body: bytes, jwks: Sequence[Mapping[str, Any]]) -> None:
    """Check a detached JWS (RFC 7797, b64=false) over the raw body. Raises Problem `signature_invalid`."""
    if not signature:
        raise Problem("signature_missing", "sign the raw body: detached JWS, RFC 7797, b64=false")
    try:
        header = _jws.get_unverified_header(signature)
    except _UNREADABLE:
        raise Problem("signature_invalid", "X-JWS-Signature is not a detached JWS") from None
    if header.get("b64") is not False or header.get("crit") != ["b64"]:
        raise Problem("signature_invalid", 'the protected header needs "b64":false and "crit":["b64"]')
    for jwk in jwks:
        algorithm = algorithm_of(jwk)
        if header.get("kid") not in (None, jwk["kid"]) or header.get("alg") != algorithm:
            continue
        try:
            key = jwt.PyJWK(dict(jwk), algorithm=algorithm).key
            _jws.decode_complete(signature, key, [algorithm], detached_payload=body)
            return
        except jwt.PyJWTError:
            continue
    raise Problem("signature_invalid", "no key of this client signed these bytes")


def sign(key: SigningKey, message: bytes) -> str:
    """A bare signature (base64url) over the bytes, with the key's own algorithm."""
    return _b64(raw_signature(key, message))


def public_key(raw: bytes) -> SigningKey:
    """An Ed25519 key of which only the 32 public bytes are known: it verifies, and signs nothing."""
    jwk = public_part({"kty": "OKP", "crv": "Ed25519", "x": _b64(raw)})
    return SigningKey(jwk["kid"], "EdDSA", None, jwk)


def raw_public(key: SigningKey) -> bytes:
    """The 32 bytes of an Ed25519 key."""
    return base64.urlsafe_b64decode(key.public_jwk["x"] + "=")


def raw_signature(key: SigningKey, message: bytes) -> bytes:
    """A bare signature over the bytes, with the key's own algorithm."""
    return _jws.get_algorithm_by_name(key.algorithm).sign(message, key.private)


def is_ed25519(public: bytes, message: bytes, signature: bytes) -> bool:
    """Whether a signature is over the message, by the 32 bytes of a public key."""
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def base64_text(raw: bytes) -> str:
    """Standard base64, padded."""
    return base64.b64encode(raw).decode()


def is_signed(key: SigningKey, message: bytes, signature: str) -> bool:
    """True when `signature` (base64url) is that key's over these bytes."""
    try:
        raw = base64.urlsafe_b64decode(signature + "=" * (-len(signature) % 4))
    except ValueError:
        return False
    if _b64(raw) != signature:  # the decoder skips what is not of its alphabet
        return False
    public = jwt.PyJWK(key.public_jwk, algorithm=key.algorithm).key
    return _jws.get_algorithm_by_name(key.algorithm).verify(message, public, raw)


# --- digests -------------------------------------------------------------------------------------------------------


def digest(secret: str, purpose: str, *parts: str) -> bytes:
    """A keyed digest (16 bytes): equal for equal parts, meaningless without the secret."""
    message = "\x1f".join((purpose, *parts)).encode()
    return hmac.digest(secret.encode(), message, "sha256")[:16]


def handle(secret: str, scope: str, number: int | None) -> str | None:
    """A name for one of our numbers that means something only within `scope` (one partner)."""
    if number is None:
        return None
    return base64.b32encode(digest(secret, "handle", scope, str(number))).decode().rstrip("=").lower()


def person_digest(secret: str, provider_id: str) -> bytes:
    """person_key = HMAC(secret, normalised phone or union id): the same at login and at import."""
    return digest(secret, "person", normalised(provider_id))


def normalised(provider_id: str) -> str:
    """A phone number as digits with its country code (China when none), any other id trimmed and composed."""
    text = unicodedata.normalize("NFKC", provider_id).strip()
    compact = re.sub(r"[\s\-()]", "", text)
    if re.fullmatch(r"1\d{10}", compact):
        return "86" + compact
    if re.fullmatch(r"(\+|00)\d{8,15}", compact):
        return compact.lstrip("+").removeprefix("00")
    return text


# --- exchange with other mechanisms (the recipe for strangers stands in backend/README.md) ---------------------------


def act_name(issuer: str, number: str) -> bytes:
    """The plain digest of a number, 32 bytes. Guessable, so it is neither told nor stored unsealed."""
    return hashlib.sha256(f"{issuer}\x1f{number}".encode()).digest()


def exchange_key(secret: str, mechanism: str) -> bytes:
    """The key, 32 bytes, that we offer to share with a mechanism."""
    return hmac.digest(secret.encode(), f"exchange\x1f{mechanism}".encode(), "sha256")


def exchange_digest(key: bytes, name: bytes) -> bytes:
    """What both sides write for a number, 32 bytes: HMAC-SHA-256 of its plain digest under the shared key."""
    return hmac.digest(key, name, "sha256")


def seal(secret: str, plain: bytes) -> bytes:
    """Encrypted and authenticated under the platform's secret (AES-SIV, RFC 5297): equal for equal bytes."""
    return _siv(secret).encrypt(plain, None)


def unseal(secret: str, sealed: bytes) -> bytes:
    """What was sealed. Raises ValueError when it was sealed under another secret."""
    try:
        return _siv(secret).decrypt(sealed, None)
    except InvalidTag:
        raise ValueError("sealed under another TANPUHUI_SECRET") from None


@cache
def _siv(secret: str) -> AESSIV:
    return AESSIV(hmac.digest(secret.encode(), b"seal", "sha512"))


# --- routes --------------------------------------------------------------------------------------------------------


def allow(*roles: str) -> Callable[[View], View]:
    """Say who may call a view: client roles, CITIZEN or ANYONE. `g.caller` is set for all but ANYONE."""

    def decorate(view: View) -> View:
        @wraps(view)
        def checked(*args: Any, **kwargs: Any) -> Any:
            if ANYONE not in roles:
                g.caller = authenticate(roles)
            return view(*args, **kwargs)

        checked.roles = roles  # type: ignore[attr-defined]
        return cast(View, checked)

    return decorate


def authenticate(roles: Sequence[str]) -> Caller:
    """The caller by the Authorization header, and no erased person. Raises Problem token_missing, token_invalid,
    forbidden."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise Problem("token_missing", headers={"WWW-Authenticate": "Bearer"})
    caller = read_token(signing_keys(current_app.config["SIGNING_KEYS"]), token.strip())
    if caller.role not in roles:
        raise Problem("forbidden", f"this route is for: {', '.join(roles)}")
    if caller.role == CITIZEN:
        current_app.config["CHECK_PERSON"](caller.person_id)
    return caller
