// Marks calls that took long: `slow` is true from a number of milliseconds on, which the configuration sets.

import { boolean, config, integer, metrics, plugin, reject } from "@tamis/plugin";

export default plugin({
  // What is read. The host shows these fields and nothing else of a record; `undefined` is missing, null or of another kind.
  reads: { latencyMs: integer("responseLatency") },
  writes: { slow: boolean("slow") },

  config: config.object({
    /** Milliseconds from which a call is slow. */
    slow_ms: config.integer({ min: 1 }).default(1000),
  }),

  // What `record` gets as its third argument, made once.
  setup: ({ slow_ms }) => ({ slowMs: slow_ms, slow: 0 }),

  record({ latencyMs }, out, state) {
    // A field that is not set stays as it is.
    if (latencyMs === undefined) return;
    // To the dead letters, with this reason; the other records go on.
    if (latencyMs < 0) return reject("responseLatency is negative");
    const slow = latencyMs >= state.slowMs;
    if (slow) state.slow += 1;
    out.slow.set(slow);
  },

  batchDone(state) {
    metrics.add("slow_calls", state.slow);
    state.slow = 0;
  },
});
