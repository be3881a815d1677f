"""The figures as pages: tables for each layout of the events, and why an engine has none; into docs/nexmark.md."""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench.nexmark.figures import Figure
from bench.nexmark.inputs import CHECK
from bench.nexmark.jobs import ENGINES, Engine

__all__ = ["write"]

PAGE = Path(__file__).parents[2] / "docs" / "nexmark.md"
_TITLES = {
    "nested": "Objects within objects, as Nexmark has them",
    "flat": "The same events flat, for engines that read no object within an object",
}
_INPUTS = {"yeoul": "JSON files", "yeoul-parquet": "Parquet file", "yeoul-topic": "topic"}


def write(figures: Sequence[Figure], command: str, *, peers: bool) -> None:
    """Puts figures into the page, in place of those that it had.

    Args:
        figures: All of a run.
        command: What gave them.
        peers: Whether they are those of other engines, or of yeoul over several kinds of input.
    """
    what = "figures" if peers else "inputs"
    begin, end = f"<!-- {what}: written by the bench -->", f"<!-- end of the {what} -->"
    head, _, rest = PAGE.read_text().partition(begin)
    _, _, tail = rest.partition(end)
    lines = _beside_peers(figures, command) if peers else _by_input(figures, command)
    PAGE.write_text(f"{head}{begin}\n\n{chr(10).join(lines)}\n{end}{tail}")


def _seen(figures: Sequence[Figure], command: str) -> Iterator[str]:
    days = sorted({one.on for one in figures})
    yield f"Seen on {' and '.join(days)} with `{command}`:"
    yield f"{os.cpu_count()} cores ({platform.machine()}), Python {platform.python_version()}; {CHECK:,} events whose"


def _beside_peers(figures: Sequence[Figure], command: str) -> Iterator[str]:
    engines = [one for one in ENGINES.values() if any(one.name == figure.engine for figure in figures)]
    versions = ", ".join(f"{one.name} {_version(one)}" for one in engines if one.package)
    yield from _seen(figures, command)
    yield f"answer is compared; {versions}."
    yield ""
    for layout, title in _TITLES.items():
        among = [one for one in engines if one.layout == layout]
        if len(among) > 1:
            yield from _table(title, among, figures)
    yield from _refusals(engines, figures)


def _by_input(figures: Sequence[Figure], command: str) -> Iterator[str]:
    yield from _seen(figures, command)
    yield "answer is compared. M events/s once it runs · CPU seconds per million events · MB at most."
    yield ""
    found = {(one.query, one.engine): one for one in figures}
    yield f"| query | {' | '.join(_INPUTS.values())} |"
    yield "| --- |" + " --- |" * len(_INPUTS)
    for query in sorted({one.query for one in figures}):
        cells = (_cell(found[query, engine]) if (query, engine) in found else "" for engine in _INPUTS)
        yield f"| {query} | {' | '.join(cells)} |"
    yield ""
    yield from _refusals([ENGINES[name] for name in _INPUTS], figures)


def _table(title: str, among: Sequence[Engine], figures: Sequence[Figure]) -> Iterator[str]:
    """A row a query: each engine's rate, CPU and memory; how many times faster yeoul is."""
    found = {(one.query, one.engine): one for one in figures}
    ours, peers = among[0].ours, [one for one in among if one.package]
    yield f"### {title}"
    yield ""
    yield "M events/s once it runs · CPU seconds per million events · MB at most; then how many times faster yeoul is."
    yield ""
    yield "| query | yeoul | " + " | ".join(f"{one.name} | times" for one in peers) + " |"
    yield "| --- | --- |" + " --- | ---: |" * len(peers)
    ratios: dict[str, list[float]] = {one.name: [] for one in peers}
    for query in sorted({one.query for one in figures}):
        mine = found.get((query, ours.name))
        if mine is None:
            continue
        cells = [query, _cell(mine)]
        for peer in peers:
            theirs = found.get((query, peer.name))
            ratio = "" if theirs is None or theirs.why or mine.why else f"{mine.rate / theirs.rate:.1f}"
            if ratio:
                ratios[peer.name].append(mine.rate / theirs.rate)  # type: ignore[union-attr]
            cells += ["" if theirs is None else _cell(theirs), ratio]
        yield f"| {' | '.join(cells)} |"
    yield ""
    for name, each in ratios.items():
        if each:
            middle = statistics.geometric_mean(each)
            span = f"{min(each):.1f} to {max(each):.1f}"
            yield f"{name}: {len(each)} queries; yeoul is {span} times as fast, {middle:.1f} in"
            yield "the geometric mean."
            yield ""
    yield f"Steady parts: {'; '.join(_spans(one, figures) for one in among)}."
    starts = [
        f"{one.name} {statistics.median(each):.1f} s"
        for one in among
        if (each := [figure.start_s for figure in figures if figure.engine == one.name and not figure.why])
    ]
    yield f"From the start of the process to the first, small answer, in the median: {', '.join(starts)}."
    yield ""


def _spans(engine: Engine, figures: Sequence[Figure]) -> str:
    """How long an engine's counted parts took, and over how many events its runs went."""
    timed = [one for one in figures if one.engine == engine.name and not one.why]
    if not timed:
        return f"{engine.name} none"
    took_s, events = [one.steady_s for one in timed], [one.events / 1e6 for one in timed]
    return f"{engine.name} {min(took_s):.1f} to {max(took_s):.1f} s, of {min(events):.1f} to {max(events):.1f} M events"


def _cell(figure: Figure) -> str:
    if figure.why:
        return "-"
    return f"{figure.rate / 1e6:.2f} · {figure.cpu_s:.2f} · {figure.peak_bytes / 2**20:.0f}"


def _refusals(engines: Sequence[Engine], figures: Sequence[Figure]) -> Iterator[str]:
    refused = [one for one in figures if one.why and one.engine in {engine.name for engine in engines}]
    if not refused:
        return
    yield "### Without a figure, and why"
    yield ""
    yield "| engine | queries | the first line of its error, or what was wrong |"
    yield "| --- | --- | --- |"
    reasons = dict.fromkeys((one.engine, one.why) for one in refused)
    for engine, why in reasons:
        queries = ", ".join(one.query for one in refused if (one.engine, one.why) == (engine, why))
        told = why.replace("|", "\\|").replace("`", "")
        yield f"| {engine} | {queries} | {told} |"
    yield ""


def _version(engine: Engine) -> str:
    ask = f"import importlib.metadata as m; print(m.version({engine.package!r}))"
    done = subprocess.run([str(engine.python), "-c", ask], capture_output=True, text=True, check=False)
    return done.stdout.strip() or "not installed"
