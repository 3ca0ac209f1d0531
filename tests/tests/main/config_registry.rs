//! Configurations through a real registry: pushed, checked, run by hosts that follow a tag, refused when nothing vouches for them.

use std::fs;
use std::process::Command;
use tamis_tests::harness::{Address, Live, Registry, Run, Site, eventually, is_installed, plugin};

/// An author with a pair of keys, and a registry.
pub(super) struct Team {
    pub(super) registry: Registry,
    pub(super) author: Site,
}

impl Team {
    pub(super) fn new() -> Option<Self> {
        let registry = Registry::start()?;
        let author = Site::new();
        let run = author.run(["plugin", "keygen", "--no-password"]);
        assert_eq!(run.code, Some(0), "{run}");
        Some(Self { registry, author })
    }

    pub(super) fn reference(&self) -> String {
        format!("oci://{}/team/gateway:prod", self.registry.address())
    }

    /// A configuration that marks its records.
    pub(super) fn writes(&self, mark: &str) {
        self.author.config(&format!(
            "
sources: {{ in: {{ type: file, paths: [input.ndjson] }} }}
pipelines: {{ main: {{ from: [in], steps: [{{ vrl: '.mark = \"{mark}\"' }}], to: [out] }} }}
sinks: {{ out: {{ type: file, path: out.ndjson }} }}
settings: {{ admin: 'unix:admin.sock', lanes: 1 }}"
        ));
    }

    pub(super) fn push(&self, more: &[&str]) -> Run {
        let reference = self.reference();
        self.author.run([&["config", "push", "-c", "tamis.yaml", &reference, "--output", "json"], more].concat())
    }

    /// Pushes it signed; gives the pinned reference.
    #[track_caller]
    pub(super) fn pushed(&self) -> String {
        let run = self.push(&["--key", "tamis.key"]);
        assert_eq!(run.code, Some(0), "{run}");
        run.json()["pinned"].as_str().unwrap().to_owned()
    }

    /// A host's folder, which has the public key.
    pub(super) fn host(&self) -> Site {
        let site = Site::new();
        site.write("tamis.pub", self.author.read("tamis.pub"));
        site.write("input.ndjson", "{\"n\":1}\n");
        site
    }

    pub(super) fn follows(&self, site: &Site) -> Live {
        let reference = self.reference();
        site.start(["run", "-c", &reference, "--config-key", "tamis.pub", "--watch", "--watch-interval", "1s"])
    }
}

pub(super) fn address(site: &Site) -> Address {
    Address::Unix(site.path("admin.sock"))
}

pub(super) fn generations(site: &Site) -> serde_json::Value {
    address(site).get("/v1/generations").ok().and_then(|answer| serde_json::from_str(&answer.body).ok()).unwrap_or_default()
}

pub(super) fn add(site: &Site, line: &str) {
    let mut text = site.read("input.ndjson");
    text.extend(line.bytes().chain(*b"\n"));
    fs::write(site.path("input.ndjson"), text).unwrap();
}

pub(super) fn ended(live: Live) {
    live.signal("TERM");
    let run = live.wait();
    assert_eq!(run.code, Some(0), "{run}");
}

#[test]
fn a_configuration_is_pushed_and_pulled_with_its_lock_and_its_plugin() {
    let Some(team) = Team::new() else { return };
    let component = format!("oci://{}/team/tenant:1", team.registry.address());
    let run = team.author.run(["plugin", "push", &plugin("tenant").display().to_string(), &component]);
    assert_eq!(run.code, Some(0), "{run}");
    team.author.write("keys/words", "cio: corporate");
    team.author.config(&format!(
        "
sources: {{ in: {{ type: file, paths: [input.ndjson] }} }}
plugins:
  tenant: {{ component: '{component}', grant: {{ read: [ApiOwner], write: [tenant] }}, config: {{ owners: {{ cio: '${{file:keys/words}}' }} }} }}
pipelines: {{ main: {{ from: [in], steps: [{{ plugin: tenant }}], to: [out] }} }}
sinks: {{ out: {{ type: file, path: out.ndjson }} }}"
    ));
    // What a host would not find is found before it is pushed.
    for (more, expected) in [(&[][..], "E023"), (&["--with", "keys/words"], "E221")] {
        let run = team.push(more);
        assert_eq!(run.code, Some(2), "{run}");
        assert!(run.err.contains(expected) && run.err.contains("nothing is pushed"), "{run}");
    }
    let run = team.author.run(["plugin", "lock", "-c", "tamis.yaml"]);
    assert_eq!(run.code, Some(0), "{run}");
    let run = team.push(&["--with", "keys/words"]);
    assert_eq!(run.code, Some(0), "{run}");
    let told = run.json();
    let names: Vec<&str> = told["files"].as_array().unwrap().iter().map(|file| file["name"].as_str().unwrap()).collect();
    assert_eq!((names, &told["signed_by"]), (vec!["keys/words", "tamis.lock", "tamis.yaml"], &serde_json::Value::Null));
    // The same again is the same.
    let again = team.push(&["--with", "keys/words", "--no-move"]);
    assert_eq!((again.code, &again.json()["digest"]), (Some(0), &told["digest"]), "{again}");

    let host = team.host();
    host.write("input.ndjson", "{\"ApiOwner\":\"cio\"}\n");
    let pinned = told["pinned"].as_str().unwrap();
    let check = host.run(["check", "-c", pinned]);
    assert_eq!(check.code, Some(0), "{check}");
    assert!(!host.path("data").exists(), "check writes nothing");
    let run = host.run(["run", "--once", "-c", pinned]);
    assert_eq!(run.code, Some(0), "{run}");
    assert_eq!(host.lines("out.ndjson"), ["{\"ApiOwner\":\"cio\",\"tenant\":\"cio: corporate\"}"]);
    let run = host.run(["config", "pull", pinned, "--out", "back"]);
    assert_eq!(run.code, Some(0), "{run}");
    for name in ["tamis.yaml", "tamis.lock", "keys/words"] {
        assert_eq!(host.read(&format!("back/{name}")), team.author.read(name), "{name}");
    }
    let run = host.run(["config", "pull", pinned, "--out", "back"]);
    assert_eq!(run.code, Some(2), "nothing is overwritten: {run}");
    if is_installed("skopeo") {
        let image = team.reference().replace("oci://", "docker://");
        let raw = Command::new("skopeo").args(["inspect", "--raw", "--tls-verify=false", &image]).output().unwrap();
        let manifest: serde_json::Value = serde_json::from_slice(&raw.stdout).unwrap_or_else(|_| panic!("{raw:?}"));
        assert_eq!(manifest["config"]["mediaType"], "application/vnd.tamis.configuration.v1+json");
        assert_eq!(manifest["layers"].as_array().unwrap().len(), 3);
    }
}

#[test]
fn nothing_runs_that_neither_a_digest_nor_a_signature_vouches_for() {
    let Some(team) = Team::new() else { return };
    let (host, reference) = (team.host(), team.reference());
    team.writes("a");
    let pinned = team.pushed();
    assert_eq!(team.pushed(), pinned, "the same files signed again are the same");
    let refused = |more: &[&str], expected: &[&str]| {
        let run = host.run([&["run", "--once"], more].concat());
        assert_eq!(run.code, Some(2), "{run}");
        for part in expected {
            assert!(run.err.contains(part), "expected `{part}`: {run}");
        }
        assert!(!host.path("out.ndjson").exists(), "{run}");
    };
    refused(&["-c", &reference], &["E028", "by a tag alone"]);
    let other = Site::new();
    assert_eq!(other.run(["plugin", "keygen", "--no-password"]).code, Some(0));
    host.write("other.pub", other.read("tamis.pub"));
    refused(&["-c", &reference, "--config-key", "other.pub"], &["E028", "the signature of sha256:", "does not count"]);
    refused(&["-c", &pinned, "--config-key", "other.pub"], &["E028"]);
    refused(&["-c", &reference, "--config-key", "absent.pub"], &["E028", "absent.pub"]);
    refused(&["-c", "oci://UPPER/x:1"], &["E029", "expected the registry"]);
    refused(&["-c", &format!("{reference}@sha256:{}", "0".repeat(64))], &["E029", "has moved"]);
    let missing = reference.replace(":prod", ":test");
    refused(&["-c", &missing, "--config-key", "tamis.pub"], &["E029", "is not in the registry"]);
    // A plugin is no configuration.
    let component = format!("oci://{}/team/tenant:1", team.registry.address());
    assert_eq!(team.author.run(["plugin", "push", &plugin("tenant").display().to_string(), &component]).code, Some(0));
    refused(&["-c", &component, "--config-key", "tamis.pub"], &["E029", "expected an artifact of type"]);
    assert_eq!(team.author.run(["plugin", "lock", "-c", &reference]).code, Some(2));

    for more in [&["-c", &pinned][..], &["-c", &reference, "--config-key", "tamis.pub"]] {
        fs::remove_file(host.path("out.ndjson")).ok();
        let run = host.run([&["run", "--once", "--again"], more].concat());
        assert_eq!((run.code, host.lines("out.ndjson")), (Some(0), vec!["{\"n\":1,\"mark\":\"a\"}".to_owned()]), "{run}");
    }
    // Bytes that were changed in the registry are not taken, and the signature does not move to other files.
    team.writes("b");
    assert_eq!(team.push(&[]).code, Some(0));
    refused_again(&host, &reference, "is not signed");
    team.writes("c");
    let run = team.push(&["--key", "tamis.key"]);
    assert_eq!(run.code, Some(0), "{run}");
    let sum = Command::new("sha256sum").arg(team.author.path("tamis.yaml")).output().unwrap().stdout;
    let blob = team.registry.blob(&format!("sha256:{}", String::from_utf8_lossy(&sum[..64])));
    fs::write(blob, String::from_utf8(team.author.read("tamis.yaml")).unwrap().replace("\"c\"", "\"x\"")).unwrap();
    refused_again(&host, &reference, "E029");
}

#[track_caller]
fn refused_again(host: &Site, reference: &str, reason: &str) {
    fs::remove_file(host.path("out.ndjson")).ok();
    let run = host.run(["run", "--once", "--again", "-c", reference, "--config-key", "tamis.pub"]);
    assert_eq!(run.code, Some(2), "{run}");
    assert!(run.err.contains(reason) && !host.path("out.ndjson").exists(), "{run}");
}

#[test]
fn hosts_follow_a_tag_and_keep_what_they_have() {
    let Some(mut team) = Team::new() else { return };
    team.writes("a");
    let first = team.pushed();
    let hosts = [team.host(), team.host()];
    let mut lives: Vec<Live> = hosts.iter().map(|host| team.follows(host)).collect();
    let marked = |host: &Site, n: u32, mark: &str| {
        let expected = format!("{{\"n\":{n},\"mark\":\"{mark}\"}}");
        eventually(&format!("{expected} is delivered"), || {
            host.path("out.ndjson").exists() && host.lines("out.ndjson").contains(&expected)
        });
    };
    hosts.iter().for_each(|host| marked(host, 1, "a"));
    // A signed one is taken up by all, without a restart.
    team.writes("b");
    let second = team.pushed();
    for host in &hosts {
        eventually("generation 2 runs", || generations(host)["running"] == 2);
        add(host, "{\"n\":2}");
        marked(host, 2, "b");
    }
    let told = generations(&hosts[0]).to_string();
    assert!(told.contains(&first) && told.contains(&second) && told.contains("signed by") && told.contains("--watch"), "{told}");
    // One that is not signed, and one that is not sound, are refused once each; what runs goes on.
    team.writes("c");
    assert_eq!(team.push(&[]).code, Some(0));
    let refusals = |host: &Site| {
        let told = generations(host);
        told["history"].as_array().map_or(0, |all| all.iter().filter(|entry| entry["result"] == "refused").count())
    };
    hosts.iter().for_each(|host| eventually("it is refused", || refusals(host) == 1));
    team.author.config("pipelines: { main: { from: [nowhere], to: [out] } }");
    assert_eq!(team.push(&["--key", "tamis.key", "--no-check"]).code, Some(0));
    hosts.iter().for_each(|host| eventually("it is refused", || refusals(host) == 2));
    std::thread::sleep(std::time::Duration::from_secs(3));
    for host in &hosts {
        assert_eq!((refusals(host), &generations(host)["running"]), (2, &2.into()));
        add(host, "{\"n\":3}");
        marked(host, 3, "b");
    }
    // A host that starts now comes up with what ran last.
    ended(lives.remove(0));
    lives.insert(0, team.follows(&hosts[0]));
    eventually("it is up", || address(&hosts[0]).get("/readyz").is_ok_and(|answer| answer.status == 200));
    let ready = address(&hosts[0]).get("/readyz").unwrap().body;
    assert!(ready.starts_with("degraded: ") && ready.contains("generation 2"), "{ready}");
    add(&hosts[0], "{\"n\":4}");
    marked(&hosts[0], 4, "b");
    // A good one ends that, and there is a way back.
    team.writes("d");
    team.pushed();
    for host in &hosts {
        add(host, "{\"n\":5}");
        eventually("the newest one runs", || {
            generations(host).to_string().contains("\"applied\"") && refusals(host) == 2 && {
                add(host, "{\"n\":6}");
                String::from_utf8_lossy(&host.read("out.ndjson")).contains("\"mark\":\"d\"")
            }
        });
    }
    assert_eq!(address(&hosts[0]).get("/readyz").unwrap().body.trim(), "ready");
    let back = hosts[0].run(["rollback", "--admin", "unix:admin.sock"]);
    assert_eq!(back.code, Some(0), "{back}");
    add(&hosts[0], "{\"n\":7}");
    marked(&hosts[0], 7, "b");
    // Without the registry hosts run on and start.
    team.registry.stop();
    lives[1].says("cannot be followed");
    ended(lives.pop().unwrap());
    let live = team.follows(&hosts[1]);
    eventually("it is up", || address(&hosts[1]).get("/readyz").is_ok_and(|answer| answer.body.trim() == "ready"));
    add(&hosts[1], "{\"n\":8}");
    marked(&hosts[1], 8, "d");
    assert!(live.err().contains("W001"), "{}", live.err());
    ended(live);
    ended(lives.pop().unwrap());
}
