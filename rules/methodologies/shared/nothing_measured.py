"""No reduction is claimed: a local tariff sets the points."""


def baseline_g():
    return 0


def project_g():
    return 0


def leakage_g():
    return 0
