"""GCJ-02, the shifted coordinates of Chinese maps, back to WGS-84. The shift is some 500 m and varies slowly.

The forward formula is the one in public use; it is inverted by repeated correction, to below a centimetre.
"""

from __future__ import annotations

from math import cos, pi, radians, sin, sqrt

_AXIS_M = 6_378_245.0  # Krasovsky 1940
_ECCENTRICITY_2 = 0.00669342162296594323


def to_wgs84(latitude: float, longitude: float) -> tuple[float, float]:
    """The WGS-84 point that GCJ-02 shows at this latitude and longitude (degrees)."""
    lat, lon = latitude, longitude
    for _ in range(4):
        shown_lat, shown_lon = from_wgs84(lat, lon)
        lat, lon = lat + latitude - shown_lat, lon + longitude - shown_lon
    return lat, lon


def from_wgs84(latitude: float, longitude: float) -> tuple[float, float]:
    """Where GCJ-02 shows a WGS-84 point (degrees, mainland China only)."""
    x, y = longitude - 105.0, latitude - 35.0
    wave = 20.0 * sin(6.0 * x * pi) + 20.0 * sin(2.0 * x * pi)
    north = -100.0 + 2.0 * x + 3.0 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * sqrt(abs(x))
    north += (wave + 20.0 * sin(y * pi) + 40.0 * sin(y / 3.0 * pi) + 160.0 * sin(y / 12.0 * pi)) * 2.0 / 3.0
    north += 320.0 * sin(y * pi / 30.0) * 2.0 / 3.0
    east = 300.0 + x + 2.0 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * sqrt(abs(x))
    east += (wave + 20.0 * sin(x * pi) + 40.0 * sin(x / 3.0 * pi)) * 2.0 / 3.0
    east += (150.0 * sin(x / 12.0 * pi) + 300.0 * sin(x / 30.0 * pi)) * 2.0 / 3.0
    flattening = 1 - _ECCENTRICITY_2 * sin(radians(latitude)) ** 2
    north_m_per_rad = _AXIS_M * (1 - _ECCENTRICITY_2) / (flattening * sqrt(flattening))
    east_m_per_rad = _AXIS_M / sqrt(flattening) * cos(radians(latitude))
    return latitude + north / north_m_per_rad * 180 / pi, longitude + east / east_m_per_rad * 180 / pi
