"""A quantity times what it replaces, less the quantity times what was used instead."""


def baseline_g(quantity, baseline):
    return quantity * baseline


def project_g(quantity, project):
    return quantity * project


def leakage_g():
    return 0
