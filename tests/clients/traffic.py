"""What clients of a service hear: one question, or a stream of them while something happens."""
import asyncio
import collections
import os
import socket
import time

from background import Stream


class Heard:
    """What one of support.WHO_SERVER's pods has said: its name and the address that it has seen as the client's."""

    def __init__(self, text):
        self.name, source = text.split()
        self.source = source.strip("[]").removeprefix("::ffff:")


def ask(address, port, seconds):
    """What a pod says to a client here. Raises OSError when that is nothing."""
    with socket.create_connection((address, port), seconds) as connection:
        connection.sendall(b"GET /cgi-bin/who HTTP/1.0\r\n\r\n")
        answer = b""
        while part := connection.recv(4096):
            answer += part
    body = answer.decode().partition("\r\n\r\n")[2]
    if not body.strip():
        raise ConnectionAbortedError(f"an answer without contents: {answer}")
    return Heard(body)


class Traffic(Stream):
    """Makes a new connection every few milliseconds. Use it as a context.

    longest_gap: in seconds, the longest time from the first to the last of connections that were begun one after the other
    and were all lost. How long a client waits before it gives up is no part of it, nor how long it was kept from asking.
    names: of support.WHO_SERVER's pods, which of them has answered when."""
    INTERVAL_SECONDS, PATIENCE_SECONDS = 0.02, 2
    if "KEELSON_VM" in os.environ:  # where all takes ten times as long
        INTERVAL_SECONDS, PATIENCE_SECONDS, MOST_UNDER_WAY = 0.1, 10, 5

    def __init__(self, host, port=80, namespace=None, path="/"):
        super().__init__(namespace)
        self.host, self.port, self.path = host, port, path
        self.longest_gap = 0.0
        self.losses = []  # when they were begun, by time.monotonic(), and why they were lost
        self.names = []  # when it was begun, and what was said

    async def ask(self):
        reader, writer = await asyncio.open_connection(self.host, self.port)
        try:
            writer.write(f"GET {self.path} HTTP/1.0\r\n\r\n".encode())
            return (await reader.read()).decode()
        finally:
            writer.close()

    async def ask_once(self):
        begun = time.monotonic()
        try:
            answer = await asyncio.wait_for(self.ask(), self.PATIENCE_SECONDS)
        except (OSError, asyncio.TimeoutError) as error:
            answer = type(error).__name__
        if " 200 " in answer:
            self.answered.append(begun)
            self.names.append((begun, answer.partition("\r\n\r\n")[2].split()[:1]))
        else:
            self.losses.append((begun, answer[:40] or "nothing"))

    def last_answer_of(self, name):
        """When the last connection that it has answered was begun, by time.monotonic()."""
        return max((begun for begun, said in self.names if said == [name]), default=0.0)

    def said_since(self, instant):
        """What was said to the connections that were begun after that."""
        return [said for begun, said in self.names if begun > instant]

    def __exit__(self, *_):
        super().__exit__()
        first_lost = None
        for begun, is_lost in sorted([(at, False) for at in self.answered] + [(at, True) for at, _ in self.losses]):
            if not is_lost:
                first_lost = None
                continue
            first_lost = begun if first_lost is None else first_lost
            self.longest_gap = max(self.longest_gap, begun - first_lost)

    def __str__(self):
        why = "; ".join(f"{count} {reason}" for reason, count in collections.Counter(why for _, why in self.losses).items())
        return f"longest gap {self.longest_gap:.3f} s; {len(self.answered)} answered, {len(self.losses)} lost {why}".rstrip()
