"""An operator in pieces by key, so that state beyond a memory limit can lie on disk: the one mechanism of spilling.

A key group is the keys whose fingerprints begin with the same bits; each has an operator of its own, in memory or as
the frames of its snapshot in files. There is one group, and rows go straight through it, until the job's keyed state
takes more than its limit; then groups that are too large to come and go are divided into eight, as often as it takes.

From then on rows and watermarks wait, and are taken in together, in rounds: each group that any row belongs to, or that
has something to give at the watermark, is loaded once for all of them, groups in memory first. They wait until the rows
are an eighth of the limit, or for twice as long as the last round took. Whoever reads what is given is told of a
watermark when its round is over (`KeyGroups.passed_ms`), and each row that waits is judged by the watermark before it
came, so what is given adds up to the same table as without a limit, but comes later and in fewer, larger batches.

`contract` says what an operator has to tell of itself for that, `group` is one key group, `divided` all of them,
`prepared` those that take aggregated batches; `by_key_group` there is where the runtime comes in.
"""
