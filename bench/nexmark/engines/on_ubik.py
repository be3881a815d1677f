"""A query in ubik, from one file of flat events; windows wait as long for late rows as the other engines' do."""

import warnings

import pyarrow as pa
import pyarrow.csv
import ubik
from turns import job, take_turns

asked = job()
warnings.filterwarnings("ignore", category=ubik.LicenseWarning)
names = pyarrow.csv.ReadOptions(column_names=["key", "value"])
side = pyarrow.csv.read_csv(asked["side"], read_options=names) if "side_input" in asked["query"] else None
options = {"watermark_delay": "4 seconds"} if asked["windowed"] else {}


def run(path, keep):
    tables = None if side is None else {"side_input": side}
    with ubik.stream(
        asked["query"], from_="file://" + path, tables=tables, workers=asked["cores"], **options
    ) as result:
        batches = list(result) if keep else None
        if not keep:
            for _ in result:
                pass
        if result.stats.late_dropped:
            raise RuntimeError(f"{result.stats.late_dropped} rows were dropped as late")
    if keep:
        return [("+I", list(row.values())) for row in pa.Table.from_batches(batches).to_pylist()]


take_turns(asked, run)
