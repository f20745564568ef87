"""``python -I -S .../firkin/__main__.py``: what the launcher starts. Nothing but the way in and the way out."""

import gc
import sys

if __name__ == "__main__":
    if sys.version_info < (3, 11):  # noqa: UP036 - the launcher takes what the machine has
        sys.exit(f"firkin: Python {sys.version.split()[0]} is too old; set FIRKIN_PYTHON to 3.11 or newer")
    gc.set_threshold(100_000)  # what a command loads at its start is no garbage; looking for some takes 1 ms
    # -I keeps the script's folder out of sys.path and -S leaves out site-packages: name our own place,
    # last, so that nothing beside the package can shadow the standard library.
    sys.path.append(__file__.rpartition("/firkin/")[0])
    from firkin.importing import install

    install()
    from firkin.cli.main import leave, main

    leave(main(sys.argv[1:]))
