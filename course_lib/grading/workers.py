"""Run pytest's items side by side in forks of one process, which share its memory; groups of items stay together."""

import gc
import json
import os
import signal
import sys
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

import pytest
from _pytest.runner import runtestprotocol

Items = list[pytest.Item]


@dataclass
class Worker:
    process: BaseProcess
    channel: Connection
    items: Items  # that it has not reported on yet; none when it waits for some


def available() -> bool:
    """Whether processes can be forked here without harm."""
    return sys.platform == "linux"


def run_side_by_side(
    session: pytest.Session, groups: list[Items], count: int, equip: Callable[[], Callable[[], None]], lost: Callable
) -> None:
    """Run each group in one worker, in its order, and log the reports here as they come.

    Args:
        count: of workers.
        equip: called here for each new worker; what it returns is called in the worker before its first item.
        lost: makes the report of an item whose worker ended (it was killed, say); another worker takes its place.
    """
    waiting, workers = deque(groups), []
    number = {item: number for number, item in enumerate(session.items)}
    gc.collect()
    gc.freeze()  # else the first collection in a worker would write to, and so copy, all the memory that it shares
    try:
        while waiting or any(worker.items for worker in workers):
            while len(workers) < min(count, len(waiting) + len(workers)):
                workers.append(_start(session, equip(), [worker.channel for worker in workers]))
            for worker in workers:
                if not worker.items and waiting:
                    worker.items = waiting.popleft()
                    with suppress(OSError):  # it ended: that is seen when its reports are read
                        worker.channel.send_bytes(json.dumps([number[item] for item in worker.items]).encode())
            for channel in wait([worker.channel for worker in workers if worker.items]):
                worker = next(worker for worker in workers if worker.channel is channel)
                for report in _reports(session.config, worker, lost):
                    session.config.hook.pytest_runtest_logreport(report=report)
                if worker.process.exitcode is not None:
                    workers.remove(worker)
    finally:
        for worker in workers:
            worker.channel.close()
            if worker.items:  # interrupted
                worker.process.kill()
            worker.process.join()
        gc.unfreeze()


def _start(session: pytest.Session, begin: Callable[[], None], others: list[Connection]) -> Worker:
    context = get_context("fork")  # nothing has been computed here yet, so there are no threads to be missed
    ours, theirs = context.Pipe()
    process = context.Process(target=_live, args=(session, theirs, begin, [ours, *others]), daemon=True)
    process.start()
    theirs.close()
    return Worker(process, ours, [])


def _reports(config: pytest.Config, worker: Worker, lost: Callable) -> Iterator[pytest.TestReport]:
    try:
        data = json.loads(worker.channel.recv_bytes())
    except (EOFError, OSError):
        worker.process.join()
        yield from map(lost, worker.items)
        worker.items = []
        return
    for one in data:
        yield config.hook.pytest_report_from_serializable(config=config, data=one)
    del worker.items[0]


def _live(session: pytest.Session, channel: Connection, begin: Callable[[], None], others: list[Connection]) -> None:
    """The life of a worker, which ends with its channel."""
    config = session.config
    for other in others:  # whose ends must be seen
        other.close()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the main process, which then ends this one
    if capture := config.pluginmanager.getplugin("capturemanager"):
        capture.suspend_global_capture()
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in range(3):
        os.dup2(nowhere, stream)
    begin()
    with suppress(EOFError, OSError):
        while True:
            items = [session.items[number] for number in json.loads(channel.recv_bytes())]
            for item, following in zip(items, [*items[1:], None], strict=True):
                reports = runtestprotocol(item, log=False, nextitem=following)
                made = [config.hook.pytest_report_to_serializable(config=config, report=report) for report in reports]
                channel.send_bytes(json.dumps(made).encode())
