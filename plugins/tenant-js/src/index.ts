// Adds the tenant to each record, from tables of owners and of tenant domains. See the README for the configuration.

import { config, plugin, text } from "@tamis/plugin";
import { domainIn, domainOf } from "./domain.ts";

const { fail, map, object, string } = config;

const schema = object({
  /** Owner code to tenant. Codes are compared whatever their case and never trimmed. */
  owners: map(string()).default(new Map()),
  /** Tenant domain to tenant, for `domain`, `context` and `user`. */
  domains: map(string()).default(new Map()),
  /** The tenant of a record that no table knows; without one the record is left as it is. */
  default: string().optional(),
  /** The field that holds the owner code. */
  from: string().default("ApiOwner"),
  /** The field that holds an API context, in which `/t/<domain>/` names the tenant domain. */
  context: string().optional(),
  /** The field that holds a tenant domain as it is. */
  domain: string().optional(),
  /** The field that holds an account, `user@<domain>`. */
  user: string().optional(),
  /** The field that takes the tenant. */
  to: string().default("tenant"),
});

export default plugin({
  reads: { owner: text("from"), domain: text("domain"), context: text("context"), user: text("user") },
  writes: { tenant: text("to") },
  config: schema,

  setup(given) {
    const { owners, domains, context, domain, user } = given;
    if (owners.size === 0 && domains.size === 0 && given.default === undefined) {
      fail("", "no table is given; set `owners` (owner code: tenant), or `domains` with `domain`, `context` or `user`, or at least `default`");
    }
    if (domains.size > 0 && context === undefined && domain === undefined && user === undefined) {
      fail(
        "domains",
        "it is used by no field; set `domain` (a field that holds a tenant domain), `context` (a field that holds /t/<domain>/) or " +
          "`user` (a field that holds user@<domain>)",
      );
    }
    for (const [key, field] of Object.entries({ context, domain, user })) {
      if (field !== undefined && domains.size === 0) fail(key, "`domains` (tenant domain: tenant) is empty, so it finds nothing");
    }
    return {
      owners: new CaselessMap(owners),
      domains: new CaselessMap(domains),
      fallback: given.default,
      paths: { owner: owners.size === 0 ? null : given.from, domain: domain ?? null, context: context ?? null, user: user ?? null, tenant: given.to },
    };
  },

  path: (name, { paths }) => paths[name],

  record(row, out, { owners, domains, fallback }) {
    const tenant =
      owners.get(row.owner) ?? domains.get(row.domain) ?? domains.get(domainIn(row.context)) ?? domains.get(domainOf(row.user)) ?? fallback;
    if (tenant !== undefined) out.tenant.set(tenant);
  },
});

/** A table that is looked up whatever the case of ASCII letters. */
class CaselessMap {
  readonly #values = new Map<string, string>();
  /** Spellings met so far: most records repeat them, and a look-up is cheaper than lowering each. */
  readonly #met = new Map<string, string | undefined>();

  constructor(entries: Map<string, string>) {
    for (const [key, value] of entries) this.#values.set(lower(key), value);
  }

  get(key: string | undefined): string | undefined {
    if (key === undefined || this.#values.size === 0) return undefined;
    const met = this.#met.get(key);
    if (met !== undefined) return met;
    const found = this.#values.get(lower(key));
    if (found !== undefined && this.#met.size < MET_MAX) this.#met.set(key, found);
    return found;
  }
}

/** Spellings remembered, so that hostile ones do not fill the memory. */
const MET_MAX = 1024;

function lower(text: string): string {
  return text.replace(/[A-Z]+/g, (letters) => letters.toLowerCase());
}
