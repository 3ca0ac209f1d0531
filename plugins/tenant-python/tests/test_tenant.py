"""The tests of plugins/tenant."""

from __future__ import annotations

import unittest
from typing import Any

from tamis_plugin import ConfigError
from tamis_plugin.testing import harness

from tenant import Tenant


def tenants(config: Any, records: list[Any]) -> list[Any]:
    run = harness(Tenant, config).run(records)
    return [record.get("tenant") for record in run.records]


class TenantTest(unittest.TestCase):
    def test_owners_in_any_case_and_never_trimmed(self) -> None:
        found = tenants(
            {"owners": {"cio": "corporate", "s7_": "mail"}},
            [{"ApiOwner": "cio"}, {"ApiOwner": "S7_", "tenant": "old"}, {"ApiOwner": "s7", "tenant": "old"}, {"ApiOwner": 7}, {}],
        )
        self.assertEqual(found, ["corporate", "mail", "old", None, None])

    def test_letters_beyond_ascii_keep_their_case(self) -> None:
        found = tenants({"owners": {"é1": "corporate"}}, [{"ApiOwner": "é1"}, {"ApiOwner": "É1"}])
        self.assertEqual(found, ["corporate", None])

    def test_a_default_for_the_rest(self) -> None:
        found = tenants({"owners": {"cio": "corporate"}, "default": "unknown"}, [{"ApiOwner": "CIO"}, {"ApiOwner": "x"}, {}])
        self.assertEqual(found, ["corporate", "unknown", "unknown"])

    def test_the_owner_goes_before_the_domain_and_that_before_the_context(self) -> None:
        config = {
            "owners": {"cio": "corporate"},
            "domains": {"colis.example": "parcel", "courrier.example": "mail"},
            "domain": "api.tenantDomain",
            "context": "apiContext",
            "user": "userName",
        }
        records = [
            {"ApiOwner": "cio", "api": {"tenantDomain": "colis.example"}},
            {"ApiOwner": "zzz", "api": {"tenantDomain": "COLIS.example"}, "apiContext": "/t/courrier.example/a"},
            {"api": {"tenantDomain": "carbon.super"}, "apiContext": "/t/courrier.example/suivi/v1"},
            {"apiContext": "t/courrier.example"},
            {"apiContext": "/suivi/t/courrier.example/v1"},
            {"apiContext": "/t//v1"},
            {"apiContext": "/t/colis.example?x=1"},
            {"userName": "jean@mail.example@colis.example"},
            {"userName": "jean@courrier.example", "apiContext": "/t/colis.example/v1"},
            {"userName": "colis.example"},
        ]
        self.assertEqual(
            tenants(config, records),
            ["corporate", "parcel", "mail", "mail", None, None, "parcel", "parcel", "parcel", None],
        )

    def test_only_what_is_configured_is_asked_for(self) -> None:
        owners = harness(Tenant, {"owners": {"a": "b"}, "from": "x.owner", "to": "x.tenant"})
        self.assertEqual((owners.reads, owners.writes), (["x.owner"], ["x.tenant"]))
        context = harness(Tenant, {"domains": {"a": "b"}, "context": "apiContext"})
        self.assertEqual(context.reads, ["apiContext"])

    def test_configuration_errors_name_the_key(self) -> None:
        def error(config: Any) -> str:
            with self.assertRaises(ConfigError) as raised:
                harness(Tenant, config)
            return str(raised.exception)

        self.assertEqual(error({"owners": {"cio": 7}}), "configuration key owners.cio: expected a string, found 7")
        self.assertIn("set `owners`", error({}))
        self.assertTrue(error({"domains": {"a": "b"}}).startswith("configuration key domains: "))
        self.assertTrue(error({"owners": {"a": "b"}, "context": "apiContext"}).startswith("configuration key context: "))
        self.assertTrue(error({"owner": {}}).startswith("configuration key owner: unknown key; did you mean `owners`?"))


if __name__ == "__main__":
    unittest.main()
