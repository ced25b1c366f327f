"""A client's private key: reading its JWK file, signing bodies (detached JWS, RFC 7797) and assertions (RFC 7523)."""

from __future__ import annotations

import json
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jwt
from jwt import api_jws

from mobile_mock.traffic.trips import InputError

ASSERTION_LIFETIME_S = 240
_ALGORITHMS = {("OKP", "Ed25519"): "EdDSA", ("EC", "P-256"): "ES256"}


@dataclass(frozen=True, slots=True)
class Key:
    """A private Ed25519 or P-256 key."""

    private: Any
    algorithm: str
    kid: str | None

    def signature(self, body: bytes) -> str:
        """The detached JWS over the raw bytes, for the header X-JWS-Signature."""
        headers = {"b64": False, "crit": ["b64"], **({"kid": self.kid} if self.kid else {})}
        return api_jws.encode(body, self.private, self.algorithm, headers, is_payload_detached=True)

    def assertion(self, client: str, audience: str) -> str:
        """A JWT by which the client says to `audience` who it is, good for a few minutes."""
        now = int(time.time())
        claims = {"iss": client, "sub": client, "aud": audience, "jti": uuid.uuid4().hex}
        claims |= {"iat": now, "exp": now + ASSERTION_LIFETIME_S}  # type: ignore[dict-item]
        return jwt.encode(claims, self.private, self.algorithm, {"kid": self.kid} if self.kid else None)


def load(path: Path) -> Key:
    """The key in a JWK file. Raises InputError when it is not a private Ed25519 or P-256 key."""
    try:
        jwk = json.loads(path.read_text(encoding="utf-8"))
        algorithm = _ALGORITHMS[jwk["kty"], jwk["crv"]]
        if "d" not in jwk:
            raise InputError(f"{path} is a public key; sending needs the private one")
        return Key(jwt.PyJWK(jwk, algorithm=algorithm).key, algorithm, jwk.get("kid"))
    except (OSError, ValueError, KeyError, TypeError, jwt.PyJWTError) as error:
        raise InputError(f"{path} is not a JWK of an Ed25519 or P-256 private key ({error!r})") from None
