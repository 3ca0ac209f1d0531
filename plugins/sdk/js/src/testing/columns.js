// From JSON records to the columns that a plugin declared, as the host shows them.

import { encode } from "../bytes.js";
import { get, parsePath } from "./path.js";

const READ = {
  text: (value) => (typeof value === "string" ? encode(value) : undefined),
  json: (value) => encode(JSON.stringify(value)),
  integer: (value) => (Number.isSafeInteger(value) ? value : undefined),
  float: (value) => (typeof value === "number" ? value : undefined),
  boolean: (value) => (typeof value === "boolean" ? Number(value) : undefined),
};

const COLUMN = {
  text: variable,
  json: variable,
  integer: (values) => values.map((value) => value ?? 0),
  float: (values) => Float64Array.from(values, (value) => value ?? 0),
  boolean: (values) => Uint8Array.from(values, (value) => value ?? 0),
};

export function batchOf(fields, records) {
  const columns = fields.map(({ path, kind }) => {
    const parts = parsePath(path);
    const values = records.map((record) => {
      const value = get(record, parts);
      return value === undefined || value === null ? undefined : READ[kind](value);
    });
    return { values: { tag: kind, val: COLUMN[kind](values) }, present: bitmap(values) };
  });
  return { rows: records.length, columns };
}

function variable(values) {
  const offsets = new Uint32Array(values.length + 1);
  values.forEach((value, i) => {
    offsets[i + 1] = offsets[i] + (value?.length ?? 0);
  });
  const bytes = new Uint8Array(offsets[values.length]);
  values.forEach((value, i) => value && bytes.set(value, offsets[i]));
  return { offsets, bytes };
}

function bitmap(values) {
  if (values.every((value) => value !== undefined)) return undefined;
  const bits = new Uint8Array((values.length + 7) >> 3);
  values.forEach((value, i) => {
    if (value !== undefined) bits[i >> 3] |= 1 << (i & 7);
  });
  return bits;
}
