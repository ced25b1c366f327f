"""High-speed rail: the flight it replaces, at the lowest of the aircraft values, less the train."""


def baseline_g(distance_m, aircraft):
    return distance_m * aircraft


def project_g(distance_m, rail):
    return distance_m * rail


def leakage_g():
    return 0
