"""Consistency of the broker under faults, in the manner of Jepsen: `python -m soak`, `make soak`.

Several families of clients write, read, commit offsets and run transactions while the broker is killed, stopped,
restarted, cut off, and while the disk forgets what was not synced. Everything that was asked and answered is a
history; when the faults are over the log is read whole, and pure checkers hold the history against it.

    history     what was asked and answered
    checkers/   what a history must never show                          (pure)
    plan        faults and workload drawn from a seed                   (pure)
    values      what records hold: who wrote them, when, in which transaction
    clients/    one adapter a client family behind two small contracts
    workloads   what clients do with them
    proxy       a TCP proxy whose connections can be cut, stalled, left half open
    server      the broker under test, as a process, and `launch` inside of it; `forgetful_disk`
    stored      the whole log, read and decoded by our own wire
    run         puts it together;  report  says what came of it
"""
