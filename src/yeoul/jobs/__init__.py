"""From a statement to rows: sessions, running jobs, results. The only room that puts plan, catalog and engine together.

`session` carries out statements one by one; `launch` turns a plan into something that runs; `job` is one running plan
and its life; `result` is a SELECT's rows on their way to the caller, through the bounded `buffer`; `frames` lets data
that is in memory be a table; `options` is what SET knows.
"""
