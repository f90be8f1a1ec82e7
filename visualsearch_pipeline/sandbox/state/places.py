"""Distance on the globe, for the filters by place (contract §2.6)."""

import math

NEARBY_KM = 20.0
"""What the service takes for "near"."""

_EARTH_RADIUS_KM = 6371.0


def distance_km(
    latitude: float | None, longitude: float | None, other_latitude: float, other_longitude: float
) -> float | None:
    """Great-circle distance between two places in degrees; None when the first is unknown."""
    if latitude is None or longitude is None:
        return None
    phi, other_phi = math.radians(latitude), math.radians(other_latitude)
    delta_phi, delta_lambda = other_phi - phi, math.radians(other_longitude - longitude)
    chord = math.sin(delta_phi / 2) ** 2 + math.cos(phi) * math.cos(other_phi) * math.sin(delta_lambda / 2) ** 2
    return 2 * _EARTH_RADIUS_KM * math.asin(min(1.0, math.sqrt(chord)))
