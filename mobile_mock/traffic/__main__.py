"""`python -m mobile_mock.traffic`."""

from mobile_mock.traffic import cli

cli.main(prog_name="python -m mobile_mock.traffic")
