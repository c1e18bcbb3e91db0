"""DNS messages: a server of a few names, and a stream of questions while something happens."""
import asyncio
import socket
import socketserver
import struct

from background import Served, Stream

NO_ERROR, NAME_ERROR = 0, 3
TYPE_A = 1


def wire_name(name):
    return b"".join(bytes([len(label)]) + label.encode() for label in name.rstrip(".").split(".")) + b"\0"


def question(number, name):
    """For its IPv4 addresses."""
    return struct.pack(">6H", number, 0x0100, 1, 0, 0, 0) + wire_name(name) + struct.pack(">2H", TYPE_A, 1)


class Upstream(Served):
    """Answers the names that it is given with their IPv4 address, and of others that there are none. A context."""

    def __init__(self, address, names):
        self.names = {wire_name(name): socket.inet_aton(value) for name, value in names.items()}
        upstream = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self):
                message, reply_socket = self.request
                reply_socket.sendto(upstream.answer(message), self.client_address)
        self.server = socketserver.UDPServer((address, 53), Handler)

    def answer(self, message):
        end = message.index(b"\0", 12) + 5
        name, asked = message[12:end - 4].lower(), message[12:end]
        value = self.names.get(name)
        is_asked = value is not None and asked[-4:-2] == struct.pack(">H", TYPE_A)
        flags = 0x8180 | (NAME_ERROR if value is None else NO_ERROR)
        record = b"\xc0\x0c" + struct.pack(">2HIH", TYPE_A, 1, 30, 4) + value if is_asked else b""
        return message[:2] + struct.pack(">5H", flags, 1, int(is_asked), 0, 0) + asked + record


class Questions(Stream):
    """Asks the same every few milliseconds by UDP, each time from a port of its own as resolvers do. Use it as a context.

    slowest: the longest wait for an answer, in seconds. wrong: what was answered that is not the address."""
    INTERVAL_SECONDS, PATIENCE_SECONDS = 0.005, 3

    def __init__(self, namespace, server, name, address):
        super().__init__(namespace)
        self.server, self.name = server, name
        self.address = socket.inet_aton(address)
        self.asked, self.refused, self.wrong = [], 0, []
        self.slowest = 0.0

    async def ask_once(self):
        loop = asyncio.get_running_loop()
        begun = loop.time()
        self.asked.append(begun)
        number = len(self.asked) & 0xffff
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as asking:
            asking.connect((self.server, 53))
            try:
                await loop.sock_sendall(asking, question(number, self.name))
                answer = await asyncio.wait_for(loop.sock_recv(asking, 4096), self.PATIENCE_SECONDS)
            except ConnectionRefusedError:
                self.refused += 1
                return
            except asyncio.TimeoutError:
                return
        code, answers = answer[3] & 15, struct.unpack(">H", answer[6:8])[0]
        if code != NO_ERROR or answers != 1 or answer[-4:] != self.address:
            self.wrong.append((code, answers))
            return
        self.answered.append(begun)
        self.slowest = max(self.slowest, loop.time() - begun)

    @property
    def lost(self):
        return len(self.asked) - len(self.answered) - len(self.wrong)

    def __str__(self):
        return (f"{len(self.asked)} questions, {self.lost} without an answer ({self.refused} of them refused), "
                f"{len(self.wrong)} answered wrongly; slowest answer {self.slowest:.3f} s")
