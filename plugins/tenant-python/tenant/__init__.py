"""The tenant of a record, by a table from its owner, its tenant domain or its context. See the README for the configuration."""

from __future__ import annotations

from dataclasses import dataclass, field as member

from tamis_plugin import CaselessMap, ConfigError, Plugin, Reads, Text, Verdict, Writes, field, key


@dataclass(frozen=True)
class Config:
    """The step's configuration."""

    owners: dict[str, str] = member(default_factory=dict)
    """Owner code to tenant. Codes are compared whatever their case and never trimmed."""
    domains: dict[str, str] = member(default_factory=dict)
    """Tenant domain to tenant, for `domain`, `context` and `user`."""
    default: str | None = None
    """The tenant of a record that no table knows; without one the record is left as it is."""
    source: str = key("from", default="ApiOwner")
    """The field that holds the owner code."""
    context: str | None = None
    """The field that holds an API context, in which `/t/<domain>/` names the tenant domain."""
    domain: str | None = None
    """The field that holds a tenant domain as it is."""
    user: str | None = None
    """The field that holds an account, `user@<domain>`."""
    to: str = "tenant"
    """The field that takes the tenant."""


class In(Reads):
    """What is read; the configuration gives the paths."""

    owner: bytes | None = field("from")
    domain: bytes | None
    context: bytes | None
    user: bytes | None


class Out(Writes):
    """What is written; the configuration gives the path."""

    tenant: Text = field("to")


class Tenant(Plugin[Config, In, Out]):
    """The plugin."""

    def __init__(self, config: Config) -> None:
        if not config.owners and not config.domains and config.default is None:
            raise ConfigError(
                "no table is given; set `owners` (owner code: tenant), or `domains` with `domain`, `context` or `user`, or at least "
                "`default`"
            )
        fields = {"context": config.context, "domain": config.domain, "user": config.user}
        if config.domains and not any(path is not None for path in fields.values()):
            raise ConfigError(
                "it is used by no field; set `domain` (a field that holds a tenant domain), `context` (a field that holds /t/<domain>/) "
                "or `user` (a field that holds user@<domain>)",
                "domains",
            )
        for name, path in fields.items():
            if path is not None and not config.domains:
                raise ConfigError("`domains` (tenant domain: tenant) is empty, so it finds nothing", name)
        self.owners = CaselessMap(config.owners)
        self.domains = CaselessMap(config.domains)
        self.default = config.default
        self.paths = {"from": config.source if config.owners else None, "to": config.to, **fields}

    def path(self, declared: str) -> str | None:
        return self.paths[declared]

    def record(self, row: In, out: Out) -> Verdict | None:
        tenant = None
        if (owner := row.owner) is not None:
            tenant = self.owners.get(owner)
        if tenant is None and (domain := row.domain) is not None:
            tenant = self.domains.get(domain)
        if tenant is None and (context := row.context) is not None and (domain := domain_in(context)) is not None:
            tenant = self.domains.get(domain)
        if tenant is None and (user := row.user) is not None and (domain := domain_of(user)) is not None:
            tenant = self.domains.get(domain)
        if tenant is None:
            tenant = self.default
        if tenant is not None:
            out.tenant.set(tenant)
        return None


WHITE = b" \t\n\r\x0c"


def domain_in(context: bytes) -> bytes | None:
    """The tenant domain that an API context begins with: `/t/<domain>/…`, `/t/<domain>`, with or without the first
    slash; a query does not belong to it."""
    context = context.lstrip(WHITE).removeprefix(b"/")
    if not context.startswith(b"t/"):
        return None
    domain = context[2:]
    for end in b"/", b"?", b"#", b";":
        domain = domain.partition(end)[0]
    return domain.strip(WHITE) or None


def domain_of(user: bytes) -> bytes | None:
    """The tenant domain of an account: what follows the last `@`, since the user may be an e-mail address."""
    _, at, domain = user.rpartition(b"@")
    return domain.strip(WHITE) if at else None
