"""Every fault, in the order of the table. A new one is a class here."""

from __future__ import annotations

from faults.scenarios.base import Scenario
from faults.scenarios.celery import (
    BrokerKilledRabbitMQ,
    BrokerKilledRedis,
    ClocksApartRedis,
    EverythingKilledRabbitMQ,
    KilledAtPointsRabbitMQ,
    LeaseExpiredRabbitMQ,
    PostgresRestartedRabbitMQ,
    WorkerKilledRabbitMQ,
    WorkerKilledRedis,
)
from faults.scenarios.disk import DiskFull, DiskFullSqlite
from faults.scenarios.handlers import HandlerKills, HandlersHang, HandlersHangSqlite
from faults.scenarios.kills import (
    CommandKilled,
    CommandKilledAtPoints,
    CommandKilledSqlite,
    EverythingKilled,
    EverythingKilledSqlite,
    ForwardedAndKilled,
    ForwardedAndKilledSqlite,
    KilledAtPoints,
    KilledAtPointsSqlite,
    OrderedAndKilled,
    OrderedAndKilledSqlite,
    ServerKilled,
    WorkerKilled,
)
from faults.scenarios.limits import RateLimitedAndKilled, RecoveredThroughKills
from faults.scenarios.network import NetworkCut, NetworkDelayed, NetworkReset
from faults.scenarios.postgres import PoolExhausted, PostgresAway, PostgresRestarted, PostgresRestartedInOrder
from faults.scenarios.time_and_sleep import ClocksApart, LeaseExpired

SCENARIOS: tuple[type[Scenario], ...] = (
    ServerKilled,
    WorkerKilled,
    EverythingKilled,
    CommandKilled,
    CommandKilledAtPoints,
    KilledAtPoints,
    OrderedAndKilled,
    ForwardedAndKilled,
    RateLimitedAndKilled,
    RecoveredThroughKills,
    HandlerKills,
    HandlersHang,
    PostgresRestarted,
    PostgresRestartedInOrder,
    PostgresAway,
    PoolExhausted,
    LeaseExpired,
    ClocksApart,
    DiskFull,
    NetworkCut,
    NetworkDelayed,
    NetworkReset,
    EverythingKilledSqlite,
    CommandKilledSqlite,
    KilledAtPointsSqlite,
    OrderedAndKilledSqlite,
    ForwardedAndKilledSqlite,
    HandlersHangSqlite,
    DiskFullSqlite,
    WorkerKilledRabbitMQ,
    WorkerKilledRedis,
    EverythingKilledRabbitMQ,
    KilledAtPointsRabbitMQ,
    BrokerKilledRabbitMQ,
    BrokerKilledRedis,
    PostgresRestartedRabbitMQ,
    LeaseExpiredRabbitMQ,
    ClocksApartRedis,
)
