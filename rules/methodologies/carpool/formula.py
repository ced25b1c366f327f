"""Carpool, for one rider: the taxi or hailed car they would have taken, less their part of the shared car."""


def baseline_g(distance_m, replaced):
    return distance_m * replaced


def project_g(distance_m, car, share_of_vehicle):
    return distance_m * car * share_of_vehicle


def leakage_g():
    return 0
