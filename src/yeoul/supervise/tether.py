"""`python -m yeoul.supervise.tether MODULE [ARGUMENT...]`: runs a module that ends when its parent does.

The parent holds the other end of our standard input. When the parent is gone, however it died, that pipe ends, and we
get the same SIGTERM that an orderly stop sends: a killed supervisor leaves no broker behind. A `YeoulError` of the
module is told as the command line tells it.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
import threading

from yeoul.errors import YeoulError

__all__ = ["tie_to_parent"]


def tie_to_parent(descriptor: int) -> None:
    """Sends this process SIGTERM when the pipe behind `descriptor` ends."""

    def watch() -> None:
        try:
            while os.read(descriptor, 4096):
                pass
        except OSError:
            pass  # an unreadable pipe says the same as an ended one
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="yeoul-tether", daemon=True).start()


def _main() -> None:
    own = os.dup(0)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    tie_to_parent(own)
    sys.argv = sys.argv[1:]
    try:
        runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
    except YeoulError as error:
        print(f"error: {error.message}", *([f"hint: {error.hint}"] if error.hint else []), sep="\n", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    _main()
