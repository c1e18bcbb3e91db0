#!/usr/bin/env python3
"""The commands in the documents do what their text says: every block marked `sh` is run, in the order of its page, on a node
with real containers. Pages that need other surroundings have tests of their own (docs/plugins.md: tests/sdk).

  commands_test.py KEELSOND KEELCTL [unittest arguments]"""
import os
import pathlib
import re
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "clients"))
import support  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
ELSEWHERE = {"plugins.md"}
KEELSOND = KEELCTL = None
BLOCK_SECONDS = 180


def blocks(page):
    """The commands of a page with the lines where they begin."""
    text = page.read_text(encoding="utf-8")
    for match in re.finditer(r"^```sh\n(.*?)^```", text, re.S | re.M):
        yield text.count("\n", 0, match.start()) + 2, match[1]


class Commands(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.node = support.Node(KEELSOND, KEELCTL)
        cls.node.__enter__()
        cls.addClassCleanup(cls.node.__exit__)
        cls.environment = {**os.environ, "KEELSON_DATA_DIR": str(cls.node.data), "KUBECONFIG": cls.node.kubeconfig,
                           "PATH": f"{pathlib.Path(KEELCTL).parent}:{os.environ['PATH']}"}
        cls.node.wait(lambda: cls.run_block("keelctl get serviceaccount default").returncode == 0, "there is no service account")

    @classmethod
    def run_block(cls, text):
        return subprocess.run(["bash", "-euc", "set -o pipefail\n" + text], env=cls.environment, capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, timeout=BLOCK_SECONDS)

    def test_pages_have_commands(self):
        self.assertGreaterEqual(sum(len(list(blocks(page))) for page in pages()), 10)


def pages():
    return sorted(page for page in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")] if page.name not in ELSEWHERE)


def add_page(page):
    def test(self):
        for line, text in blocks(page):
            done = self.run_block(text)
            self.assertEqual(done.returncode, 0, f"{page}:{line}:\n{text}\n{done.stdout}\n{done.stderr}\n{self.node.log()[-2000:]}")
    setattr(Commands, "test_" + page.stem.replace("-", "_").lower(), test)


for one in pages():
    if any(True for _ in blocks(one)):
        add_page(one)


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    if reason := support.why_no_containers():
        print("skipped: " + reason)
        sys.exit(support.SKIPPED)
    support.enter_private_network()
    KEELSOND, KEELCTL = (os.path.abspath(path) for path in sys.argv[1:3])
    del sys.argv[1:3]
    unittest.main()
