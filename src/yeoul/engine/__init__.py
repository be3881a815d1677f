"""The event-time engine: runs one plan over batches of columns. `contract` names what it asks of connectors."""
