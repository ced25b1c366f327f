"""Metro: what the trip replaces, less the electricity of the metro on the province's grid."""


def baseline_g(distance_m, replaced):
    return distance_m * replaced


def project_g(distance_m, metro, grid_relative):
    return distance_m * metro * grid_relative


def leakage_g():
    return 0
