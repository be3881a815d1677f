"""What counts as a failure of a user's function: all that it raises but what ends the program from outside.

`sys.exit()` in a function is such a failure, told with the function's name and the row; Ctrl-C is none.
"""

from __future__ import annotations

__all__ = ["FAILURES", "Failure"]

Failure = Exception | SystemExit
FAILURES = (Exception, SystemExit)
