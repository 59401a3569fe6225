"""The brokers: real servers on loopback, each in a directory of its own, which a test may kill and start again."""

from __future__ import annotations

import os
import socket
from abc import ABC, abstractmethod
from contextlib import suppress
from pathlib import Path

from celery import Celery

from tests.debian import PROGRAMS
from tests.processes import Process, unused_port
from tests.waiting import wait_until

#: The queue of hookline.server.celery.
QUEUE = "hookline"


class Broker(ABC):
    """A server that runs between `start` and `kill`."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.port = unused_port()
        self.url = self.url_of(self.port)
        self.app = Celery("tests", broker=self.url, set_as_current=False)
        self.app.conf.task_default_queue = QUEUE
        self.log = directory / "broker.log"
        self._server: Process | None = None

    @abstractmethod
    def url_of(self, port: int) -> str: ...

    @abstractmethod
    def command(self) -> tuple[list[str], dict[str, str]]:
        """What starts it, and what is added to the environment."""

    @abstractmethod
    def version(self) -> str:
        """Of the server, which must be running."""

    def start(self) -> None:
        """Returns when it answers. Raises AssertionError when it does not."""
        command, environment = self.command()
        self._server = Process(command, environment, self.log, self.directory)
        wait_until(self.answers, 60, f"{self._server} answers")

    def answers(self) -> bool:
        assert self._server is not None
        assert self._server.popen.poll() is None, f"{self._server} ended: {self._server.output}"
        with self.app.connection_for_write(connect_timeout=5) as connection:
            try:
                connection.connect()
                # RabbitMQ takes connections a little before it can declare queues.
                connection.channel().queue_declare("probe", durable=True)
            except (OSError, *connection.connection_errors, *connection.channel_errors):
                return False
        return True

    @property
    def running(self) -> bool:
        return self._server is not None

    def kill(self) -> None:
        """SIGKILL."""
        if self._server is not None:
            self._server.kill()
            self._server = None

    def close(self) -> None:
        self.kill()

    def purge(self) -> int:
        """Lose the messages that wait in the queue. Returns how many."""
        with self.app.connection_for_write() as connection:
            lost: int = connection.channel().queue_purge(QUEUE)
        return lost


class RabbitMQ(Broker):
    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.app.conf.task_default_queue_type = "quorum"
        self._names_port = unused_port()
        self._internal_port = unused_port()
        (directory / "plugins").write_text("[].")
        # Its name server. If it did not run, the broker would start one that outlives the tests.
        self._names = Process(
            ["epmd", "-port", str(self._names_port), "-address", "127.0.0.1"], {}, directory / "epmd.log", directory
        )
        wait_until(self._names_answer, 20, f"{self._names} answers")

    def url_of(self, port: int) -> str:
        return f"amqp://guest:guest@127.0.0.1:{port}//"

    def version(self) -> str:
        with self.app.connection_for_write() as connection:
            return str(connection.connection.server_properties["version"])

    def _names_answer(self) -> bool:
        with suppress(OSError), socket.create_connection(("127.0.0.1", self._names_port), timeout=5):
            return True
        return False

    def command(self) -> tuple[list[str], dict[str, str]]:
        # https://www.rabbitmq.com/docs/configure#supported-environment-variables
        return [str(PROGRAMS["rabbitmq-server"])], {
            "HOME": str(self.directory),  # holds Erlang's cookie
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": str(self._names_port),
            "RABBITMQ_NODENAME": f"hookline{os.getpid()}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(self._internal_port),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
            "RABBITMQ_MNESIA_BASE": str(self.directory / "data"),
            "RABBITMQ_LOG_BASE": str(self.directory / "log"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.directory / "plugins"),
            "RABBITMQ_CONFIG_FILE": str(self.directory / "rabbitmq"),  # not the system's; there is none
            "RABBITMQ_CONF_ENV_FILE": str(self.directory / "rabbitmq-env.conf"),
        }

    def close(self) -> None:
        super().close()
        self._names.kill()


class Redis(Broker):
    """Keeps nothing on disk: when it is killed, all messages are lost."""

    def url_of(self, port: int) -> str:
        return f"redis://127.0.0.1:{port}/0"

    def version(self) -> str:
        with self.app.connection_for_write() as connection:
            return str(connection.default_channel.client.info("server")["redis_version"])

    def command(self) -> tuple[list[str], dict[str, str]]:
        command = [str(PROGRAMS["redis-server"]), "--port", str(self.port), "--bind", "127.0.0.1"]
        return [*command, "--save", "", "--appendonly", "no", "--dir", str(self.directory)], {}


BROKERS: dict[str, type[Broker]] = {"rabbitmq": RabbitMQ, "redis": Redis}
