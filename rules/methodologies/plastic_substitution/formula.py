"""Plastic substitution: the article replaced less the one used instead; negative where that one emits more."""


def baseline_g(count, replaced):
    return count * replaced


def project_g(count, used):
    return count * used


def leakage_g():
    return 0
