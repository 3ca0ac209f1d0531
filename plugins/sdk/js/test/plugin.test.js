import assert from "node:assert/strict";
import { test } from "node:test";
import { boolean, config, drop, float, integer, json, keep, log, metrics, plugin, reject, text, to } from "@tamis/plugin";
import { harness } from "@tamis/plugin/testing";

const slow = plugin({
  reads: { latency: integer("responseLatency"), method: text("destination.http.method") },
  writes: { slow: boolean("slow"), note: text("note") },
  outputs: ["errors"],
  drops: true,
  config: config.object({ slow_ms: config.integer({ min: 1 }) }),
  setup: ({ slow_ms }) => ({ slow_ms, count: 0 }),
  record(row, out, state) {
    out.note.set("seen");
    if (row.method === "OPTIONS") return drop;
    if (row.latency === undefined) {
      out.note.remove();
      return keep;
    }
    if (row.latency < 0) return reject("responseLatency is negative");
    const slow = row.latency >= state.slow_ms;
    out.slow.set(slow);
    if (slow) state.count++;
    return slow ? to("errors") : undefined;
  },
  batchDone(state) {
    metrics.add("slow_calls", state.count);
    log.info(`${state.count} slow`);
    state.count = 0;
  },
});

test("verdicts, patches, counters", () => {
  const records = [{ responseLatency: 700 }, { responseLatency: 3 }, { note: "x" }, { destination: { http: { method: "OPTIONS" } } }, { responseLatency: -1 }];
  const run = harness(slow, { slow_ms: 500 }).run(records);
  assert.deepEqual(run.records, [{ responseLatency: 700, slow: true, note: "seen" }, { responseLatency: 3, slow: false, note: "seen" }, {}, records[3], records[4]]);
  assert.deepEqual(run.fates, [{ kind: "sent", output: "errors" }, { kind: "kept" }, { kind: "kept" }, { kind: "dropped" }, { kind: "rejected", reason: "responseLatency is negative" }]);
  assert.deepEqual(run.told, { lines: [{ level: "info", message: "1 slow" }], counters: { slow_calls: 1 } });
  assert.deepEqual([...run.outcome.patches[0].rows], [0, 1]);
});

test("a batch in which nothing happens costs nothing", () => {
  const outcome = harness(plugin({ reads: { a: text("a") }, writes: { b: text("b") }, record() {} })).run([{ a: "x" }, {}]).outcome;
  assert.deepEqual(outcome, { verdicts: undefined, patches: [], rejects: [] });
});

test("every kind comes and goes", () => {
  const fields = { t: text("t"), i: integer("i"), f: float("f"), b: boolean("b"), j: json("j") };
  const copy = plugin({
    reads: fields,
    writes: { t: text("o.t"), i: integer("o.i"), f: float("o.f"), b: boolean("o.b"), j: json("o.j") },
    record(row, out) {
      for (const name of Object.keys(fields)) if (row[name] !== undefined) out[name].set(row[name]);
    },
  });
  const values = [{ t: "é\u{1f600}", i: -7, f: 1.5, b: false, j: [{ a: null }] }, { t: "", i: 2 ** 53 - 1, f: -0.1, b: true, j: "x" }, { t: 1, i: "1", f: true, b: 0, j: null }];
  const { records } = harness(copy).run(values);
  assert.deepEqual(records.map((record) => record.o), [values[0], values[1], undefined]);
});

test("a column with more than ASCII has the same values", () => {
  const echo = plugin({ reads: { a: text("a") }, writes: { b: text("b") }, record: (row, out) => void (row.a !== undefined && out.b.set(`${row.a}!`)) });
  const values = ["plain", "été", "\u{feff}", undefined, "\u{1f600}\u0000", ""];
  const { records } = harness(echo).run(values.map((a) => ({ a })));
  assert.deepEqual(records.map((record) => record.b), values.map((a) => (a === undefined ? undefined : `${a}!`)));
  const lone = harness(plugin({ writes: { b: text("b") }, record: (row, out) => void out.b.set("\ud83d") })).run([{}, {}]);
  assert.deepEqual(lone.records, [{ b: "\ufffd" }, { b: "\ufffd" }]);
});

test("batches: columns, rows in order, verdicts", () => {
  const upper = plugin({
    reads: { name: text("name"), whole: json(".") },
    writes: { name: text("name") },
    drops: true,
    batch(batch, out) {
      const { name, whole } = batch.columns;
      for (let row = 0; row < batch.rows; row++) {
        if (!name.isPresent(row)) batch.verdict(row, drop);
        else if (name.bytes(row)[0] === 97) out.name.at(row).set(name.value(row).toUpperCase() + whole.text(row).length);
      }
      assert.equal(name.value(batch.rows), undefined);
      assert.equal(name.value(-1), undefined);
    },
  });
  const run = harness(upper).run([{ name: "ab" }, {}, { name: "b" }]);
  assert.deepEqual(run.records, [{ name: "AB13" }, {}, { name: "b" }]);
  assert.equal(run.fates[1].kind, "dropped");
  const backwards = plugin({
    writes: { a: text("a") },
    batch(batch, out) {
      out.a.at(1).set("x");
      out.a.at(0).set("y");
    },
  });
  assert.throws(() => harness(backwards).run([{}, {}]), /a: row 0 after row 1/);
});

test("what breaks the declaration is an error, and the next batch is clean", () => {
  const wrong = plugin({
    reads: { what: text("what") },
    writes: { a: text("a") },
    record(row, out) {
      out.a.set("x");
      if (row.what === "drop") return drop;
      if (row.what === "to") return to("nowhere");
      if (row.what === "kind") out.a.set(7);
      if (row.what === "verdict") return "drop";
    },
  });
  const ready = harness(wrong);
  for (const [what, message] of [["drop", /does not declare that it does/], ["to", /output nowhere, but declares none/], ["kind", /a: expected a string, found 7/], ["verdict", /expected a verdict/]]) {
    assert.throws(() => ready.run([{}, { what }]), message);
  }
  assert.deepEqual(ready.run([{}]).records, [{ a: "x" }]);
  assert.throws(() => plugin({ record() {}, reed: {} }), /unknown key reed/);
  assert.throws(() => plugin({}), /either `record`/);
});

test("configuration errors name the key", () => {
  const { any, boolean, integer, list, map, number, object, oneOf, string } = config;
  const schema = object({
    owners: map(string()),
    rules: list(object({ share: number({ min: 0, max: 1 }), mode: oneOf("keep", "drop") })).default([]),
    size: integer({ min: 1 }).default(3),
    strict: boolean().optional(),
    name: string().check((name) => (name === "" ? "it is empty" : undefined)).optional(),
    rest: any().optional(),
  });
  const told = (given) => {
    try {
      harness(plugin({ config: schema, record() {} }), given);
      return "sound";
    } catch (error) {
      return error.message;
    }
  };
  assert.equal(told({ owners: { cio: "x" }, rules: [{ share: 0.5, mode: "keep" }], strict: null }), "sound");
  assert.equal(told({ owners: { cio: 7 } }), "configuration key owners.cio: expected a string, found 7");
  assert.equal(told({ owners: [] }), "configuration key owners: expected a map, found a list");
  assert.equal(told({}), "configuration key owners: it is missing; expected a map");
  assert.equal(told({ owners: {}, rules: [{ share: 2, mode: "keep" }] }), "configuration key rules[0].share: expected a number from 0 to 1, found 2");
  assert.equal(told({ owners: {}, rules: [{ share: 1, mode: "k" }] }), 'configuration key rules[0].mode: expected one of "keep", "drop", found "k"');
  assert.equal(told({ owners: {}, size: 1.5 }), "configuration key size: expected a whole number of at least 1, found 1.5");
  assert.equal(told({ owners: {}, name: "" }), "configuration key name: it is empty");
  assert.match(told({ owners: {}, onwers: {} }), /^configuration key onwers: unknown key; expected `owners`, /);
  assert.equal(told([]), "configuration: expected a map, found a list");
  assert.match(told({ owners: JSON.parse('{"__proto__": "x"}') }), /sound/);
});

test("fields and outputs follow from the configuration", () => {
  const moved = plugin({
    reads: { a: text("a"), b: text("b") },
    writes: { c: text("c") },
    config: (given) => given,
    outputs: (state) => state.outputs,
    path: (name, state) => state.paths[name],
    record: (row, out) => void out.c.set(`${row.a}/${row.b}`),
  });
  const ready = harness(moved, { outputs: ["x"], paths: { a: null, b: "deep.b" } });
  assert.deepEqual([ready.reads, ready.writes, ready.signature.outputs], [["deep.b"], ["c"], ["x"]]);
  assert.deepEqual(ready.run([{ deep: { b: 1 }, a: "x" }, { deep: { b: "y" } }]).records.map((record) => record.c), ["undefined/undefined", "undefined/y"]);
});
