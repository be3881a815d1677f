"""What `yeoul cluster` shows: id, brokers, features, and the requests that a broker serves."""

from __future__ import annotations

from yeoul.cli.kafka.requests import Requests
from yeoul.cli.rendering.listing import print_json, print_rows
from yeoul.wire.messages.api_versions import API_VERSIONS, ApiVersionsRequest, ApiVersionsResponse

__all__ = ["show", "show_apis"]


def _versions(requests: Requests) -> ApiVersionsResponse:
    request = ApiVersionsRequest(client_software_name="yeoul", client_software_version="1")
    return requests.ask(API_VERSIONS, request)


def show(requests: Requests, *, as_json: bool) -> None:
    """Prints the cluster's id, its brokers and its features."""
    metadata, versions = requests.metadata([]), _versions(requests)
    features = {one.name: one.max_version_level for one in versions.finalized_features}
    if as_json:
        print_json({"cluster_id": metadata.cluster_id, "controller": metadata.controller_id, "features": features})
    else:
        print(f"cluster {metadata.cluster_id}, controller {metadata.controller_id}")
        print("features: " + (", ".join(f"{name} {level}" for name, level in sorted(features.items())) or "none"))
    rows = [(one.node_id, one.host, one.port, one.rack) for one in metadata.brokers]
    print_rows(("broker", "host", "port", "rack"), rows, numbers=("broker", "port"), as_json=as_json)


def show_apis(requests: Requests, *, as_json: bool) -> None:
    """Prints the requests that the broker serves, by number, with the versions of each."""
    names = _names()
    rows = [
        (one.api_key, names.get(one.api_key), one.min_version, one.max_version)
        for one in sorted(_versions(requests).api_keys, key=lambda one: one.api_key)
    ]
    columns = ("api", "name", "oldest", "newest")
    print_rows(columns, rows, numbers=("api", "oldest", "newest"), as_json=as_json)


def _names() -> dict[int, str]:
    """The names of the requests that this version of yeoul knows."""
    import importlib
    import pkgutil

    import yeoul.wire.messages
    from yeoul.wire.schema import Api

    found = {}
    for module in pkgutil.iter_modules(yeoul.wire.messages.__path__):
        held = vars(importlib.import_module(f"yeoul.wire.messages.{module.name}")).values()
        found.update({value.key: value.name for value in held if isinstance(value, Api)})
    return found
