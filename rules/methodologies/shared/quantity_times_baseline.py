"""A quantity times what it saves; nothing is emitted instead."""


def baseline_g(quantity, baseline):
    return quantity * baseline


def project_g():
    return 0


def leakage_g():
    return 0
