"""The command line: `yeoul sql`, `up`, `broker`, `topics`, `produce`, `consume`, `groups`, `demo`.

`main` holds the command tree and how errors are told; `commands/` has one file a command, light to import, each of
which loads what it needs when it runs; `kafka/` and `sql/` hold what they do; `rendering/` turns rows and progress
into text.
"""
