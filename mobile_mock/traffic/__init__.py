"""Partner traffic: real raw files turned into signed batches (replay), and made traffic with an answer key (generate).

    python -m mobile_mock.traffic --help

It speaks HTTP to the platform and shares no code with it: what it knows of the platform is the published interface.
"""
