"""`python -m fpgan` is the command `fpgan`."""

from fpgan.cli import main

main()
