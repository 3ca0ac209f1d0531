import assert from "node:assert/strict";
import { test } from "node:test";
import { get, parsePath, remove, set } from "../src/testing/path.js";

test("paths are read as the host does", () => {
  const record = { a: { b: [1, { "c.d": "x" }] } };
  const at = (path) => get(record, parsePath(path));
  assert.equal(at("a.b[0]"), 1);
  assert.equal(at('.a.b[1]."c.d"'), "x");
  assert.equal(at("."), record);
  assert.equal(at("a.b[2]"), undefined);
  assert.equal(at("a.b.c"), undefined);
  assert.equal(at("constructor"), undefined);
  for (const wrong of ["", "a.", "a..b", "a[x]", "a[0", '"a', "a[0]b"]) assert.throws(() => parsePath(wrong), undefined, wrong);
});

test("values are set and removed", () => {
  const record = { a: null, list: [1, 2] };
  const put = (path, value) => set(record, parsePath(path), value);
  assert.ok(put("a.b[1]", "x") && put("list[0]", 0) && !put("list.key", 0));
  assert.deepEqual(record, { a: { b: [null, "x"] }, list: [0, 2] });
  for (const path of ["a.b", "list[0]", "none.at.all"]) remove(record, parsePath(path));
  assert.deepEqual(record, { a: {}, list: [2] });
  assert.ok(put("__proto__.x", 1));
  assert.equal({}.x, undefined);
});
