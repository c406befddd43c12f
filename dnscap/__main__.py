"""``python -m dnscap``."""

from dnscap.cli import main

if __name__ == "__main__":
    main()
