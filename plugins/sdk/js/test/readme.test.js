import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { harness } from "@tamis/plugin/testing";

const readme = await readFile(new URL("../README.md", import.meta.url), "utf8");

/** The module of an example, with its imports pointing at what they mean. */
function example(name, others = {}) {
  let code = new RegExp(`\`\`\`js ${name}\n(.*?)\`\`\``, "s").exec(readme)[1];
  const targets = { "@tamis/plugin": import.meta.resolve("@tamis/plugin"), "@tamis/plugin/testing": import.meta.resolve("@tamis/plugin/testing"), ...others };
  for (const [name, url] of Object.entries(targets)) code = code.replaceAll(`from "${name}"`, `from ${JSON.stringify(url)}`);
  return `data:text/javascript,${encodeURIComponent(code)}`;
}

const slowCalls = example("plugin");

// The example's own test runs along with this file's.
await import(example("test", { "../src/index.js": slowCalls }));

test("the first example does what it says", async () => {
  const run = harness((await import(slowCalls)).default, { slow_ms: 1 }).run([{ destination: { http: { method: "OPTIONS" } } }, { responseLatency: -1 }]);
  assert.deepEqual(run.fates, [{ kind: "dropped" }, { kind: "rejected", reason: "responseLatency is negative" }]);
});

test("the example of batches does what it says", async () => {
  const run = harness((await import(example("batch"))).default).run([{ name: "abc" }, { name: "xyz" }, {}]);
  assert.deepEqual(run.records, [{ name: "ABC" }, { name: "xyz" }, {}]);
});
