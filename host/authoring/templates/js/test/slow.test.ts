import assert from "node:assert/strict";
import { test } from "node:test";
import { harness } from "@tamis/plugin/testing";
import slowCalls from "../src/index.ts";

test("calls are slow from the limit on", () => {
  const run = harness(slowCalls, { slow_ms: 500 }).run([{ responseLatency: 499 }, { responseLatency: 500 }, {}]);
  assert.deepEqual(run.records, [{ responseLatency: 499, slow: false }, { responseLatency: 500, slow: true }, {}]);
});

test("a limit that is none is refused", () => {
  assert.throws(() => harness(slowCalls, { slow_ms: 0 }), /slow_ms/);
});
