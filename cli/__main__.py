"""`python -m ds_cli` is `ds`."""

from ds_cli.app import main

main()
