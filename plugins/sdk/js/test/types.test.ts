// What the types allow and refuse: `tsc --noEmit` checks it, each `@ts-expect-error` must be one.

import { config, drop, integer, plugin, text, to } from "@tamis/plugin";

plugin({
  reads: { owner: text("ApiOwner"), status: integer("HTTP_ReturnCode") },
  writes: { tenant: text("tenant") },
  outputs: ["errors"],
  drops: true,
  config: config.object({ owners: config.map(config.string()), limit: config.integer().default(1), name: config.string().optional() }),
  record(row, out, state) {
    const owner: string | undefined = row.owner;
    const status: number | undefined = row.status;
    const limit: number = state.limit;
    const name: string | undefined = state.name;
    // @ts-expect-error a field that was not declared
    row.path;
    // @ts-expect-error a field may be missing
    row.owner.length;
    // @ts-expect-error the field is text
    out.tenant.set(7);
    if (status !== undefined && status >= limit) return to("errors");
    if (owner === undefined) return drop;
    out.tenant.set(state.owners.get(owner) ?? name ?? "unknown");
  },
});
