import assert from "node:assert/strict";
import { test } from "node:test";
import { harness } from "@tamis/plugin/testing";
import tenant from "../src/index.ts";

function tenants(config: unknown, records: unknown[]) {
  return harness(tenant, config).run(records).records.map((record) => record.tenant ?? null);
}

test("owners in any case and never trimmed", () => {
  const found = tenants({ owners: { cio: "corporate", s7_: "mail" } }, [
    { ApiOwner: "cio" },
    { ApiOwner: "S7_", tenant: "old" },
    { ApiOwner: "s7", tenant: "old" },
    { ApiOwner: 7 },
    {},
  ]);
  assert.deepEqual(found, ["corporate", "mail", "old", null, null]);
});

test("only the case of ASCII letters is nothing", () => {
  assert.deepEqual(tenants({ owners: { "été": "summer", k: "kelvin" } }, [{ ApiOwner: "éTé" }, { ApiOwner: "ÉTÉ" }, { ApiOwner: "\u212a" }]), ["summer", null, null]);
});

test("a default for the rest", () => {
  assert.deepEqual(tenants({ owners: { cio: "corporate" }, default: "unknown" }, [{ ApiOwner: "CIO" }, { ApiOwner: "x" }, {}]), ["corporate", "unknown", "unknown"]);
});

test("the owner goes before the domain and that before the context", () => {
  const config = {
    owners: { cio: "corporate" },
    domains: { "colis.example": "parcel", "courrier.example": "mail" },
    domain: "api.tenantDomain",
    context: "apiContext",
    user: "userName",
  };
  const found = tenants(config, [
    { ApiOwner: "cio", api: { tenantDomain: "colis.example" } },
    { ApiOwner: "zzz", api: { tenantDomain: "COLIS.example" }, apiContext: "/t/courrier.example/a" },
    { api: { tenantDomain: "carbon.super" }, apiContext: "/t/courrier.example/suivi/v1" },
    { apiContext: "t/courrier.example" },
    { apiContext: "/suivi/t/courrier.example/v1" },
    { apiContext: "/t//v1" },
    { apiContext: "/t/colis.example?x=1" },
    { userName: "jean@mail.example@colis.example" },
    { userName: "jean@courrier.example", apiContext: "/t/colis.example/v1" },
    { userName: "colis.example" },
  ]);
  assert.deepEqual(found, ["corporate", "parcel", "mail", "mail", null, null, "parcel", "parcel", "parcel", null]);
});

test("only what is configured is asked for", () => {
  const owners = harness(tenant, { owners: { a: "b" }, from: "x.owner", to: "x.tenant" });
  assert.deepEqual([owners.reads, owners.writes], [["x.owner"], ["x.tenant"]]);
  assert.deepEqual(harness(tenant, { domains: { a: "b" }, context: "apiContext" }).reads, ["apiContext"]);
});

test("configuration errors name the key", () => {
  const error = (config: unknown, message: RegExp) => assert.throws(() => harness(tenant, config), { message });
  error({ owners: { cio: 7 } }, /^configuration key owners\.cio: expected a string, found 7$/);
  error({}, /set `owners`/);
  error({ domains: { a: "b" } }, /^configuration key domains: /);
  error({ owners: { a: "b" }, context: "apiContext" }, /^configuration key context: /);
  error({ owner: {} }, /^configuration key owner: unknown key/);
});
