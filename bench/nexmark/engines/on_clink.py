"""A query in clink, from one file of flat events. At more than one core its counts come out double: it gets one."""

import json
import os
import re

import pyclink
from turns import job, take_turns

asked = job()


def run(declared, keep):
    kept = asked["answer"] + ".clink"
    sink = f"connector='file', format='json', path='{kept}'" if keep else "connector='blackhole'"
    sink += ", changelog='true'"
    with pyclink.Engine(parallelism=1) as engine:
        engine.execute(
            f"{declared} CREATE TABLE answer ({asked['columns']}) WITH ({sink}); INSERT INTO answer {asked['query']}"
        )
        engine.await_all()
    if keep:
        with open(kept) as file:
            found = [json.loads(line) for line in file]
        os.remove(kept)
        names = re.findall(r"(\w+) [A-Z]", asked["columns"])
        return [(row.get("__row_kind", "insert"), [row.get(name) for name in names]) for row in found]


take_turns(asked, run)
