"""``python -m deeppersona``: the same as the command ``deeppersona``."""

from deeppersona.cli.main import main

if __name__ == "__main__":
    main()
