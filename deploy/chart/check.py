"""Checks the charts without a cluster; `make chart` runs it.

Lints them, renders each case of `tamis/ci` and the examples with OpenShift off and on, holds every manifest against the strict schemas of
Kubernetes, looks at what the schemas cannot know (contexts, mounts, selectors), and gives every rendered configuration to `tamis check`.

What it does not show: that a cluster takes them, and that ServiceMonitor and PrometheusRule fit their definitions, whose schemas belong to
the Prometheus operator. Of those two it looks at what Tamis depends on.
"""

from __future__ import annotations

import argparse
import contextlib
import copy
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import helm_python as helm
import kubernetes_validate
import yaml  # type: ignore[import-untyped]

Manifest = dict[str, Any]

HERE = Path(__file__).resolve().parent
DEPLOY = HERE.parent
CHART = HERE / "tamis"
EXAMPLES = sorted(path for path in (HERE / "examples").iterdir() if path.is_dir())

# The oldest that the chart says it runs on, the first with image volumes by default, the newest whose schemas are there.
KUBERNETES = ["1.29.0", "1.33.0", "1.37.0"]
# Before this one the schemas know no image volumes.
IMAGE_VOLUMES = (1, 31)
# Kinds of the Prometheus operator.
UNKNOWN_KINDS = {"ServiceMonitor", "PrometheusRule"}
CONFIG_MAP_BYTES_MAX = 1 << 20

# Values that must not go through, and what is said.
REFUSED: list[tuple[str, Manifest, str]] = [
    ("no configuration", {"configuration": None}, "configuration: at least one file"),
    ("a tag that nothing vouches for", {"configurationFrom": {"reference": "oci://registry.example/a:1"}}, "needs the key"),
    ("no image", {"image": {"repository": ""}}, "image.repository"),
    ("a mode that is none", {"mode": "gateway"}, "mode"),
    ("a key that is none", {"replicas": 2}, "replicas"),
    ("a port that wants a capability", {"ports": [{"name": "syslog", "port": 514}]}, "ports"),
    ("a setting of the chart's", {"settings": {"data_dir": "/var"}}, "settings.data_dir is the chart's"),
    ("a file of the chart's", {"configuration": {"settings.yaml": "version: 1"}}, "settings.yaml is the chart's"),
    ("a stop longer than its time", {"settings": {"shutdown_timeout": "1m"}}, "must be longer than settings.shutdown_timeout (1m)"),
    ("a sidecar's, with its files", {"mode": "sidecar", "settings": {"shutdown_timeout": "40s"}}, "(40s) and half of it"),
    ("a claim for a DaemonSet", {"mode": "daemonset", "data": {"type": "claim"}}, "data.type: claim"),
    ("the node's disk for an aggregator", {"data": {"type": "hostPath"}}, "data.type: hostPath"),
    ("plugins from two places", {"plugins": {"configMap": "a", "persistentVolumeClaim": "b"}}, "plugins: one of"),
    ("a monitor that reaches nothing", {"metrics": {"serviceMonitor": {"enabled": True}}}, "without admin.tokens"),
    ("a token that is none", {"admin": {"tokens": {"a": {"role": "root", "secret": "a"}}}}, "role"),
    ("pods that are not known", {"mode": "sidecar", "networkPolicy": {"enabled": True}}, "sidecar.selector"),
]


class Findings:
    """What is wrong, told as it is found."""

    def __init__(self) -> None:
        self.count = 0

    def add(self, where: str, what: str) -> None:
        self.count += 1
        print(f"{where}: {what}", file=sys.stderr)

    def unless(self, sound: object, where: str, what: str) -> None:
        if not sound:
            self.add(where, what)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keeps what Helm's library logs about links and required values off the terminal."""
    sys.stderr.flush()
    kept = os.dup(2)
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nothing)


def render(chart: Path, values: Manifest) -> list[Manifest]:
    """The manifests that Helm makes of these values; raises what Helm says against them."""
    with quiet(), helm.Chart.load(chart) as loaded:
        loaded.validate_schema(values)
        texts = loaded.render(values, name="logs", namespace="observe")
    manifests = []
    for name, text in texts.items():
        if not name.endswith(".txt"):
            manifests += [document for document in yaml.safe_load_all(text) if document]
    return manifests


def merged(base: Manifest, over: Manifest) -> Manifest:
    """`over` laid onto `base`, as Helm lays values."""
    result = copy.deepcopy(base)
    for key, value in over.items():
        if isinstance(value, dict) and isinstance(result.get(key), dict) and key != "configuration":
            result[key] = merged(result[key], value)
        else:
            result[key] = value
    return result


def pod_spec(manifest: Manifest) -> Manifest | None:
    """The pods that a manifest makes."""
    template = manifest.get("spec", {}).get("template") if manifest["kind"] in {"StatefulSet", "DaemonSet", "Deployment"} else None
    return template["spec"] if template else None


def has_image_volume(spec: Manifest | None) -> bool:
    return any("image" in volume for volume in (spec or {}).get("volumes", []))


def check_schema(manifest: Manifest, where: str, findings: Findings) -> int:
    """Holds a manifest against Kubernetes' schemas; gives against how many."""
    seen = 0
    for version in KUBERNETES:
        major, minor = (int(part) for part in version.split(".")[:2])
        if has_image_volume(pod_spec(manifest)) and (major, minor) < IMAGE_VOLUMES:
            continue
        try:
            kubernetes_validate.validate(manifest, version, strict=True)
            seen += 1
        except kubernetes_validate.ValidationError as error:
            place = ".".join(str(part) for part in error.path)
            findings.add(where, f"Kubernetes {version}: {place}: {error.message}")
        except kubernetes_validate.SchemaNotFoundError:
            findings.unless(manifest["kind"] in UNKNOWN_KINDS, where, f"Kubernetes {version} knows no such kind")
    return seen


def check_pod(manifest: Manifest, case: Manifest, where: str, findings: Findings) -> None:
    """What a schema does not know of a pod."""
    spec = pod_spec(manifest)
    if spec is None:
        return
    containers = [c for c in spec.get("initContainers", []) + spec["containers"] if c["name"] == "tamis"]
    findings.unless(len(containers) == 1, where, "one container is called tamis")
    findings.unless(spec.get("automountServiceAccountToken") is False, where, "the pod gets a token for the cluster")
    volumes = {volume["name"] for volume in spec["volumes"]}
    findings.unless(len(volumes) == len(spec["volumes"]), where, "two volumes have one name")
    volumes |= {claim["metadata"]["name"] for claim in manifest["spec"].get("volumeClaimTemplates", [])}
    for container in spec.get("initContainers", []) + spec["containers"]:
        for mount in container.get("volumeMounts", []):
            findings.unless(mount["name"] in volumes, where, f"there is no volume {mount['name']}")
    for container in containers:
        context = container["securityContext"]
        as_root = case.get("daemonset", {}).get("runAsRoot", False)
        findings.unless(context["runAsNonRoot"] is not as_root, where, "runAsNonRoot")
        findings.unless(context["readOnlyRootFilesystem"] is True, where, "the root can be written")
        findings.unless(context["allowPrivilegeEscalation"] is False, where, "privileges can grow")
        findings.unless(context["capabilities"] == {"drop": ["ALL"]}, where, "capabilities are left")
        findings.unless(context["seccompProfile"] == {"type": "RuntimeDefault"}, where, "no profile of seccomp")
        if case.get("openshift", {}).get("enabled") and not as_root:
            fixed = {"runAsUser", "runAsGroup", "fsGroup"} & (set(context) | set(spec.get("securityContext", {})))
            findings.unless(not fixed, where, f"{fixed} are fixed, which the namespace decides on OpenShift")
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            findings.unless(probe in container, where, f"no {probe}")
        drains = "--drain-files" in container["args"]
        findings.unless(drains == (container in spec.get("initContainers", [])), where, "a sidecar, and no other, reads its files to their end")
        if container in spec.get("initContainers", []):
            findings.unless(container.get("restartPolicy") == "Always", where, "a sidecar that is waited for before the application begins")
    selector = manifest["spec"]["selector"]["matchLabels"].items()
    findings.unless(selector <= manifest["spec"]["template"]["metadata"]["labels"].items(), where, "the selector does not select the pods")


def check_relations(manifests: list[Manifest], where: str, findings: Findings) -> None:
    """What manifests say of each other."""
    pods = [m["spec"]["template"] for m in manifests if pod_spec(m)]
    services = [m for m in manifests if m["kind"] == "Service"]
    for service in services:
        name = f"{where}: service {service['metadata']['name']}"
        for pod in pods:
            findings.unless(service["spec"]["selector"].items() <= pod["metadata"]["labels"].items(), name, "selects no pod")
            ports = [p for c in pod["spec"].get("initContainers", []) + pod["spec"]["containers"] for p in c.get("ports", [])]
            known = {p["name"] for p in ports if "name" in p}
            for port in service["spec"]["ports"]:
                findings.unless(isinstance(port["targetPort"], int) or port["targetPort"] in known, name, f"no port {port['targetPort']}")
    for monitor in (m for m in manifests if m["kind"] == "ServiceMonitor"):
        wanted = monitor["spec"]["selector"]["matchLabels"].items()
        found = [s for s in services if wanted <= s["metadata"]["labels"].items()]
        findings.unless(len(found) == 1, where, f"the ServiceMonitor finds {len(found)} services")
        for endpoint in monitor["spec"]["endpoints"]:
            for service in found:
                findings.unless(endpoint["port"] in {p["name"] for p in service["spec"]["ports"]}, where, "the ServiceMonitor's port")
            jobs = [r["replacement"] for r in endpoint["relabelings"] if r["targetLabel"] == "job"]
            findings.unless(jobs == ["tamis"], where, "the rules and the dashboard know hosts by the job `tamis`")
            findings.unless(endpoint["authorization"]["credentials"]["name"], where, "metrics are asked for without a token")
    for rule in (m for m in manifests if m["kind"] == "PrometheusRule"):
        rules = yaml.safe_load((DEPLOY / "prometheus/tamis.rules.yml").read_text())
        findings.unless(rule["spec"] == rules, where, "the rules are not those of deploy/prometheus")
    for config_map in (m for m in manifests if m["kind"] == "ConfigMap"):
        size = sum(len(text.encode()) for text in config_map["data"].values())
        findings.unless(size < CONFIG_MAP_BYTES_MAX, where, f"ConfigMap {config_map['metadata']['name']} has {size} bytes")
        if "tamis.json" in config_map["data"]:
            dashboard = json.loads((DEPLOY / "grafana/tamis.json").read_text())
            findings.unless(json.loads(config_map["data"]["tamis.json"]) == dashboard, where, "the dashboard is not that of deploy/grafana")


def check_configuration(manifests: list[Manifest], tamis: Path, plugins: Path, where: str, findings: Findings) -> int:
    """Gives each configuration to `tamis check`, as the container would see it; gives how many."""
    checked = 0
    for data in (m["data"] for m in manifests if m["kind"] == "ConfigMap" and "settings.yaml" in m["data"]):
        with tempfile.TemporaryDirectory() as folder:
            secrets = Path(folder, "secrets")
            environment = dict(os.environ)
            for name, text in data.items():
                for secret in re.findall(r"\$\{file:/run/secrets/([^}]+)\}", text):
                    (secrets / secret).parent.mkdir(parents=True, exist_ok=True)
                    # Good for a hash as for a password.
                    (secrets / secret).write_text("0123456789abcdef" * 4)
                for variable in re.findall(r"\$\{([A-Z_]+)\}", text):
                    environment[variable] = "http://variable.example"
                text = text.replace("/run/secrets/", f"{secrets}/").replace("/plugins/", f"{plugins}/").replace("data_dir: /data", f"data_dir: {folder}/data")
                Path(folder, name).write_text(text)
            if not any(name.endswith((".yaml", ".yml")) for name in data if name != "settings.yaml"):
                # The pipelines are in a registry: one in their place, so that the settings are looked at.
                stand_in = "version: 1\nsources: { in: { type: stdin } }\npipelines: { main: { from: [in], to: [out] } }\nsinks: { out: { type: stdout } }\n"
                Path(folder, "pipelines.yaml").write_text(stand_in)
            done = subprocess.run([tamis, "check", "-c", folder], env=environment, capture_output=True, text=True, check=False)
            findings.unless(done.returncode == 0, where, f"tamis check: {done.stdout}{done.stderr}")
            checked += 1
    return checked


def check_refusals(base: Manifest, findings: Findings) -> None:
    """Values that must not go through do not, and are told."""
    for name, values, message in REFUSED:
        try:
            render(CHART, merged(base, values))
            findings.add(name, "goes through")
        except helm.HelmError as error:
            findings.unless(message in str(error), name, f"expected `{message}`, found: {error}")


def check_text_is_kept(base: Manifest, findings: Findings) -> None:
    """A configuration reaches the host as it was written."""
    for text in ["a: 1", "a: 1\n", "  # indented\n\nb: '{{ .Values.mode }}'\n", "a: ${B}\r\n\n\nb: \"\\n\"\n", "x: 1\n \n"]:
        manifests = render(CHART, merged(base, {"configuration": {"tamis.yaml": text}}))
        kept = next(m["data"]["tamis.yaml"] for m in manifests if m["kind"] == "ConfigMap")
        findings.unless(kept.rstrip() == text.replace("\r\n", "\n").rstrip(), "configuration", f"{text!r} became {kept!r}")


def check_package(base: Manifest, findings: Findings) -> None:
    """The archive holds the rules and the dashboard, not links to them, and renders as the folder does."""
    values = merged(base, {"metrics": {"prometheusRule": {"enabled": True}, "dashboard": {"enabled": True}}})
    with tempfile.TemporaryDirectory() as folder:
        with quiet():
            archive = helm.package(CHART, destination=folder)
        findings.unless(render(Path(archive), values) == render(CHART, values), "package", "it renders something else than the folder")


def check_versions(findings: Findings) -> None:
    """The chart, its dependents and the host agree."""
    cargo = re.search(r'^version = "([^"]+)"', (DEPLOY.parent / "Cargo.toml").read_text(), re.MULTILINE)
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    findings.unless(cargo and chart["appVersion"] == cargo[1], "Chart.yaml", "appVersion is not the version in Cargo.toml")
    for example in EXAMPLES:
        for dependency in yaml.safe_load((example / "Chart.yaml").read_text())["dependencies"]:
            findings.unless(dependency["version"] == chart["version"], example.name, "it wants another version of the chart")


def check_lint(findings: Findings) -> None:
    """`helm lint --strict`, and hadolint."""
    for chart in [CHART, *EXAMPLES]:
        files: list[Path | None] = [*sorted((chart / "ci").glob("*.yaml"))]
        for file in files or [None]:
            values = yaml.safe_load(file.read_text()) if file else None
            with quiet():
                report = helm.lint(chart, values, strict=True, with_subcharts=True, kube_version=f"v{KUBERNETES[0]}")
            for message in report["messages"]:
                findings.unless(message["severity"] < 2, f"{chart.name} {file.name if file else ''}", f"{message['path']}: {message['error']}")
            for error in report["errors"]:
                findings.add(chart.name, error)
    hadolint = Path(sys.executable).parent / "hadolint"
    done = subprocess.run([hadolint, DEPLOY / "image/Containerfile"], capture_output=True, text=True, check=False)
    findings.unless(done.returncode == 0, "hadolint", done.stdout + done.stderr)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--tamis", type=Path, required=True, help="the binary that checks configurations")
    parser.add_argument("--plugins", type=Path, required=True, help="the folder of the reference plugins")
    arguments = parser.parse_args()
    findings = Findings()
    check_versions(findings)
    check_lint(findings)
    cases = [(CHART, file.stem, yaml.safe_load(file.read_text())) for file in sorted((CHART / "ci").glob("*.yaml"))]
    cases += [(example, "", {}) for example in EXAMPLES]
    manifests_seen = schemas_seen = configurations = 0
    for chart, name, case in cases:
        for openshift in (False, True):
            over: Manifest = {"openshift": {"enabled": True, "scc": "hostmount-anyuid"}} if openshift else {}
            values = merged(case, over if chart == CHART else {"tamis": over})
            where = f"{chart.name} {name}{' on OpenShift' if openshift else ''}".strip()
            try:
                manifests = render(chart, values)
            except helm.HelmError as error:
                findings.add(where, str(error))
                continue
            for manifest in manifests:
                place = f"{where}: {manifest['kind']} {manifest['metadata']['name']}"
                schemas_seen += check_schema(manifest, place, findings)
                check_pod(manifest, values if chart == CHART else values["tamis"], place, findings)
            check_relations(manifests, where, findings)
            configurations += check_configuration(manifests, arguments.tamis.resolve(), arguments.plugins.resolve(), where, findings)
            manifests_seen += len(manifests)
    plain = yaml.safe_load((CHART / "ci/aggregator-plain-values.yaml").read_text())
    check_refusals(plain, findings)
    check_text_is_kept(plain, findings)
    check_package(plain, findings)
    if findings.count:
        print(f"chart: {findings.count} findings", file=sys.stderr)
        return 1
    print(
        f"chart: {manifests_seen} manifests of {len(cases)} cases, OpenShift off and on, {schemas_seen} times against Kubernetes "
        f"{', '.join(KUBERNETES)}; {configurations} configurations sound; {len(REFUSED)} wrong values refused. "
        f"Not against a schema: {', '.join(sorted(UNKNOWN_KINDS))}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
