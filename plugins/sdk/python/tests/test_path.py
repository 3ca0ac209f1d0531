from __future__ import annotations

import unittest
from typing import Any

from tamis_plugin.testing.path import Path


class PathTest(unittest.TestCase):
    def test_paths_are_read_as_the_host_does(self) -> None:
        record = {"a": {"b": [1, {"c.d": "x"}]}}
        for path, wanted in {"a.b[0]": 1, '.a.b[1]."c.d"': "x", ".": record, "a.b[2]": None, "a.b.c": None}.items():
            self.assertEqual(Path.parse(path).get(record), wanted, path)
        for wrong in ["", "a.", "a..b", "a[x]", "a[0", '"a', "a[0]b"]:
            with self.assertRaises(ValueError, msg=wrong):
                Path.parse(wrong)

    def test_values_are_set_and_removed(self) -> None:
        record: Any = {"a": None, "list": [1, 2]}
        self.assertTrue(Path.parse("a.b[1]").set(record, "x"))
        self.assertTrue(Path.parse("list[0]").set(record, 0))
        self.assertFalse(Path.parse("list.key").set(record, 0))
        self.assertEqual(record, {"a": {"b": [None, "x"]}, "list": [0, 2]})
        for path in "a.b", "list[0]", "none.at.all":
            Path.parse(path).remove(record)
        self.assertEqual(record, {"a": {}, "list": [2]})


if __name__ == "__main__":
    unittest.main()
