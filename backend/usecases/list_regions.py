"""The regions in which deeds count, with the reference points that coordinates are held against."""

from __future__ import annotations

from typing import Any

from backend.platform import Platform


def list_regions(platform: Platform) -> list[dict[str, Any]]:
    """All regions of the standard by code; lat and lon in millionths of a degree, WGS-84, None where none is known."""
    names = ("code", "name_zh", "name_en", "lat_udeg", "lon_udeg", "radius_km")
    regions = sorted(platform.standard.regions.values(), key=lambda region: region.code)
    return [
        {name: getattr(region, name) for name in names}
        | {"parent": region.parent or None, "timezone": region.timezone.key}
        for region in regions
    ]
