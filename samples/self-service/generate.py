#!/usr/bin/env python3
"""Makes pipeline.yaml, input.ndjson and planted.txt of this sample; the same seed makes the same bytes.

Usage: python3 generate.py [TEAMS [RECORDS]]
Thirty teams share one host. Each has an API, a pipeline, a plugin with a grant of its own and a file of its own.
"""
import json, os, random, sys

TEAMS = int(sys.argv[1]) if len(sys.argv) > 1 else 30
RECORDS = int(sys.argv[2]) if len(sys.argv) > 2 else 300
HERE = os.path.dirname(os.path.abspath(__file__))
rng = random.Random(2026)

# What a team may choose: the component, what it is granted, its configuration, as YAML.
CATALOGUE = [
    ("tenant", "read: [ApiOwner], write: [tenant]", "owners: {{ {team}: {name} }}"),
    ("resource", "read: [destination.url.path], write: [resource]", "max_segments: {small}"),
    ("outcome", "read: [ErrorCode, HTTP_ReturnCode], write: [outcome]", "codes: {{ 900805: security-{team} }}"),
    ("pattern", "read: [Pattern], write: [Pattern]", "missing: none, aliases: {{ {name}-key: apikey }}"),
    ("calls-internet", "read: [CallsInternet, SourceAppel], write: [CallsInternet]", "also_internal: [198.51.100.{number}/32]"),
    ("share", "read: [ApiOwner, AppliOwner], write: [sharedWith]", "to: sharedWith"),
    ("sample", "read: [CORRELATION_ID, outcome, HTTP_ReturnCode], write: [sampleRate]", "share: 0.{digit}, seed: {team}"),
    ("drop", "read: [destination.http.method]", "rules: [{{ field: destination.http.method, in: [OPTIONS, HEAD] }}]"),
    ("channel", "read: [Origine], write: [channel]", "hosts: {{ gw1.main.example: main, '*': {name} }}"),
    ("redact", "read: [note], write: [note]", "fields: [note], names: [{team}-code]"),
]
NAMES = ["parcel", "letter", "stamp", "round", "agency", "locker", "customs", "claim", "route", "tariff"]


def team(number):
    return f"t{number:02}"


def pipeline():
    out = ["# Thirty teams in one host, each with its plugin, its grant and its file. Made by generate.py; see README.md beside this file.",
           "version: 1", "", "sources:", "  gateway:", "    type: file", '    paths: ["${TAMIS_INPUT:-samples/self-service/input.ndjson}"]', "",
           "plugins:", "  # The platform's guard-rail: it goes before every team's plugin, and no team can leave it out.",
           "  platform-redact:", "    component: ../../target/plugins/redact.wasm", "    grant: { read: [.], write: [.] }", "    on_failure: drop",
           "    config: { fields: [.], detectors: { ip: { mode: truncate } } }", ""]
    for n in range(1, TEAMS + 1):
        component, grant, config = CATALOGUE[(n - 1) % len(CATALOGUE)]
        config = config.format(team=team(n), name=NAMES[(n * 7) % len(NAMES)], number=n, small=2 + n % 5, digit=1 + n % 8)
        out += [f"  {team(n)}:", f"    component: ../../target/plugins/{component}.wasm", f"    grant: {{ {grant} }}",
                "    limits: { memory: 16MiB, deadline: 50ms }", f"    config: {{ {config} }}"]
    out += ["", "pipelines:", "  intake:", "    from: [gateway]", "    steps: [{ plugin: platform-redact }]", "    to: []"]
    for n in range(1, TEAMS + 1):
        out += [f"  {team(n)}:", "    from: [intake]", f"    steps: [{{ filter: .ApiOwner == \"{team(n)}\" }}, {{ plugin: {team(n)} }}]", "    to: [teams]", "    dead_letters: [failed]"]
    out += ["", "sinks:", '  teams: { type: file, path: "${TAMIS_OUT:-out/self-service}/%{ApiOwner}/calls.ndjson" }',
            '  failed: { type: file, path: "${TAMIS_OUT:-out/self-service}/failed.ndjson" }', "", "settings:", "  admin: off", ""]
    return "\n".join(out)


def record(number, planted):
    mail = f"user{rng.randrange(1000):03}.{team(rng.randrange(1, TEAMS + 1))}@courriel.example"
    phone = f"063998{rng.randrange(10_000):04}"
    note = [f"asked by {mail}", f"call {phone}", "nothing to report", "late, tried again"][rng.randrange(4)]
    planted.update(value for value in (mail, phone) if value in note)
    status, code = rng.choices([(200, None), (404, None), (429, 900803), (403, 900805), (500, 101503)], [80, 6, 6, 4, 4])[0]
    owner = team(1 + number % TEAMS)
    return {
        "CORRELATION_ID": "urn:uuid:%08x-0000-4000-8000-%012x" % (rng.getrandbits(32), number), "ApiOwner": owner,
        "AppliOwner": team(rng.randrange(1, TEAMS + 1)).upper(), "ApiName": NAMES[number % len(NAMES)] + "Api", "Origine": rng.choice(["gw1.main.example", "gw2.other.example"]),
        "SourceAppel": rng.choice([f"10.155.0.{rng.randrange(1, 255)}", "198.51.100.0"]), "Pattern": rng.choice(["Client Credentials", "API-Key", "jwt-bearer", None]),
        "destination": {"url": {"path": f"v1/{NAMES[number % len(NAMES)]}s/{rng.randrange(10_000, 999_999)}/events"}, "http": {"method": rng.choice(["GET", "GET", "POST", "OPTIONS"])}},
        "HTTP_ReturnCode": status, "ErrorCode": code, "note": note,
    }


planted = set()
with open(os.path.join(HERE, "input.ndjson"), "w", encoding="utf-8") as file:
    for number in range(RECORDS):
        file.write(json.dumps(record(number, planted), separators=(",", ":")) + "\n")
with open(os.path.join(HERE, "planted.txt"), "w", encoding="utf-8") as file:
    file.write("\n".join(sorted(planted)) + "\n")
with open(os.path.join(HERE, "pipeline.yaml"), "w", encoding="utf-8") as file:
    file.write(pipeline())
