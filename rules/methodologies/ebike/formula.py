"""Shared e-bike: only rides that replace travel by car count; all other rides are given a baseline of zero."""


def baseline_g(distance_m, high_carbon, replaced_car_share):
    return distance_m * high_carbon * replaced_car_share


def project_g(distance_m, ebike):
    return distance_m * ebike


def leakage_g():
    return 0
