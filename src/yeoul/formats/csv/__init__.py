"""CSV as Flink's `csv` format: fields by place, one record a row, no header line."""
