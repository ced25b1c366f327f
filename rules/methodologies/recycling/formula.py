"""Recycling: against landfill or combustion, whichever leaves the smaller reduction."""


def baseline_g(mass_g, landfill, combustion):
    return mass_g * (landfill if landfill < combustion else combustion)


def project_g(mass_g, recycling):
    return mass_g * recycling


def leakage_g():
    return 0
