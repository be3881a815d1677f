"""What every engine's program does: runs that are asked for, one after the other, each timed.

The program's argument is a file of JSON: `query`, `answer` (a file) and whatever the engine needs. Whoever started it
writes a line of JSON for each run, `input` and whether its rows are to be kept, and gets one back with the seconds it
took. Rows that are kept are written to `answer`, one JSON list a line: the kind of change, then the values; those of
all other runs go to a sink of the engine's that drops them. The end of the lines ends the program.

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
    for line in sys.stdin:
        turn = json.loads(line)
        start = time.perf_counter()
        rows = run(turn["input"], turn["keep"])
        if turn["keep"]:
            with open(asked["answer"], "w") as file:
                for kind, values in rows:
                    file.write(json.dumps([kind, *values], default=str) + "\n")
        print(json.dumps({"took_s": time.perf_counter() - start}), flush=True)
