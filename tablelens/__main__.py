"""``python -m tablelens`` is the console script."""

from tablelens.cli import main

if __name__ == "__main__":
    main()
