"""Own bike: only rides that replace a private car count; all other rides, sport among them, have a baseline of zero."""


def baseline_g(distance_m, high_carbon, replaced_car_share):
    return distance_m * high_carbon * replaced_car_share


def project_g(distance_m, cycling):
    return distance_m * cycling


def leakage_g():
    return 0
