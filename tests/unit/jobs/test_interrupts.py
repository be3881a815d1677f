"""Ctrl-C interrupts the program once, and no job; in a process of its own, which may be interrupted."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import os, signal, threading, time
import polars as pl
from yeoul.jobs.session import Session

numbers = pl.DataFrame({"n": range(100_000)})
computes = lambda: numbers.select((pl.col("n") * 3).cast(pl.String))
failures, times_told, computed, ended = [], [], [], threading.Event()

def compute_on():
    try:
        while not ended.is_set():
            computes()
            computed.append(1)
    except BaseException as failure:
        failures.append(failure)

Session().close()
job = threading.Thread(target=compute_on, daemon=True)
job.start()
for _ in range(30):
    before = len(computed)
    while len(computed) <= before and job.is_alive():
        computes()
    told = 0
    try:
        threading.Timer(0.002, os.kill, (os.getpid(), signal.SIGINT)).start()
        while True:
            computes()
    except KeyboardInterrupt:
        told += 1
    try:
        [len(one) for one in ["x"] * 100]
    except KeyboardInterrupt:
        told += 1
    times_told.append(told)
ended.set()
job.join()
print(set(times_told), failures)
"""


def test_an_interrupt_while_polars_computes_is_told_once_and_to_the_main_thread_alone():
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.stderr) == ("{1} []\n", "")
