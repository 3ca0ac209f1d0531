// Runs a plugin under Node on JSON records, with the columns and checks that a host has.

import { listen } from "../host.js";
import { fatesOf, patched } from "./apply.js";
import { batchOf } from "./columns.js";

export const harness = (plugin, config = {}) => new Harness(plugin, config);

class Harness {
  #running;

  constructor(plugin, config) {
    this.#running = plugin.start(JSON.stringify(config));
  }

  get signature() {
    return this.#running.signature;
  }

  get reads() {
    return this.signature.reads.map((field) => field.path);
  }

  get writes() {
    return this.signature.writes.map((field) => field.path);
  }

  run(records) {
    if (!Array.isArray(records)) throw new TypeError("expected an array of records");
    const told = { lines: [], counters: {} };
    const before = listen({
      write: (level, message) => told.lines.push({ level, message }),
      add: (name, delta) => {
        told.counters[name] = (told.counters[name] ?? 0) + delta;
      },
    });
    try {
      const outcome = this.#running.process(batchOf(this.signature.reads, records));
      const fates = fatesOf(this.signature, outcome, records.length);
      return { records: patched(this.signature, outcome, fates, records), fates, outcome, told };
    } finally {
      listen(before);
    }
  }
}
