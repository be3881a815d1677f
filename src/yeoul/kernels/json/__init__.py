"""JSON records to columns, schema-driven and speculative: theory of operation.

**What goes in and out.** A buffer of records and where each lies; out come plain arrays: 8-byte slots for numbers and
times, 16-byte Arrow views for text (up to 12 bytes in the view itself, else a place in the records' own buffer, or in
the side buffer where escapes had to be decoded), one null mark a value, and for every bad record a code, the column and
the place. No tree is built and nothing is copied that can be pointed at.

**Three ways for a row**, each falling back to the next, row by row:

1. `layout`: most records of a stream are spelled alike. From a row that was read, its bytes between the values are kept
   as segments (`{"user":"`, `, "ts": `) together with what stands behind each. The next row is compared with them, 32
   bytes in one go, and its values are read inline by `plain`: a string costs one vector load, an integer three
   multiplications. Fields left out and nulls are forgiven. Four layouts are kept for the length of a call (`rows`).
2. `row`: keys in any order, unknown and repeated ones, any white space, objects inside objects of the schema. Keys go
   through a small hash table. While reading, it can record a new layout.
3. `leaf`: a single value that is not plain: escapes, long numbers, coercions, temporal types, base64, or a value that
   nobody wants (`skip`). It is called through a pointer, so that its code is compiled once and not into both callers.

What even `leaf` cannot settle exactly (a number of hundreds of digits, a subnormal) is marked WAITING, and the caller
settles it in Python.

**What is proved.** Every byte of a row that is accepted has been proved to be JSON (RFC 8259) and every string valid
UTF-8, skipped ones included, before a view to it exists: Polars trusts views, and an invalid one crashes the process. A
row that fails leaves nothing behind: its slots are written again by the next row.

**What is never done.** Reading outside the input. Vector loads reach up to `machine.SLACK_BYTES` behind a row, so rows
that end nearer than that to the end of the buffer are copied to a padded scratch first. Every loop is bounded by the
row's end, nesting by `state.MAX_DEPTH`.

**Generic, compiled once.** The schema is data: a table of leaves and hash tables of keys (`schema`), shared by threads
and never changed. All state of a call lies in one table of its own (`state`), made by `reader`, so calls do not meet.

`writer` goes the other way; `arrays` finds the elements of records that are arrays.
"""
