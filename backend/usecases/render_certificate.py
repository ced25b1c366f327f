"""Make a certificate's PDF, once; it can be made again from the certificate alone."""

from __future__ import annotations

from datetime import datetime

from backend.platform import Platform
from backend.store import retirements
from backend.usecases import draw_certificate, show_certificate


def render_certificate(platform: Platform, number: str, now: datetime) -> None:
    """Draw and keep it, unless it is kept already. Raises Problem not_found, draw_certificate.FontMissing."""
    signed = show_certificate.show_certificate(platform, number)
    with platform.db.transaction() as conn:
        if retirements.pdf(conn, number) is None:
            retirements.add_pdf(conn, number, draw_certificate.draw_certificate(signed), now)
