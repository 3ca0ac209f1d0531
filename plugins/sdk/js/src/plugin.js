// From an author's declaration to what the contract wants: `init` and `process`.

import { columnOf, rowOf } from "./columns.js";
import { parse } from "./config.js";
import { DROP, OUTPUTS_MAX } from "./verdict.js";
import { Writer } from "./writers.js";

const KEYS = ["reads", "writes", "outputs", "drops", "config", "setup", "path", "record", "batch", "batchDone"];

export function plugin(declared) {
  for (const key of Object.keys(declared)) {
    if (!KEYS.includes(key)) throw new Error(`plugin: unknown key ${key}; expected ${KEYS.join(", ")}`);
  }
  if ((typeof declared.record === "function") === (typeof declared.batch === "function")) {
    throw new Error("plugin: expected either `record`, a function of a record, or `batch`, a function of a batch");
  }
  return Object.freeze({ start: (configText) => new Running(declared, configText) });
}

/** A plugin under a configuration. */
class Running {
  #declared;
  #state;
  #columns;
  #writers;
  #out;
  /** For each declared name its place in the signature; `undefined` where the configuration leaves it out. */
  #reads;
  #writes;
  #outputs;
  #row;
  /** The row that `record` looks at. */
  #cursor = { at: 0 };

  constructor(declared, configText) {
    const { reads = {}, writes = {}, outputs = [], drops = false } = declared;
    this.#declared = declared;
    const config = parse(configText, declared.config);
    this.#state = declared.setup ? declared.setup(config) : config;
    const shown = this.#place(reads);
    const written = this.#place(writes);
    this.#reads = shown.places;
    this.#writes = written.places;
    this.#columns = Object.fromEntries(Object.entries(reads).map(([name, field]) => [name, columnOf(field.kind)]));
    this.#writers = Object.entries(writes).map(([name, field]) => new Writer(name, field.kind, declared.record ? this.#cursor : { at: 0 }));
    this.#out = Object.freeze(Object.fromEntries(Object.keys(writes).map((name, i) => [name, this.#writers[i]])));
    this.#row = rowOf(this.#columns, (name) => this.#reads[Object.keys(reads).indexOf(name)] !== undefined, this.#cursor);
    const named = typeof outputs === "function" ? outputs(this.#state) : outputs;
    if (named.length > OUTPUTS_MAX) throw new Error(`${named.length} outputs, at most ${OUTPUTS_MAX} can be told apart`);
    this.#outputs = new Map(named.map((name, i) => [name, i + 1]));
    this.signature = { reads: shown.fields, writes: written.fields, outputs: [...named], drops };
  }

  #place(declared) {
    const fields = [];
    const places = Object.entries(declared).map(([name, field]) => {
      const path = this.#declared.path ? this.#declared.path(name, this.#state) : undefined;
      if (path === null) return undefined;
      fields.push({ path: path ?? field.path, kind: field.kind });
      return fields.length - 1;
    });
    return { fields, places };
  }

  process(batch) {
    const { rows } = batch;
    Object.values(this.#columns).forEach((column, i) => {
      const place = this.#reads[i];
      column.open(place === undefined ? undefined : batch.columns[place], rows);
    });
    const sieve = new Sieve(rows, this.#outputs, this.signature.drops);
    try {
      if (this.#declared.record) this.#records(rows, sieve);
      else this.#declared.batch({ rows, columns: this.#columns, verdict: (row, verdict) => sieve.put(row, verdict) }, this.#out, this.#state);
      this.#declared.batchDone?.(this.#state);
    } catch (error) {
      // What was written for a batch that fails must not turn up in the next one.
      this.#take(rows);
      throw error;
    }
    return { verdicts: sieve.verdicts, patches: this.#take(rows), rejects: sieve.rejects };
  }

  #records(rows, sieve) {
    const cursor = this.#cursor;
    const row = this.#row;
    const out = this.#out;
    const state = this.#state;
    const declared = this.#declared;
    for (let at = 0; at < rows; at++) {
      cursor.at = at;
      const verdict = declared.record(row, out, state);
      if (verdict !== undefined && sieve.put(at, verdict)) for (const writer of this.#writers) writer.undo();
    }
  }

  #take(rows) {
    const patches = [];
    for (let i = 0; i < this.#writers.length; i++) {
      const patch = this.#writers[i].take(this.#writes[i], rows);
      if (patch !== undefined) patches.push(patch);
    }
    return patches;
  }
}

/** Verdicts and rejects of a batch; the list of verdicts is made with the first that is not `keep`. */
class Sieve {
  verdicts = undefined;
  rejects = [];
  #rows;
  #outputs;
  #drops;

  constructor(rows, outputs, drops) {
    this.#rows = rows;
    this.#outputs = outputs;
    this.#drops = drops;
  }

  /** Notes a record's verdict; whether it takes back what was written for the record. */
  put(row, verdict) {
    if (!(row >= 0 && row < this.#rows)) throw new Error(`a verdict for row ${row} of ${this.#rows}`);
    switch (verdict?.kind) {
      case "keep":
        return false;
      case "to": {
        const place = this.#outputs.get(verdict.output);
        if (place === undefined) throw new Error(`the plugin sends a record to its output ${verdict.output}, but declares ${[...this.#outputs.keys()].join(", ") || "none"}`);
        this.#mark(row, place);
        return false;
      }
      case "drop":
        if (!this.#drops) throw new Error("the plugin drops a record, but does not declare that it does (`drops: true`)");
        this.#mark(row, DROP);
        return true;
      case "reject":
        this.rejects.push({ row, reason: verdict.reason });
        return true;
      default:
        throw new TypeError(`expected a verdict (keep, drop, to(…), reject(…)) or nothing, found ${typeof verdict}`);
    }
  }

  #mark(row, byte) {
    this.verdicts ??= new Uint8Array(this.#rows);
    this.verdicts[row] = byte;
  }
}
