"""The broker as a whole: opens the log, listens, and ends in order.

Owns the doors (one for each listener), the open connections and the upkeep timers. Invariants: a connection beyond a
bound is closed at once, and one that is idle for ten minutes (Kafka's `connections.max.idle.ms`) soon after; when the
disk can no longer make bytes durable the broker stops, with everything acknowledged safe; `close` leaves
nothing to recover. Caller: `process`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

from yeoul.broker.admission import Admission
from yeoul.broker.buffers import BufferStore
from yeoul.broker.config import BrokerConfig
from yeoul.broker.connection import Connection
from yeoul.broker.group_driver import GroupDriver
from yeoul.broker.groups.config import GroupConfig
from yeoul.broker.groups.consumer.group import ConsumerGroupConfig
from yeoul.broker.groups.coordinator import Coordinator
from yeoul.broker.listeners import Listener
from yeoul.broker.listening import Door, open_door
from yeoul.broker.node import INTERNAL_TOPICS, Node
from yeoul.broker.registry import all_handlers
from yeoul.broker.security.guard import Guard
from yeoul.broker.transaction_driver import TransactionDriver
from yeoul.broker.transactions.coordinator import Coordinator as TransactionCoordinator
from yeoul.broker.transactions.coordinator import TransactionConfig
from yeoul.clock import SYSTEM_CLOCK, Clock
from yeoul.errors import EnvironmentFailure
from yeoul.log.directory import Log
from yeoul.log.errors import LogStopped
from yeoul.log.flusher import FlushMode
from yeoul.log.kernel_sync import KernelSync

if TYPE_CHECKING:
    from yeoul.broker.metrics.serving import MetricsServer

__all__ = ["Server"]

_log = logging.getLogger("yeoul.broker")
_IDLE_CHECKS = 10
_CLOSE_TIMEOUT_S = 2.0
_CLOSE_STEP_S = 0.001


class Server:
    """One broker; made and used on the loop it runs on.

    Args:
        config: Its settings.
        loop: The running loop.
        on_fatal: Called once when the disk failed: the process should end.
        clock: The time.

    Raises:
        DirectoryLocked, LogCorrupt: As `Log`.
        EnvironmentFailure: The data directory cannot be written.
    """

    def __init__(
        self,
        config: BrokerConfig,
        loop: asyncio.AbstractEventLoop,
        on_fatal: Callable[[LogStopped], None],
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self.loop = loop
        self._log = _open_log(config, loop, on_fatal, clock)
        self._groups = GroupDriver(Coordinator(_group_config(config)), self._log, clock, loop)
        self._groups.replay()
        bounds = TransactionConfig(max_timeout_ms=config.transaction_max_timeout_ms)
        transactions = TransactionCoordinator(self._log.allocate_producer_id, bounds)
        self._transactions = TransactionDriver(transactions, self._groups, self._log, clock, loop)
        self._transactions.replay()
        guard = Guard(config.data_dir, config.access)
        self.node = Node(config, self._log, self._groups, self._transactions, guard, clock, loop)
        self.handlers, self.advertised_versions = all_handlers()
        self.buffers = BufferStore(config.limits.receive_bytes)
        self._connections: set[Connection] = set()
        self.admission = Admission(lambda: self.node.config.limits)
        self._doors: list[Door] = []
        self._metrics: MetricsServer | None = None
        self._upkeep: asyncio.TimerHandle | None = None
        self._idle_check: asyncio.TimerHandle | None = None
        self._cleaning: asyncio.TimerHandle | None = None

    @property
    def address(self) -> tuple[str, int]:
        """Host and port that clients of the first listener connect to."""
        return self.node.host, self.node.port

    @property
    def listeners(self) -> tuple[Listener, ...]:
        """The listeners with the ports that were bound."""
        return tuple(door.listener for door in self._doors) or self.node.config.bound_listeners

    @property
    def connections(self) -> Collection[Connection]:
        """The connections that are open."""
        return self._connections

    @property
    def connection_count(self) -> int:
        return len(self._connections)

    async def listen(self) -> None:
        """Starts to accept connections.

        Raises:
            EnvironmentFailure: A port is taken, or an address is not this machine's; or a certificate cannot be read.
            UserError: A certificate cannot be used.
        """
        config = self.node.config
        if config.metrics_port >= 0:
            from yeoul.broker.metrics.serving import MetricsServer

            self._metrics = MetricsServer(self)
            self.metrics_port = await self._metrics.listen(config.metrics_host, config.metrics_port)
        for listener in config.bound_listeners:
            self._doors.append(await open_door(self, listener))
        first = self._doors[0].listener
        self.node.host, self.node.port = first.host, first.port
        self._schedule_upkeep()
        self._schedule_idle_check()
        self._schedule_cleaning()
        if self._metrics is not None:
            self._metrics.is_ready = True

    async def close(self) -> None:
        """Ends in order: no new requests, what was appended acknowledged, everything durable."""
        for timer in (self._upkeep, self._idle_check, self._cleaning):
            if timer is not None:
                timer.cancel()
        for door in self._doors:
            door.close()
        if self._metrics is not None:
            self._metrics.is_ready = False
        for connection in tuple(self._connections):
            connection.stop_reading()
        await self._wait_until(lambda: not self.node.unacknowledged)
        for connection in tuple(self._connections):
            connection.close()
        await self._wait_until(lambda: not self._connections)
        if self._metrics is not None:
            self._metrics.close()
        self._transactions.close()
        self._groups.close()
        self._log.close()

    async def _wait_until(self, condition: Callable[[], bool]) -> None:
        """Waits for what should take milliseconds; a peer or a disk that takes longer is not waited for.

        Polling, so that the hot paths have no event to set.
        """
        deadline_s = self.loop.time() + _CLOSE_TIMEOUT_S
        while not condition() and self.loop.time() < deadline_s:  # noqa: ASYNC110
            await asyncio.sleep(_CLOSE_STEP_S)

    # -- connections --------------------------------------------------------------------------------------------

    def admit(self, peer_host: str, listener: Listener) -> bool:
        """Whether a peer may come in; from then on it is counted, until `left` or `closed`."""
        reason = self.admission.refusal(peer_host)
        if reason:
            _log.warning("Closed a connection from %s on listener %s: %s", peer_host, listener.name, reason)
        return not reason

    def left(self, peer_host: str) -> None:
        """For a peer that came in and went before it was connected."""
        self.admission.leave(peer_host)

    def connect(self, listener: Listener, *, admitted: bool) -> Connection:
        """Returns the connection for a peer of a listener; `admitted` says that it is counted already."""
        return Connection(self, listener, admitted=admitted)

    def opened(self, connection: Connection) -> None:
        """For a connection that was made."""
        self._connections.add(connection)
        wait_s = self.admission.wait_s(self.loop.time())
        if wait_s:
            connection.mute(wait_s)

    def closed(self, connection: Connection) -> None:
        """For a connection that has ended."""
        self._connections.discard(connection)
        self.admission.leave(connection.peer_host)

    def _schedule_idle_check(self) -> None:
        idle_s = self.node.config.limits.idle_ms / 1_000
        if idle_s > 0:
            self._idle_check = self.loop.call_later(idle_s / _IDLE_CHECKS, self._check_idle)

    def _check_idle(self) -> None:
        for connection in tuple(self._connections):
            connection.close_if_idle(_IDLE_CHECKS)
        self._schedule_idle_check()

    def _schedule_upkeep(self) -> None:
        interval_s = self.node.config.retention_check_interval_ms / 1_000
        self._upkeep = self.loop.call_later(interval_s, self._run_upkeep)

    def _run_upkeep(self) -> None:
        self._log.apply_retention()
        self._log.expire_producers()
        self._schedule_upkeep()

    def _schedule_cleaning(self) -> None:
        self._cleaning = self.loop.call_later(self.node.config.cleaner_backoff_ms / 1_000, self._clean)

    def _clean(self) -> None:
        self._log.clean()
        self._schedule_cleaning()


def _open_log(
    config: BrokerConfig, loop: asyncio.AbstractEventLoop, on_fatal: Callable[[LogStopped], None], clock: Clock
) -> Log:
    try:
        config.data_dir.mkdir(parents=True, exist_ok=True)
        return Log(
            config.data_dir,
            defer=loop.call_soon,
            post=loop.call_soon_threadsafe,
            on_fatal=on_fatal,
            flush=FlushMode(config.flush),
            flush_interval_ms=config.flush_interval_ms,
            kernel=KernelSync.open(loop.add_reader, loop.remove_reader),
            clock=clock,
            cleaning=config.cleaning,
            self_cleaning=INTERNAL_TOPICS,
            reserve_bytes=config.disk_reserve_bytes,
        )
    except OSError as error:
        raise EnvironmentFailure(
            f"Cannot use the data directory {str(config.data_dir)!r}: {error.strerror or error}",
            hint="Choose a directory that you may write to with --data-dir",
        ) from error


def _group_config(config: BrokerConfig) -> GroupConfig:
    return GroupConfig(
        min_session_timeout_ms=config.group_min_session_timeout_ms,
        max_session_timeout_ms=config.group_max_session_timeout_ms,
        max_size=config.group_max_size,
        initial_rebalance_delay_ms=config.group_initial_rebalance_delay_ms,
        offsets_retention_ms=config.offsets_retention_minutes * 60_000,
        offsets_check_interval_ms=config.offsets_retention_check_interval_ms,
        consumer=ConsumerGroupConfig(
            session_timeout_ms=config.group_consumer_session_timeout_ms,
            heartbeat_interval_ms=config.group_consumer_heartbeat_interval_ms,
            max_size=config.group_consumer_max_size,
            assignors=config.group_consumer_assignors,
        ),
    )
