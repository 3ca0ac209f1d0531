#!/usr/bin/env python3
"""Makes input/ and planted.txt of this sample; the same seed makes the same bytes.
Usage: python3 generate.py [CALLS [FOLDER [BYTES]]]: BYTES makes each line about so long, as logs in production are.

Two gateways, one in each data centre, write four logs each. Everything personal is invented: addresses of documentation
networks, telephone numbers set aside for fiction, card numbers for tests, tokens without a signature that means anything.
"""
import base64, json, os, random, sys
from datetime import datetime, timedelta, timezone

CALLS = int(sys.argv[1]) if len(sys.argv) > 1 else 60  # calls of each gateway
HERE = sys.argv[2] if len(sys.argv) > 2 else os.path.dirname(os.path.abspath(__file__))
WIDTH = int(sys.argv[3]) if len(sys.argv) > 3 else 0  # bytes of a line, about
rng = random.Random(2026)
filler = random.Random(7)  # of its own, so that the narrow lines stay as they are
planted = set()

OWNERS = ["cio", "s7_", "col", "geo", "rh_", "x9_"]
APIS = {  # name: version, owner, resources
    "parcelTracking": ("v2", "col", ["/parcels/{n}", "/parcels/{n}/events", "/search?{q}"]),
    "addressCheck": ("v1", "geo", ["/addresses?{q}", "/cities/{n}"]),
    "s2sPrediction": ("v1", "cio", ["/predict", "/models/{n}"]),
    "payslip": ("v3", "rh_", ["/employees/{n}/payslips", "/employees/{u}"]),
}
GATEWAYS = [("dc1", "gw1.main.example", "10.1.0.11"), ("dc2", "gw2.delivery.example", "10.2.0.11")]
PATTERNS = ["client_credentials", "Client Credentials", "urn:ietf:params:oauth:grant-type:jwt-bearer", "API-Key", "null"]
# Status, gateway's error code, verdict, weight.
OUTCOMES = [(200, 0, "OK", 74), (404, 0, "OK", 5), (429, 900803, "THROTTLED", 6), (503, 900801, "THROTTLED", 2),
            (401, 900901, "AUTH_FAILURE", 5), (500, 101503, "TARGET_CONNECTIVITY", 5), (504, 101504, "TARGET_CONNECTIVITY", 3)]


def plant(value):
    planted.add(value)
    return value


def b64(data):
    return base64.urlsafe_b64encode(data.encode()).decode().rstrip("=")


def luhn(digits):
    total = sum(sum(divmod(2 * int(d), 10)) if i % 2 == 0 else int(d) for i, d in enumerate(reversed(digits)))
    return digits + str(-total % 10)


def email():
    return plant(f"{rng.choice(['marie', 'paul', 'zoe', 'luc'])}.{rng.choice(['petit', 'roux', 'noel'])}{rng.randrange(10, 99)}@courriel.example")


def phone():
    return plant(f"063998{rng.randrange(10_000):04}")


def card():
    return plant(luhn("411111" + "".join(rng.choice("0123456789") for _ in range(9))))


def jwt():
    claims = {"sub": f"user{rng.randrange(1_000_000)}", "iss": "idp.example"}
    return plant(".".join([b64(json.dumps({"alg": "RS256", "typ": "JWT"})), b64(json.dumps(claims)), b64(str(rng.random()) * 2)]))


def key():
    return plant("".join(rng.choice("abcdefghkmnpqrstuvwxyzABCDEFGHKMNPQRSTUVWXYZ23456789") for _ in range(28)))


def query():
    kind = rng.randrange(5)
    if kind == 0:
        return f"mail={plant(email().replace('@', '%40'))}"
    if kind == 1:
        return f"tel={phone()}"
    if kind == 2:
        return f"access_token={key()}&lang=fr"
    return rng.choice(["lang=fr", "page=2&size=50", "q=colis"])


def call(gateway, number):
    dc, host, ip = gateway
    name, (version, owner, resources) = rng.choice(list(APIS.items()))
    appli = rng.choice(OWNERS)
    status, code, verdict, _ = rng.choices(OUTCOMES, [o[3] for o in OUTCOMES])[0]
    address = rng.choice([f"10.155.{rng.randrange(256)}.{rng.randrange(1, 255)}", f"203.0.113.{rng.randrange(1, 255)}"])
    if address.startswith("203"):
        plant(address)
    context = f"/{name}/{version}"
    template = rng.choice(resources)
    path = template.replace("{n}", str(rng.randrange(10_000, 9_999_999))).replace("{q}", query())
    path = path.replace("{u}", "8d1f2c5e-%04x-4a0b-9c3d-0123456789ab" % rng.randrange(65536))
    return {
        "time": datetime(2026, 3, 2, 7, 0, tzinfo=timezone.utc) + timedelta(seconds=number * 11, milliseconds=rng.randrange(1000)),
        "id": "%08x-0000-4000-8000-%012x" % (rng.getrandbits(32), rng.getrandbits(48)),
        "dc": dc, "host": host, "ip": ip, "thread": f"PassThroughMessageProcessor-{rng.randrange(1, 40)}",
        "api": name, "version": version, "owner": owner, "context": context, "path": path, "template": template.split("?")[0].replace("{n}", "{id}").replace("{u}", "{uuid}"),
        "method": rng.choice(["GET", "GET", "GET", "POST"]), "status": status, "code": code, "verdict": verdict,
        "application": f"{rng.choice(['SPRD', 'SPRD', 'SACC'])}_{rng.randrange(1, 700):07}_{appli.strip('_').upper()}_APP", "appli": appli.upper(),
        "address": address, "ms": rng.randrange(3, 900), "pattern": rng.choice(PATTERNS),
    }


def words(length):
    """So many bytes of what fills wide lines: names of services, numbers, identifiers."""
    text = ""
    while len(text) < length:
        text += filler.choice(["depot-%05d" % filler.randrange(99_999), "sort", "route=%d" % filler.randrange(999), "batch/%08x" % filler.getrandbits(32),
                               "zone", "v%d.%d.%d" % (filler.randrange(9), filler.randrange(30), filler.randrange(30)), "tournee", "ok"]) + " "
    return text[:max(length, 0)].strip()


def widen(members, head):
    """What a gateway adds to an event: identifiers, latencies, and the properties that a publisher configures."""
    if WIDTH:
        members.update({"apiId": str(filler.getrandbits(60)), "apiType": "HTTP", "keyType": "PRODUCTION", "apiCreatorTenantDomain": "carbon.super",
                        "applicationId": str(filler.getrandbits(60)), "requestMediationLatency": filler.randrange(9), "platform": "Linux"})
        room = WIDTH - len(head) - len(json.dumps(members)) - 80
        members["properties"] = {"responseSize": filler.randrange(9000), "x-route": words(room // 2), "x-trace": words(room // 2)}


def metrics(c):
    head = f"{c['time']:%H:%M:%S},{c['time'].microsecond // 1000:03} [{c['ip']}-{c['host']}] [{c['thread']}]  INFO ELKCounterMetric apimMetrics: "
    common = {
        "requestTimestamp": c["time"].isoformat(timespec="milliseconds").replace("+00:00", "Z"), "correlationId": c["id"],
        "apiName": c["api"], "apiVersion": c["version"], "apiCreator": c["owner"], "applicationName": c["application"],
        "applicationOwner": c["appli"], "regionId": c["dc"], "gatewayType": "SYNAPSE", "proxyResponseCode": c["status"],
    }
    if c["code"]:
        common.update({"errorType": c["verdict"], "errorCode": c["code"], "errorMessage": f"refused for {email()}" if rng.random() < 0.2 else "refused", "targetResponseCode": -1})
        widen(common, head)
        return f"{head}apim:faulty, properties :{json.dumps(common, separators=(',', ':'))}"
    common.update({
        "apiMethod": c["method"], "apiContext": c["context"], "apiResourceTemplate": c["template"], "responseLatency": c["ms"],
        "backendLatency": c["ms"] - 2, "userName": plant(f"agent{rng.randrange(10_000):04}@poste.example"), "userIp": c["address"], "userAgent": "okhttp/4.12",
        "destination": f"https://backend.example{c['path']}",
    })
    widen(common, head)
    text = json.dumps(common, separators=(",", ":")).replace("=", "\\u003d").replace("&", "\\u0026")
    return f"{head}apim:response, properties :{text}"


def mediator(c):
    head = f"TID: [1] [] [{c['time']:%Y-%m-%d %H:%M:%S},{c['time'].microsecond // 1000:03}]  INFO {{org.apache.synapse.mediators.builtin.LogMediator}} - "
    pairs = {
        "ApplicationName": c["application"], "APIMStatus": c["verdict"], "ErrorCode": c["code"] or "null", "ApiOwner": c["owner"], "AppliOwner": c["appli"],
        "SourceAppel": c["address"], "Origine": c["host"], "CORRELATION_ID": f"urn:uuid:{c['id']}", "destination.url.path": c["version"] + c["path"],
        "destination.http.method": c["method"], "HTTP_ReturnCode": c["status"], "ApiName": c["api"], "ApiVersion": c["version"],
        "CallsInternet": "null", "Pattern": c["pattern"],
    }
    if c["code"]:
        pairs["ERROR_DESCRIPTION"] = rng.choice(["Limit exceeded, try later", f"No agent for {email()}, call {phone()}", f"Payment with {card()} failed, a, b"])
    line = head + f"{{api:{c['api']}:{c['version']}}} " + ", ".join(f"{k} = {v}" for k, v in pairs.items())
    if WIDTH:
        room = WIDTH - len(line) - 90
        pairs = {"SourceHost": "client%03d.intranet.example" % filler.randrange(999), "X-Route": words(room // 2), "X-Trace": words(room // 2), "Backend": "https://backend.example/v1"}
        line += "".join(f", {k} = {v}" for k, v in pairs.items())
    return line


def access(c):
    agent = "Mozilla/5.0 (X11; Linux x86_64)" + (f" {words(WIDTH // 2 - 100)}" if WIDTH else "")
    referer = f"https://portal.example/{words(WIDTH // 2 - 100).replace(' ', '/')}" if WIDTH else "-"
    time = f"{c['time']:%d/%b/%Y:%H:%M:%S +0000}"
    return f'- {c["address"]} - - [{time}] "{c["method"]} {c["context"]}{c["path"]} HTTP/1.1" {c["status"]} {rng.randrange(90, 9000)} "{referer}" "{agent}"'


def correlation(c):
    head = f"{c['time']:%Y-%m-%d %H:%M:%S},{c['time'].microsecond // 1000:03}|{c['id']}|{c['thread']}|"
    kind = rng.randrange(3)
    if kind == 0:
        secret = f"Bearer {jwt()}" if rng.random() < 0.7 else "Basic " + plant(base64.b64encode(f"app{rng.randrange(10_000):04}:{rng.random()}".encode()).decode())
        return (head + f"{c['ms']}|HTTP|{c['api']}:{c['version']}|{c['method']}|{c['context']}{c['template']}|{c['context'][1:]}{c['path']}|{secret}|null|null|null|null|71|2238|"
                f"{c['status']}|{c['application']}|{key()}|{c['ms']}")
    if kind == 1:
        wide = f"{'&' if '?' in c['path'] else '?'}q={words(WIDTH - 200).replace(' ', '+')}" if WIDTH else ""
        return head + f"{c['ms'] - 2}|HTTP|https://backend.example{c['path']}{wide}|BACKEND LATENCY"
    wide = f" AND NAME IN ('{words(WIDTH - 270).replace(' ', chr(39) + ', ' + chr(39))}')" if WIDTH else ""
    return head + f"{rng.randrange(9)} |jdbc|{int(c['time'].timestamp() * 1000)}|executeQuery()|SELECT NAME || '|' FROM AM_API WHERE OWNER = '{c['owner']}'{wide}|jdbc:postgresql://db/apim"


for gateway in GATEWAYS:
    folder = os.path.join(HERE, "input", gateway[0])
    os.makedirs(folder, exist_ok=True)
    calls = [call(gateway, number) for number in range(CALLS)]
    logs = {"apim_metrics.log": metrics, "wso2carbon.log": mediator, "http_access.log": access, "correlation.log": correlation}
    for name, line in logs.items():
        lines = [line(c) for c in calls]
        if name == "wso2carbon.log":
            # What is not a call's line stands between them; and a line that a full disk cut off.
            lines.insert(7, "TID: [-1234] [] [2026-03-02 07:01:00,000]  INFO {org.wso2.carbon.core.Boot} - WSO2 Carbon started in 42 sec")
            lines.insert(20, "TID: [1] [] [2026-03-02 07:0")
        with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")
with open(os.path.join(HERE, "planted.txt"), "w", encoding="utf-8") as file:
    file.write("\n".join(sorted(planted)) + "\n")
