// From a plugin's outcome back to JSON records, with the checks a host makes.

import { decode } from "../bytes.js";
import { DROP } from "../verdict.js";
import { parsePath, remove, set } from "./path.js";

export function fatesOf(signature, outcome, rows) {
  const fates = Array.from({ length: rows }, () => ({ kind: "kept" }));
  outcome.verdicts?.forEach((verdict, row) => {
    if (verdict === DROP) fates[row] = { kind: "dropped" };
    else if (verdict > 0) fates[row] = { kind: "sent", output: signature.outputs[verdict - 1] };
  });
  for (const { row, reason } of outcome.rejects) fates[row] = { kind: "rejected", reason };
  return fates;
}

/** The records with the patches of those that go on. */
export function patched(signature, outcome, fates, records) {
  const after = structuredClone(records);
  for (const { field, rows, column } of outcome.patches) {
    const { path } = signature.writes[field];
    const parts = parsePath(path);
    const places = rows ?? records.keys();
    let index = 0;
    for (const row of places) {
      const value = valueAt(column, index++);
      if (fates[row].kind !== "kept" && fates[row].kind !== "sent") continue;
      if (parts.length === 0) after[row] = value ?? after[row];
      else if (value === undefined) remove(after[row], parts);
      else if (!set(after[row], parts, value)) throw new Error(`${path}: row ${row} has a value of another form on the way`);
    }
  }
  return after;
}

function valueAt({ values: { tag, val }, present }, index) {
  if (present !== undefined && ((present[index >> 3] >> (index & 7)) & 1) === 0) return undefined;
  switch (tag) {
    case "text":
      return decode(val.bytes.subarray(val.offsets[index], val.offsets[index + 1]));
    case "json":
      return JSON.parse(decode(val.bytes.subarray(val.offsets[index], val.offsets[index + 1])));
    case "boolean":
      return val[index] === 1;
    default:
      return val[index];
  }
}
