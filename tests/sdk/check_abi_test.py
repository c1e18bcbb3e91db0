#!/usr/bin/env python3
"""The ABI guard finds what breaks plugins, and lets through what does not."""
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
TOOL = ROOT / "tools/check_abi.py"


class Guard(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.include = pathlib.Path(folder.name, "include")
        self.snapshot = pathlib.Path(folder.name, "abi.json")
        shutil.copytree(ROOT / "sdk/include", self.include)

    def run_tool(self, *options):
        command = [sys.executable, TOOL, "--include", self.include, "--snapshot", self.snapshot, *options]
        return subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)

    def record(self):
        self.assertEqual(self.run_tool("--record").returncode, 0)

    def change(self, header, old, new):
        path = self.include / "keelson" / header
        text = path.read_text(encoding="utf-8")
        self.assertEqual(text.count(old), 1, old)
        path.write_text(text.replace(old, new), encoding="utf-8")

    def assert_breaks(self, pattern):
        result = self.run_tool()
        self.assertEqual(result.returncode, 1, result.stderr)
        self.assertRegex(result.stderr, pattern)

    def assert_accepted(self):
        result = self.run_tool()
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertRegex(result.stderr, "has grown")
        self.assertEqual(self.run_tool("--exact").returncode, 1)
        self.record()
        self.assertEqual(self.run_tool("--exact").returncode, 0)

    def release_volume(self):
        """The volume capability becomes stable."""
        self.change("volume.h", '"keelson.volume/0"', '"keelson.volume/1"')

    def test_unchanged(self):
        self.record()
        result = self.run_tool("--exact")
        self.assertEqual((result.returncode, result.stderr), (0, ""))

    def test_comments_do_not_count(self):
        self.record()
        self.change("entry.h", "/* Borrowed bytes. */", "/* Bytes; of somebody else: { } */")
        self.assertEqual(self.run_tool("--exact").returncode, 0)

    def test_reorder(self):
        self.record()
        self.change("host.h", "    int64_t (*monotonic_us)(void* context);\n    int64_t (*unix_us)(void* context);\n",
                    "    int64_t (*unix_us)(void* context);\n    int64_t (*monotonic_us)(void* context);\n")
        self.assert_breaks(r"keelson_host: field 7 was .*monotonic_us.* is .*unix_us")

    def test_removal(self):
        self.record()
        self.change("entry.h", "    void (*destroy)(void* self);\n", "")
        self.assert_breaks("keelson_instance: the field destroy is gone")

    def test_type_change_of_the_same_size(self):
        self.record()
        self.change("entry.h", "    int64_t deadline_us;", "    uint64_t deadline_us;")
        self.assert_breaks("keelson_call: field 3 was int64_t deadline_us")

    def test_type_change_of_a_function(self):
        self.record()
        self.change("entry.h", "void (*write)(void* context, const char* data, size_t size);",
                    "void (*write)(void* context, const char* data, uint32_t size);")
        self.assert_breaks("keelson_reply: field 2")

    def test_insertion(self):
        self.record()
        self.change("host.h", "    const char* state_directory;",
                    "    void* more;\n    const char* state_directory;")
        self.assert_breaks("keelson_host: field 6 was const char. state_directory")

    def test_append(self):
        self.record()
        self.change("host.h", "    const char* node_name;\n", "    const char* node_name;\n    void (*more)(void* context);\n")
        self.assert_accepted()

    def test_append_into_padding(self):
        self.change("entry.h", "    const char* traceparent;", "    const char* traceparent;\n    uint32_t flags;")
        self.record()
        self.change("entry.h", "    uint32_t flags;", "    uint32_t flags;\n    uint32_t more;")
        self.assert_breaks("more lies in what was padding")

    def test_append_without_struct_size(self):
        self.record()
        self.change("entry.h", "    const char* data;\n    size_t size;\n", "    const char* data;\n    size_t size;\n    int more;\n")
        self.assert_breaks("keelson_bytes: it has no struct_size")

    def test_status_values(self):
        self.record()
        self.change("entry.h", "KEELSON_CONFLICT = 5,", "KEELSON_CONFLICT = 50,")
        self.assert_breaks("keelson_status: KEELSON_CONFLICT was 5, is 50")

    def test_new_status_value(self):
        self.record()
        self.change("entry.h", "    KEELSON_FORBIDDEN = 12 ", "    KEELSON_GONE = 13,\n    KEELSON_FORBIDDEN = 12 ")
        self.assert_accepted()

    def test_shape_of_methods(self):
        self.record()
        self.change("entry.h", "typedef int32_t (*keelson_method)(void* instance,",
                    "typedef int64_t (*keelson_method)(void* instance,")
        self.assert_breaks("function type keelson_method")

    def test_drafts_are_free(self):
        self.record()
        self.change("volume.h", "    keelson_method remove;\n    /* {\"volumeId\", \"nodeId\"", "    /* {\"volumeId\", \"nodeId\"")
        self.change("volume.h", " X(T, remove) X(T, attach)", " X(T, attach)")
        self.assertEqual(self.run_tool("--exact").returncode, 0)

    def test_promotion_is_accepted_and_then_guarded(self):
        self.record()
        self.release_volume()
        self.assert_accepted()
        self.change("volume.h", "    keelson_method stats;\n", "")
        self.change("volume.h", " X(T, stats)", "")
        self.assert_breaks("keelson_volume: field 11 was keelson_method stats")

    def test_stable_capability_may_grow(self):
        self.release_volume()
        self.record()
        self.change("volume.h", "    keelson_method node_info;\n", "    keelson_method node_info;\n    keelson_method more;\n")
        self.assert_accepted()

    def test_stable_capability_keeps_its_id(self):
        self.release_volume()
        self.record()
        self.change("volume.h", '"keelson.volume/1"', '"keelson.volume/0"')
        self.assert_breaks("keelson_volume is gone, or a draft again")


if __name__ == "__main__":
    unittest.main()
