import unittest

from tamis_plugin import ConfigError
from tamis_plugin.testing import harness

from plugin import SlowCalls


class SlowCallsTest(unittest.TestCase):
    def test_calls_are_slow_from_the_limit_on(self) -> None:
        run = harness(SlowCalls, {"slow_ms": 500}).run([{"responseLatency": 499}, {"responseLatency": 500}, {}])
        self.assertEqual(run.records, [{"responseLatency": 499, "slow": False}, {"responseLatency": 500, "slow": True}, {}])

    def test_a_limit_that_is_none_is_refused(self) -> None:
        with self.assertRaisesRegex(ConfigError, "slow_ms"):
            harness(SlowCalls, {"slow_ms": 0})
