"""`python -m monitor` is `lapsewatch`."""

from monitor.cli import main

if __name__ == "__main__":
    main()
