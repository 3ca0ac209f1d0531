// Columns as a plugin reads them. Nothing is decoded before the plugin asks for a value; then a column is decoded once, and
// the values are slices of that text.

import { decode } from "./bytes.js";

class Column {
  constructor(kind) {
    this.kind = kind;
    this.rows = 0;
    this.values = undefined;
    this.present = undefined;
  }

  /** Takes the next batch's column; `undefined` for a field that the configuration left out. */
  open(column, rows) {
    this.rows = rows;
    this.values = column?.values.val;
    this.present = column?.present ?? undefined; // The engine says `null` for none.
  }

  isPresent(row) {
    if (this.values === undefined || row < 0 || row >= this.rows) return false;
    const present = this.present;
    return present === undefined || ((present[row >> 3] >> (row & 7)) & 1) === 1;
  }
}

class TextColumn extends Column {
  /** The whole column as one string where every character is one byte, else `undefined`. */
  ascii = undefined;
  decoded = false;

  open(column, rows) {
    super.open(column, rows);
    this.ascii = undefined;
    this.decoded = false;
  }

  value(row) {
    if (!this.isPresent(row)) return undefined;
    if (!this.decoded) this.#decode();
    const { offsets } = this.values;
    return this.ascii === undefined ? decode(this.bytes(row)) : this.ascii.substring(offsets[row], offsets[row + 1]);
  }

  bytes(row) {
    if (!this.isPresent(row)) return undefined;
    const { offsets, bytes } = this.values;
    return bytes.subarray(offsets[row], offsets[row + 1]);
  }

  #decode() {
    const text = decode(this.values.bytes);
    this.ascii = text.length === this.values.bytes.length ? text : undefined;
    this.decoded = true;
  }
}

class JsonColumn extends TextColumn {
  value(row) {
    const text = super.value(row);
    return text === undefined ? undefined : JSON.parse(text);
  }

  text(row) {
    return super.value(row);
  }
}

class FloatColumn extends Column {
  value(row) {
    return this.isPresent(row) ? this.values[row] : undefined;
  }
}

class IntegerColumn extends Column {
  value(row) {
    if (!this.isPresent(row)) return undefined;
    // The engine gives 64-bit numbers as numbers, and one beyond 2^53 rounded: no value is better than a wrong one.
    const value = this.values[row];
    return Number.isSafeInteger(value) ? value : undefined;
  }
}

class BooleanColumn extends Column {
  value(row) {
    return this.isPresent(row) ? this.values[row] === 1 : undefined;
  }
}

const KINDS = { text: TextColumn, json: JsonColumn, float: FloatColumn, integer: IntegerColumn, boolean: BooleanColumn };

export const columnOf = (kind) => new KINDS[kind](kind);

/** One object for all rows, with a getter for each declared field: reading a row allocates nothing. */
export function rowOf(columns) {
  const row = { at: 0 };
  const view = {};
  for (const [name, column] of Object.entries(columns)) {
    Object.defineProperty(view, name, { enumerable: true, get: () => column.value(row.at) });
  }
  return { row, view: Object.freeze(view) };
}
