"""The page of `yeoul up`: what the broker holds, how fast it grows, who reads and how far behind."""

from __future__ import annotations

from nicegui import ui

from yeoul.console import theme
from yeoul.console.watcher import Watcher, rates
from yeoul.units import format_count

__all__ = ["Overview"]


class Overview:
    """The elements of one visitor's page; `show` draws the watcher's newest picture."""

    def __init__(self, bootstrap: str) -> None:
        theme.apply()
        self._live = theme.header(f"Kafka protocol at {bootstrap}")
        with ui.element("div").classes("y-tiles"):
            self._topics = theme.Tile("topics")
            self._partitions = theme.Tile("partitions")
            self._records = theme.Tile("records kept")
            self._rate = theme.Tile("records a second")
            self._groups = theme.Tile("consumer groups")
        with ui.element("div").classes("y-grid"):
            with theme.panel("Topics", 7):
                columns = ("topic", "#partitions", "#records kept", "#records/s")
                self._topic_table = theme.Table(
                    columns, f"None yet. Try: yeoul produce greetings --bootstrap-server {bootstrap}"
                )
            with theme.panel("Consumer groups", 5):
                columns = ("group", "state", "#partitions", "#lag")
                self._group_table = theme.Table(columns, "None yet")

    def show(self, watcher: Watcher) -> None:
        """Draws what the watcher saw last, and asks it to look again."""
        watcher.ask()
        picture = watcher.now
        rate = rates(watcher.before, picture)
        self._live.set_text(watcher.trouble or "live")
        self._topics.show(str(len(picture.topics)))
        self._partitions.show(str(sum(topic.partitions for topic in picture.topics)))
        self._records.show(format_count(sum(topic.records for topic in picture.topics)))
        self._rate.show(format_count(sum(rate.values())))
        self._groups.show(str(len(picture.groups)))
        self._topic_table.show(
            [
                (topic.name, str(topic.partitions), f"{topic.records:,}", format_count(rate.get(topic.name, 0)))
                for topic in picture.topics
            ]
        )
        self._group_table.show(
            [(group.name, group.state, str(group.partitions), f"{group.lag:,}") for group in picture.groups]
        )
