"""Network namespaces of a test's own, and work that is done in one."""
import ctypes
import os
import pathlib
import subprocess
import threading

CLONE_NEWNET = 0x40000000
LIBC = ctypes.CDLL(None, use_errno=True)


def check(result):
    if result != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def in_thread(work):
    """What the work returns or raises, from a thread that ends with it."""
    outcome = {}

    def run():
        try:
            outcome["result"] = work()
        except BaseException as error:  # it is raised where the work was asked for
            outcome["error"] = error
    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if "error" in outcome:
        raise outcome["error"]
    return outcome["result"]


class NetworkNamespace:
    """A new one with its loopback device up, or that of a process. It ends with close() and the last process in it."""

    def __init__(self, process=None):
        self.descriptor = in_thread(self.make) if process is None else os.open(f"/proc/{process}/ns/net", os.O_RDONLY)
        if process is None:
            self.command("ip", "link", "set", "lo", "up")

    @staticmethod
    def make():
        check(LIBC.unshare(CLONE_NEWNET))
        return os.open("/proc/thread-self/ns/net", os.O_RDONLY)

    def close(self):
        os.close(self.descriptor)

    def enter(self):
        """The calling thread, for good."""
        check(LIBC.setns(self.descriptor, CLONE_NEWNET))

    def run(self, work):
        """What the work returns, from a thread in here."""
        def enter_and_work():
            self.enter()
            return work()
        return in_thread(enter_and_work)

    @property
    def path(self):
        return f"/proc/{os.getpid()}/fd/{self.descriptor}"

    @property
    def prefix(self):
        """Before the words of a command that is to run in here."""
        return ["nsenter", "--net=" + self.path, "--"]

    def command(self, *words, **options):
        return subprocess.run([*self.prefix, *words], check=True, capture_output=True, text=True, **options).stdout


def process_of_pod(uid):
    """Some process of a pod that runs on this machine."""
    for path in pathlib.Path("/proc").glob("[0-9]*/cgroup"):
        try:
            if f"/pod{uid}/" in path.read_text():
                return int(path.parent.name)
        except OSError:
            continue  # it has ended
    raise LookupError(f"no process of the pod {uid} is there")
