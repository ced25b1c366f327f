"""Used clothes: landfill avoided and, by the published displacement rate (none yet), new clothes not made."""


def baseline_g(mass_g, landfill, displacement, new_clothes):
    return mass_g * (landfill + displacement * new_clothes)


def project_g(mass_g, collection, reuse):
    return mass_g * (collection + reuse)


def leakage_g():
    return 0
