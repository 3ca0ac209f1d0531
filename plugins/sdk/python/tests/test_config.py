from __future__ import annotations

import unittest
from dataclasses import dataclass, field
from typing import Any, Literal

from tamis_plugin import ConfigError, NoConfig, key, parse


@dataclass
class Range:
    min: int
    max: float | None = None


@dataclass
class Config:
    owners: dict[str, str] = field(default_factory=dict)
    ranges: list[Range] = field(default_factory=list)
    named: dict[str, Range] = field(default_factory=dict)
    mode: Literal["keep", "drop"] = "keep"
    source: str = key("from", default="ApiOwner")
    strict: bool = False
    either: int | str = 1
    free: Any = None


class ConfigTest(unittest.TestCase):
    def error(self, text: str, config: type = Config) -> str:
        with self.assertRaises(ConfigError) as raised:
            parse(config, text)
        return str(raised.exception)

    def test_members_are_read(self) -> None:
        found = parse(
            Config,
            '{"owners": {"a": "b"}, "ranges": [{"min": 1, "max": 2}], "named": {"x": {"min": 3}}, "mode": "drop", "from": "o", '
            '"strict": true, "either": "s", "free": [1]}',
        )
        self.assertEqual(
            found, Config({"a": "b"}, [Range(1, 2.0)], {"x": Range(3)}, "drop", "o", True, "s", [1])
        )
        self.assertIsInstance(found.ranges[0].max, float)

    def test_nothing_is_an_empty_configuration(self) -> None:
        for nothing in "", " \n", "null", "{}":
            self.assertEqual(parse(Config, nothing), Config())
            self.assertEqual(parse(NoConfig, nothing), NoConfig())

    def test_errors_name_the_key(self) -> None:
        for text, wanted in [
            ('{"owners": {"cio": 7}}', "configuration key owners.cio: expected a string, found 7"),
            ('{"owners": []}', "configuration key owners: expected a map, found a list"),
            ('{"ranges": [{"min": 1}, {"min": "x"}]}', "configuration key ranges[1].min: expected an integer, found a string"),
            ('{"ranges": [{}]}', "configuration key ranges[0].min: it is missing; expected an integer"),
            ('{"named": {"x": {"min": 1, "mox": 2}}}', "configuration key named.x.mox: unknown key; did you mean `max`? known are `min`, `max`"),
            ('{"named": {"x": 1}}', "configuration key named.x: expected a map of `min`, `max`, found 1"),
            ('{"mode": "no"}', 'configuration key mode: expected one of "keep", "drop", found a string'),
            ('{"strict": 1}', "configuration key strict: expected true or false, found 1"),
            ('{"ranges": [{"min": true}]}', "configuration key ranges[0].min: expected an integer, found true"),
            ('{"either": 1.5}', "configuration key either: expected an integer or a string, found 1.5"),
            ('{"from": null}', "configuration key from: expected a string, found null"),
            ("7", "configuration: expected a map of `owners`, `ranges`, `named`, `mode`, `from`, `strict`, `either`, `free`, found 7"),
        ]:
            self.assertEqual(self.error(text), wanted)
        self.assertIn("it is not JSON", self.error("[]x"))

    def test_unknown_keys_are_refused(self) -> None:
        self.assertTrue(self.error('{"ownrs": {}}').startswith("configuration key ownrs: unknown key; did you mean `owners`? known are "))
        self.assertNotIn("did you mean", self.error('{"qqqqq": 1}'))
        self.assertEqual(self.error('{"a": 1}', NoConfig), "configuration key a: unknown key; there is nothing to configure")

    def test_text_is_not_repeated_for_it_may_be_a_secret(self) -> None:
        self.assertNotIn("hunter2", self.error('{"strict": "hunter2"}'))


if __name__ == "__main__":
    unittest.main()
