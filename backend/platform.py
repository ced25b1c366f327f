"""The composition: everything a process needs, opened once from the settings and handed to the use cases."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import redis

from backend import auth, config, queue
from backend.store import db
from rules import standard


@dataclass(frozen=True)
class Platform:
    """One process's share of the platform."""

    settings: config.Settings
    db: db.Database
    standard: standard.Standard
    redis: redis.Redis
    keys: tuple[auth.SigningKey, ...]  # of tokens
    proof_keys: tuple[auth.SigningKey, ...]  # Ed25519, of certificates and the log
    kept_packs: set[str] = field(default_factory=set)  # hashes this process knows to be stored

    @classmethod
    def open(cls, environ: Mapping[str, str]) -> Platform:
        """Open from the environment. Raises config.SettingsError or standard.StandardError with what to mend."""
        settings = config.load(environ)
        return cls(
            settings=settings,
            db=db.Database(settings.database_url),
            standard=standard.load(*settings.standard_folders),
            redis=queue.connect(settings.redis_url),
            keys=auth.signing_keys(settings.signing_keys),
            proof_keys=auth.signing_keys(settings.proof_keys),
        )

    def close(self) -> None:
        self.db.close()
        self.redis.close()
