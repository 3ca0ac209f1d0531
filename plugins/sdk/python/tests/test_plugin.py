from __future__ import annotations

import unittest
from dataclasses import dataclass
from typing import Any

from tamis_plugin import (
    Batch, BatchPlugin, Boolean, CaselessMap, ConfigError, Field, Float, Integer, Json, JsonText, Kind, NoConfig, NoWrites, Outcome, Plugin,
    Reads, Rejected, Signature, Text, Verdict, Writes, field, log, metrics, values,
)
from tamis_plugin.errors import BatchFailed
from tamis_plugin.testing import harness


class In(Reads):
    text: str | None = field("a.text")
    raw: bytes | None = field("a.text")
    integer: int | None
    number: float | None
    flag: bool | None
    any: Json | None = field("tags[0]")


class Out(Writes):
    text: Text = field("out.text")
    integer: Integer
    number: Float
    flag: Boolean
    any: JsonText


class Copies(Plugin[NoConfig, In, Out]):
    """Writes what it reads, and removes what is missing."""

    def record(self, row: In, out: Out) -> Verdict | None:
        text, raw = row.text, row.raw
        assert (text is None and raw is None) or (text is not None and raw == text.encode())
        for value, writer in [(text, out.text), (row.integer, out.integer), (row.number, out.number), (row.flag, out.flag)]:
            if value is None:
                writer.remove()
            else:
                writer.set(value)  # type: ignore[attr-defined]
        if row.any is not None:
            out.any.set({"got": row.any.parse()})
        return None


@dataclass
class Words:
    outputs: list[str]


class Word(Reads):
    word: str | None
    n: int | None


class Mark(Writes):
    mark: Text


class Decides(Plugin[Words, Word, Mark]):
    drops = True

    def __init__(self, config: Words) -> None:
        if "" in config.outputs:
            raise ConfigError("an empty name", "outputs")
        self.outputs = config.outputs
        self.seen = 0

    def record(self, row: Word, out: Mark) -> Verdict | None:
        self.seen += 1
        if row.word != "skip":
            out.mark.set("first")
            out.mark.set("seen")
        match row.word:
            case "drop":
                return Verdict.drop
            case "reject":
                return Verdict.reject("said so")
            case "raise":
                raise Rejected("raised so")
            case "fault":
                int(row.word)
            case "type":
                out.mark.set(7)  # type: ignore[arg-type]
            case "surrogate":
                out.mark.set("\ud800")
            case "none":
                return Verdict.to("nowhere")
            case str(word) if word.startswith("to "):
                return Verdict.to(word[3:])
            case "index":
                return Verdict.to(1)
        return Verdict.keep

    def batch_done(self) -> None:
        metrics.add("seen", self.seen)
        log.warn(f"{self.seen} records")
        self.seen = 0


class PluginTest(unittest.TestCase):
    def test_every_kind_is_read_and_written(self) -> None:
        records: list[Any] = [
            {"a": {"text": "é€𝄞"}, "integer": 2**63 - 1, "number": 1.5, "flag": True, "tags": [{"x": "y"}]},
            {"a": {"text": "plain"}, "integer": -(2**63), "number": 3, "flag": False, "tags": ["z"]},
            {"a": {"text": 7}, "integer": 2**63, "number": "1", "flag": 0, "tags": None, "out": {"text": "old"}},
            {},
        ]
        run = harness(Copies).run(records)
        self.assertEqual([record.get("out", {}).get("text") for record in run.records], ["é€𝄞", "plain", None, None])
        self.assertEqual([record.get("integer") for record in run.records], [2**63 - 1, -(2**63), None, None])
        self.assertEqual([record.get("number") for record in run.records], [1.5, 3.0, None, None])
        self.assertEqual([record.get("flag") for record in run.records], [True, False, None, None])
        self.assertEqual([record.get("any") for record in run.records], [{"got": {"x": "y"}}, {"got": "z"}, None, None])
        self.assertEqual(records[2]["out"], {"text": "old"}, "the records given are left as they are")

    def test_a_batch_of_nothing_says_nothing(self) -> None:
        self.assertEqual(harness(Copies).run([]).outcome, Outcome(None, [], []))

    def test_only_touched_rows_are_patched(self) -> None:
        plugin = harness(Decides, {"outputs": []})
        sparse = plugin.run([{"word": "skip"}, {"word": "x"}, {"word": "skip"}]).outcome
        self.assertEqual((len(sparse.patches), sparse.patches[0].rows, sparse.verdicts), (1, [1], None))
        self.assertIsNone(plugin.run([{"word": "x"}, {"word": "y"}]).outcome.patches[0].rows, "all rows need no list")
        self.assertEqual(plugin.run([{"word": "skip"}]).outcome.patches, [])

    def test_verdicts(self) -> None:
        words = ["x", "drop", "reject", "to b", "index", "skip", "raise", "fault", "type", "x"]
        plugin = harness(Decides, {"outputs": ["a", "b"]})
        run = plugin.run([{"word": word, "n": n} for n, word in enumerate(words)])
        self.assertEqual(run.fates[:7], ["kept", "dropped", "rejected: said so", "to b", "to b", "kept", "rejected: raised so"])
        self.assertRegex(run.fates[7], r"^rejected: ValueError at test_plugin\.py:\d+ in record$")
        self.assertEqual(run.fates[8], "rejected: written field mark: expected str, found a value of type int")
        marked = [record["n"] for record in run.records if record.get("mark") == "seen"]
        self.assertEqual(marked, [0, 3, 4, 9], "what was set for others is taken back")
        self.assertEqual([patch.rows for patch in run.outcome.patches], [[0, 3, 4, 9]])
        self.assertEqual(len(run.passed), 5)
        self.assertEqual((run.told.counters, run.told.log), ({"seen": 10}, [("warn", "10 records")]))

    def test_what_fails_a_batch(self) -> None:
        plugin = harness(Decides, {"outputs": ["a"]})
        with self.assertRaisesRegex(BatchFailed, "does not declare; it declares \\['a'\\]"):
            plugin.run([{"word": "none"}])
        with self.assertRaisesRegex(BatchFailed, "written field mark: a text holds half of a surrogate pair"):
            plugin.run([{"word": "surrogate"}])
        self.assertEqual(plugin.run([{"word": "skip"}]).outcome.patches, [], "nothing is left of the batch that failed")
        plugin.plugin.plugin.drops = False  # type: ignore[attr-defined]
        with self.assertRaisesRegex(BatchFailed, "drops = True"):
            plugin.run([{"word": "drop"}])

    def test_the_signature_follows_from_the_declaration(self) -> None:
        plugin = harness(Decides, {"outputs": ["a", "b"]})
        self.assertEqual(
            plugin.signature,
            Signature([Field("word", Kind.TEXT), Field("n", Kind.INTEGER)], [Field("mark", Kind.TEXT)], ["a", "b"], True),
        )
        with self.assertRaisesRegex(ConfigError, "configuration key outputs: an empty name"):
            harness(Decides, {"outputs": [""]})

    def test_declarations_that_cannot_be_are_refused(self) -> None:
        with self.assertRaisesRegex(TypeError, r"Always\.a: expected `str \| None`"):
            type("Always", (Reads,), {"__annotations__": {"a": str}})
        with self.assertRaisesRegex(TypeError, r"Odd\.a: expected `str \| None`"):
            type("Odd", (Reads,), {"__annotations__": {"a": list[str] | None}})
        with self.assertRaisesRegex(TypeError, r"Plain\.a: expected one of Text, Integer"):
            type("Plain", (Writes,), {"__annotations__": {"a": str}})
        with self.assertRaisesRegex(TypeError, "in one class that derives from Reads alone"):
            type("More", (In,), {"__annotations__": {}})

    def test_values_that_a_field_cannot_take(self) -> None:
        class Wrong(Plugin[NoConfig, Word, Out]):
            def record(self, row: Word, out: Out) -> Verdict | None:
                attempts: list[tuple[Any, Any]] = [
                    (out.integer, 2**63), (out.integer, True), (out.number, float("nan")), (out.number, 10**400), (out.flag, 1),
                    (out.any, {1, 2}), (out.any, float("inf")), (out.text, b"bytes"),
                ]
                writer, value = attempts[row.n or 0]
                writer.set(value)
                return None

        run = harness(Wrong).run([{"n": n} for n in range(8)])
        self.assertTrue(all(fate.startswith("rejected: written field ") for fate in run.fates), run.fates)

    def test_json_integers(self) -> None:
        found = [Json(text).integer() for text in ("7", '"-12"', '"x"', "1.5", "[1]", '""', '"٣"', "9" * 30)]
        self.assertEqual(found, [7, -12, None, None, None, None, None, None])

    def test_caseless(self) -> None:
        table = CaselessMap({"Ab": 1, "É": 2})
        self.assertEqual([table.get("aB"), table.get(b"AB"), table.get("É"), table.get("é"), table.get("")], [1, 1, 2, None, None])
        self.assertEqual(len(table), 2)

    def test_fields_that_follow_from_the_configuration(self) -> None:
        @dataclass
        class Named:
            name: str

        class Upper(BatchPlugin):
            @classmethod
            def init(cls, config: str) -> tuple[Upper, Signature]:
                return cls(), Signature([Field("a", Kind.TEXT)], [Field("a", Kind.TEXT)], [], False)

            def process(self, batch: Batch) -> Outcome:
                text = Text()
                for row, value in enumerate(values(batch.columns[0])):
                    if value is not None and not value.isupper():
                        text.at(row)
                        text.set(value.upper())
                patch = text.patch(0, batch.rows)
                return Outcome(None, [patch] if patch else [], [])

        run = harness(Upper).run([{"a": "x"}, {}, {"a": "Y"}, {"a": "ß"}])
        self.assertEqual(run.records, [{"a": "X"}, {}, {"a": "Y"}, {"a": "SS"}])
        self.assertEqual(run.outcome.patches[0].rows, [0, 3])

    def test_a_field_left_out_is_never_present(self) -> None:
        class Less(Plugin[NoConfig, Word, NoWrites]):
            def path(self, declared: str) -> str | None:
                return None if declared == "word" else "renamed"

            def record(self, row: Word, out: NoWrites) -> Verdict | None:
                return Verdict.reject(f"{row.word} {row.n}")

        plugin = harness(Less)
        self.assertEqual(plugin.reads, ["renamed"])
        self.assertEqual(plugin.run([{"word": "x", "renamed": 1}]).fates, ["rejected: None 1"])


if __name__ == "__main__":
    unittest.main()
