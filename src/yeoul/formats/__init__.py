"""Between the bytes of records and columns: json, csv, raw. `contract` says what a format gives."""
