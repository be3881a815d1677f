"""`python -m yeoul.cli`: the same as `yeoul`."""

from yeoul.cli.main import run

if __name__ == "__main__":
    run()
