"""Every real client against this broker: Java, Go, JavaScript, Python, Kafka's own command line, public test suites.

Run by `make conformance`, which also writes docs/conformance.md. What a part needs (Java and Maven, Go, Node) is looked
for; a part whose tools are missing is skipped with the reason. Clients are fetched by their own package managers into
the user's cache.
"""
