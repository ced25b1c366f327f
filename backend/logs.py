"""Structured logs: one JSON object a line on stderr, with the request id. No personal data goes in."""

from __future__ import annotations

import logging
import re
import secrets

import structlog

_REQUEST_ID = re.compile(r"[A-Za-z0-9_.\-]{8,64}")


def configure(level: str) -> None:
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.WriteLoggerFactory(file=__import__("sys").stderr),
    )


def request_id(given: str) -> str:
    """The caller's request id when it is a plain token, else a new one."""
    return given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(12)
