"""The examples of the README run as they stand, in order and in one module."""

from __future__ import annotations

import re
import sys
import unittest
from pathlib import Path
from types import ModuleType

FENCE = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class ReadmeTest(unittest.TestCase):
    def test_the_examples_run(self) -> None:
        readme = Path(__file__).parent.parent / "README.md"
        text = readme.read_text(encoding="utf-8")
        module = ModuleType("readme")
        sys.modules["readme"] = module
        self.addCleanup(sys.modules.pop, "readme")
        examples = list(FENCE.finditer(text))
        self.assertGreaterEqual(len(examples), 4)
        for example in examples:
            # As many lines before it as in the file, so that an error names the right one.
            before = "\n" * (text.count("\n", 0, example.start()) + 1)
            exec(compile(before + example[1], readme.name, "exec", dont_inherit=True), module.__dict__)
        test = module.__dict__["SlowCallsTest"]
        assert isinstance(test, type) and issubclass(test, unittest.TestCase)
        result = unittest.TestResult()
        unittest.defaultTestLoader.loadTestsFromTestCase(test).run(result)
        self.assertTrue(result.wasSuccessful() and result.testsRun == 2, result.errors + result.failures)


if __name__ == "__main__":
    unittest.main()
