"""What goes on in a thread of its own while a test does something else."""
import asyncio
import threading
import time


class Served:
    """A server of socketserver that answers as long as the context lasts. Subclasses set `server`."""

    def __enter__(self):
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


class Stream:
    """Something is asked every few milliseconds, whatever becomes of what was asked before, as long as the context lasts.
    Nothing is while MOST_UNDER_WAY wait for their answers: what is asked must not be what makes the machine slow.

    Subclasses have INTERVAL_SECONDS, ask_once(), which adds when it asked to `answered` if that was answered, and __str__.
    namespace: where it is asked from; None: here."""

    MOST_UNDER_WAY = 1000

    def __init__(self, namespace=None):
        self.namespace = namespace
        self.answered = []
        self.ending = threading.Event()
        self.thread = threading.Thread(target=self.serve)

    def serve(self):
        if self.namespace is not None:
            self.namespace.enter()
        asyncio.run(self.run())

    async def run(self):
        under_way = set()
        next_at = time.monotonic()
        while not self.ending.is_set():
            if len(under_way) < self.MOST_UNDER_WAY:
                under_way.add(asyncio.ensure_future(self.ask_once()))
            # What was late is not made up for by many at once.
            next_at = max(next_at + self.INTERVAL_SECONDS, time.monotonic())
            await asyncio.sleep(next_at - time.monotonic())
            under_way = {one for one in under_way if not one.done()}
        if under_way:
            await asyncio.wait(under_way)

    def wait_for_answers(self, count, seconds=60):
        goal, deadline = len(self.answered) + count, time.monotonic() + seconds
        while len(self.answered) < goal:
            if time.monotonic() > deadline:
                raise AssertionError(f"no more answers: {self}")
            time.sleep(0.02)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ending.set()
        self.thread.join()
