"""`python -m bioduty_xl` is `bioduty`."""

from bioduty_xl.cli import main

if __name__ == "__main__":
    main()
