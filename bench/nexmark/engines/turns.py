"""What every engine's program does: runs that are asked for, one after the other, each announced and timed.

The program's argument is a file of JSON: `turns` (names of inputs, in order), `inputs` (by name), `answer` (a file) and
whatever the engine needs. A line of JSON goes out before and after each run, so that whoever started the program can
take its processes' CPU at these moments. The rows of the turn `check` are written to `answer`, one JSON list a line:
the kind of change, then the values; the rows of all other turns go to a sink of the engine's that drops them.

Runs in environments of other engines: nothing but the standard library.
"""

import json
import sys
import time


def job():
    """Returns what is asked for."""
    with open(sys.argv[1]) as file:
        return json.load(file)


def take_turns(asked, run):
    """Runs each input; `run(input, keep)` returns the rows, each as (kind of change, values), if they are kept."""
    for name in asked["turns"]:
        keep = name == "check"
        _say(begin=name)
        start = time.perf_counter()
        rows = run(asked["inputs"][name], keep)
        if keep:
            with open(asked["answer"], "w") as file:
                for kind, values in rows:
                    file.write(json.dumps([kind, *values], default=str) + "\n")
        _say(end=name, took_s=time.perf_counter() - start)


def _say(**told):
    print(json.dumps(told), flush=True)
