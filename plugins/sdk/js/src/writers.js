// Writers of patches. They hold the touched rows only; the last call for a row counts.

import { encode } from "./bytes.js";

const FITS = {
  text: [(value) => typeof value === "string", "a string"],
  integer: [Number.isSafeInteger, "a whole number within ±(2^53 - 1)"],
  float: [Number.isFinite, "a finite number"],
  boolean: [(value) => typeof value === "boolean", "true or false"],
  json: [(value) => value !== undefined && typeof value !== "function" && typeof value !== "symbol", "a value that JSON knows"],
};

export class Writer {
  #name;
  #kind;
  #fits;
  #cursor;
  #rows = [];
  #values = [];
  #removes = false;

  /** `cursor.at` is the row that is written; several writers may share one. */
  constructor(name, kind, cursor) {
    this.#name = name;
    this.#kind = kind;
    this.#fits = FITS[kind][0];
    this.#cursor = cursor;
  }

  /** Goes to a row. */
  at(row) {
    this.#cursor.at = row;
    return this;
  }

  set(value) {
    if (!this.#fits(value)) throw new TypeError(`${this.#name}: expected ${FITS[this.#kind][1]}, found ${typeof value === "string" ? "a string" : String(value)}`);
    this.#put(this.#kind === "json" ? JSON.stringify(value) : value);
  }

  remove() {
    this.#removes = true;
    this.#put(undefined);
  }

  /** Takes back what was written for the row. */
  undo() {
    const last = this.#rows.length - 1;
    if (last >= 0 && this.#rows[last] === this.#cursor.at) {
      this.#rows.pop();
      this.#values.pop();
    }
  }

  #put(value) {
    const rows = this.#rows;
    const row = this.#cursor.at;
    const last = rows[rows.length - 1];
    if (last === row) {
      this.#values[rows.length - 1] = value;
      return;
    }
    if (!(row >= 0) || row < last) throw new Error(`${this.#name}: row ${row} after row ${last}; rows are written in ascending order`);
    rows.push(row);
    this.#values.push(value);
  }

  /** The patch of the batch's `count` rows for the signature's `field`, and an empty writer; `undefined` where no row was touched. */
  take(field, count) {
    const rows = this.#rows;
    const values = this.#values;
    const removes = this.#removes;
    this.#rows = [];
    this.#values = [];
    this.#removes = false;
    if (rows.length === 0 || field === undefined) return undefined;
    if (rows[rows.length - 1] >= count) throw new Error(`${this.#name}: row ${rows[rows.length - 1]} of a batch of ${count} rows`);
    return {
      field,
      rows: rows.length === count ? undefined : Uint32Array.from(rows),
      column: { values: { tag: this.#kind, val: lower[this.#kind](values) }, present: removes ? bitmap(values) : undefined },
    };
  }
}

const lower = {
  text: varValues,
  json: varValues,
  integer: (values) => values.map((value) => value ?? 0),
  float: (values) => Float64Array.from(values, (value) => value ?? 0),
  boolean: (values) => Uint8Array.from(values, Number),
};

function varValues(values) {
  const offsets = new Uint32Array(values.length + 1);
  let end = 0;
  for (let i = 0; i < values.length; i++) {
    const value = values[i];
    if (value !== undefined) end += value.length;
    offsets[i + 1] = end;
  }
  // `join` takes `undefined` as nothing.
  const bytes = encode(values.join(""));
  if (bytes.length === end) return { offsets, bytes };
  // Not all characters are one byte: the ends are counted again. A lone surrogate becomes the replacement character, wherever it
  // stands, so values are encoded one by one.
  const parts = values.map((value) => encode(value ?? ""));
  end = 0;
  parts.forEach((part, i) => {
    end += part.length;
    offsets[i + 1] = end;
  });
  const all = new Uint8Array(end);
  parts.forEach((part, i) => all.set(part, offsets[i]));
  return { offsets, bytes: all };
}

function bitmap(values) {
  const bits = new Uint8Array((values.length + 7) >> 3);
  values.forEach((value, i) => {
    if (value !== undefined) bits[i >> 3] |= 1 << (i & 7);
  });
  return bits;
}
