"""JSON as Flink's `json` format reads and writes it; parsing is the work of `yeoul.kernels.json`."""
