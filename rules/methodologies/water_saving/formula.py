"""Water saving: water neither supplied nor treated again."""


def baseline_g(volume_l, supply, treatment):
    return volume_l * (supply + treatment)


def project_g():
    return 0


def leakage_g():
    return 0
