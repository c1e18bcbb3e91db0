"""What clients of a service hear: one question, or a stream of them while something happens."""
import asyncio
import socket
import time

from background import Stream


class Heard:
    """What one of support.WHO_SERVER's pods has said: its name and the address that it has seen as the client's."""

    def __init__(self, text):
        self.name, source = text.split()
        self.source = source.strip("[]").removeprefix("::ffff:")


def ask(address, port, seconds=2):
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

    longest_gap: the longest time, in seconds, in which every connection that was begun was lost. How long a client waits
    before it gives up is no part of it. names: of support.WHO_SERVER's pods, which of them has answered when."""
    INTERVAL_SECONDS, PATIENCE_SECONDS = 0.02, 2

    def __init__(self, host, port=80, namespace=None, path="/"):
        super().__init__(namespace)
        self.host, self.port, self.path = host, port, path
        self.lost = 0
        self.longest_gap, self.gap_at = 0.0, 0.0
        self.begun = []
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
        self.begun.append(begun)
        try:
            answer = await asyncio.wait_for(self.ask(), self.PATIENCE_SECONDS)
        except (OSError, asyncio.TimeoutError):
            answer = ""
        if " 200 " in answer:
            self.answered.append(begun)
            self.names.append((begun, answer.partition("\r\n\r\n")[2].split()[:1]))
        else:
            self.lost += 1

    def last_answer_of(self, name):
        """When the last connection that it has answered was begun, by time.monotonic()."""
        return max((begun for begun, said in self.names if said == [name]), default=0.0)

    def __exit__(self, *_):
        super().__exit__()
        times = [self.begun[0], *sorted(self.answered), self.begun[-1]]
        self.longest_gap, self.gap_at = max((after - before, before - times[0]) for before, after in zip(times, times[1:]))

    def __str__(self):
        return (f"longest gap {self.longest_gap:.3f} s, {self.gap_at:.1f} s after the start; {len(self.answered)} answered, "
                f"{self.lost} lost")
