"""Electronic invoice: the paper one without the trip, which nothing proves was not made."""


def baseline_g(count, paper_invoice, non_travel_share):
    return count * paper_invoice * non_travel_share


def project_g():
    return 0


def leakage_g():
    return 0
