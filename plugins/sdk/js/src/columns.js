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

class VariableColumn extends Column {
  /** The whole column as one string where every character is one byte; `undefined` before the first value, and where not. */
  ascii = undefined;
  decoded = false;
  offsets = undefined;

  open(column, rows) {
    super.open(column, rows);
    this.ascii = undefined;
    this.decoded = false;
    this.offsets = this.values?.offsets;
  }

  // The busiest line of most plugins: what it needs is written out.
  slice(row) {
    const { ascii, present, offsets } = this;
    if (ascii === undefined || !(row < this.rows)) return this.first(row);
    if (present !== undefined && ((present[row >> 3] >> (row & 7)) & 1) === 0) return undefined;
    return ascii.substring(offsets[row], offsets[row + 1]);
  }

  /** The first value of a column, and those of one that has more than ASCII. */
  first(row) {
    if (!this.isPresent(row)) return undefined;
    if (!this.decoded) {
      const text = decode(this.values.bytes);
      this.ascii = text.length === this.values.bytes.length ? text : undefined;
      this.decoded = true;
      return this.slice(row);
    }
    return decode(this.bytes(row));
  }

  bytes(row) {
    if (!this.isPresent(row)) return undefined;
    const { offsets, bytes } = this.values;
    return bytes.subarray(offsets[row], offsets[row + 1]);
  }
}

class TextColumn extends VariableColumn {
  value(row) {
    return this.slice(row);
  }
}

class JsonColumn extends VariableColumn {
  value(row) {
    const text = this.slice(row);
    return text === undefined ? undefined : JSON.parse(text);
  }

  text(row) {
    return this.slice(row);
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

/** One object for all rows, with a getter for each declared field: reading a row allocates nothing. `cursor.at` is the row, `shown` says which fields the configuration did not leave out. */
export function rowOf(columns, shown, cursor) {
  const view = {};
  for (const [name, column] of Object.entries(columns)) {
    const field = shown(name) ? { get: () => column.value(cursor.at) } : { value: undefined };
    Object.defineProperty(view, name, { enumerable: true, ...field });
  }
  return Object.freeze(view);
}
