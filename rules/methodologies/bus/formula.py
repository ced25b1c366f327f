"""Bus: what the trip replaces, less the bus per person and kilometre; both of one source and boundary."""


def baseline_g(distance_m, replaced):
    return distance_m * replaced


def project_g(distance_m, bus):
    return distance_m * bus


def leakage_g():
    return 0
