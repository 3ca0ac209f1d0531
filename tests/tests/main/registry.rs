//! Plugins through a real registry: pushed, read by another client, locked, pulled, run without the registry.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use tamis_tests::harness::{Registry, Run, Site, USER, is_installed, plugin};

const INPUT: &str = "{\"ApiOwner\":\"cio\"}\n";
const OUTPUT: &str = "{\"ApiOwner\":\"cio\",\"tenant\":\"corporate\"}";

/// A component with one more custom section: the same plugin, other bytes.
pub(crate) fn stamped(name: &str, section: &str, text: &str) -> Vec<u8> {
    let mut wasm = fs::read(plugin(name)).unwrap();
    let content = [&[u8::try_from(section.len()).unwrap()], section.as_bytes(), text.as_bytes()].concat();
    assert!(content.len() < 128);
    wasm.extend([0, content.len() as u8]);
    wasm.extend(content);
    wasm
}

/// A configuration whose one plugin is `tenant` from there.
pub(crate) fn config(component: &str, more: &str) -> String {
    format!(
        "
sources: {{ in: {{ type: file, paths: [input.ndjson] }} }}
plugins:
  tenant: {{ component: \"{component}\", grant: {{ read: [ApiOwner], write: [tenant] }}, config: {{ owners: {{ cio: corporate }} }} }}
pipelines: {{ main: {{ from: [in], steps: [ {{ plugin: tenant }} ], to: [out] }} }}
sinks: {{ out: {{ type: file, path: out.ndjson }} }}
{more}"
    )
}

pub(crate) fn site(component: &str, more: &str) -> Site {
    Site::with(&config(component, more), INPUT)
}

#[track_caller]
pub(crate) fn runs(site: &Site) -> Run {
    fs::remove_file(site.path("out.ndjson")).ok();
    let run = site.once();
    assert_eq!(run.code, Some(0), "{run}");
    assert_eq!(site.lines("out.ndjson"), [OUTPUT], "{run}");
    run
}

#[track_caller]
pub(crate) fn done(run: Run) -> Run {
    assert_eq!(run.code, Some(0), "{run}");
    run
}

#[track_caller]
fn pushed(site: &Site, file: &str, reference: &str) -> serde_json::Value {
    done(site.run(["plugin", "push", file, reference, "--output", "json"])).json()
}

fn text(value: &serde_json::Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text")).to_owned()
}

#[test]
fn what_is_pushed_is_pulled_and_other_clients_read_it() {
    let Some(registry) = Registry::start() else { return };
    let site = Site::new();
    let wasm = stamped("tenant", "version", "1.2.3");
    site.write("tenant.wasm", &wasm);
    let reference = format!("oci://{}/team/tenant:1", registry.address());
    let told = pushed(&site, "tenant.wasm", &reference);
    assert_eq!(
        (told["bytes"].as_u64(), &told["known"], &told["signed_by"]),
        (Some(wasm.len() as u64), &false.into(), &serde_json::Value::Null)
    );
    // The same again moves nothing, whenever it is.
    let again = pushed(&site, "tenant.wasm", &reference);
    assert_eq!((&again["digest"], &again["known"], &again["moved_from"]), (&told["digest"], &true.into(), &serde_json::Value::Null));

    for from in [reference.clone(), text(&told["pinned"]), format!("{reference}@{}", text(&told["digest"]))] {
        let run = done(site.run(["plugin", "pull", &from, "--out", "back.wasm", "--output", "json"]));
        assert_eq!(site.read("back.wasm"), wasm, "{run}");
        assert_eq!(run.json()["component"], told["component"]);
    }
    done(site.run(["plugin", "pull", &reference]));
    assert_eq!(site.read("tenant.wasm"), wasm, "named after the repository");

    if !is_installed("skopeo") {
        return;
    }
    let image = reference.replace("oci://", "docker://");
    let raw = Command::new("skopeo").args(["inspect", "--raw", "--tls-verify=false", &image]).output().unwrap();
    assert!(raw.status.success(), "{raw:?}");
    let manifest: serde_json::Value = serde_json::from_slice(&raw.stdout).unwrap();
    assert_eq!(manifest["config"]["mediaType"], "application/vnd.wasm.config.v0+json");
    assert_eq!(manifest["layers"][0]["mediaType"], "application/wasm");
    assert_eq!(manifest["layers"][0]["digest"], told["component"]);
    assert_eq!(manifest["annotations"]["org.opencontainers.image.version"], "1.2.3");
    let copied = Command::new("skopeo")
        .args(["copy", "--src-tls-verify=false", &image, &format!("dir:{}", site.path("copy").display())])
        .output()
        .unwrap();
    assert!(copied.status.success(), "{copied:?}");
    let component = text(&told["component"]);
    assert_eq!(fs::read(site.path("copy").join(component.strip_prefix("sha256:").unwrap())).unwrap(), wasm);
}

#[test]
fn large_components_go_up_in_pieces() {
    let Some(registry) = Registry::start() else { return };
    let site = Site::new();
    // A custom section of 40 MiB: more than two pieces.
    let mut wasm = fs::read(plugin("tenant")).unwrap();
    let size = 40 << 20;
    wasm.push(0);
    let mut rest = size + 2;
    while rest >= 0x80 {
        wasm.push((rest & 0x7f) as u8 | 0x80);
        rest >>= 7;
    }
    wasm.extend([rest as u8, 1, b'x']);
    wasm.extend(std::iter::repeat_n(7, size));
    site.write("large.wasm", &wasm);
    let reference = format!("oci://{}/team/large:1", registry.address());
    pushed(&site, "large.wasm", &reference);
    done(site.run(["plugin", "pull", &reference, "--out", "back.wasm"]));
    assert!(site.read("back.wasm") == wasm);
}

#[test]
fn a_configuration_is_locked_and_runs_without_the_registry() {
    let Some(registry) = Registry::start() else { return };
    let reference = format!("oci://{}/team/tenant:1", registry.address());
    let site = site(&reference, "");
    site.write("one.wasm", stamped("tenant", "version", "1"));
    site.write("two.wasm", stamped("tenant", "version", "2"));
    let one = pushed(&site, "one.wasm", &reference);

    let run = site.run(["check"]);
    assert_eq!(run.code, Some(2), "{run}");
    assert!(run.err.contains("E221") && run.err.contains("tamis plugin lock"), "{run}");
    done(site.run(["plugin", "lock"]));
    let lock: serde_json::Value = serde_json::from_slice(&site.read("tamis.lock")).unwrap();
    assert_eq!(lock["plugins"][&reference]["manifest"], one["digest"]);
    done(site.run(["check"]));
    runs(&site);

    // The tag moves: refused with both digests, by check and by run, until the lock is renewed.
    let two = pushed(&site, "two.wasm", &reference);
    assert_eq!(two["moved_from"], one["digest"]);
    for arguments in [&["check"][..], &["run", "--once"]] {
        let run = site.run(arguments);
        assert_eq!(run.code, Some(2), "{run}");
        for part in ["E220", "has moved", &text(&one["digest"]), &text(&two["digest"])] {
            assert!(run.err.contains(part), "{part}: {run}");
        }
    }
    let refused = site.run(["plugin", "push", "one.wasm", &reference, "--no-move"]);
    assert_eq!(refused.code, Some(1), "{refused}");
    let moved = site.run(["plugin", "pull", &format!("{reference}@{}", text(&one["digest"])), "--out", "x.wasm"]);
    assert_eq!(moved.code, Some(1), "{moved}");
    assert!(moved.err.contains("has moved") && !site.path("x.wasm").exists(), "{moved}");
    let renewed = done(site.run(["plugin", "lock"]));
    assert!(renewed.text().contains(&format!("{} was {}", text(&two["digest"]), text(&one["digest"]))), "{renewed}");
    runs(&site);

    // Gone: what is kept runs, and the operator is told what is not known.
    drop(registry);
    let run = runs(&site);
    assert!(run.err.contains("whether the tag of") && run.err.contains("is not known"), "{run}");
    // Kept bytes that were changed are not run.
    let kept = site.path("data/plugins/sha256").join(text(&two["component"]).strip_prefix("sha256:").unwrap());
    let mut bytes = fs::read(&kept).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&kept, bytes).unwrap();
    let run = site.once();
    assert_eq!(run.code, Some(2), "{run}");
    assert!(run.err.contains("is damaged") && run.err.contains("cannot be reached"), "{run}");
}

#[test]
fn a_pinned_reference_needs_no_lock_and_check_writes_nothing() {
    let Some(registry) = Registry::start() else { return };
    let first = Site::new();
    first.write("one.wasm", stamped("tenant", "version", "1"));
    let told = pushed(&first, "one.wasm", &format!("oci://{}/team/tenant:1", registry.address()));
    let site = site(&text(&told["pinned"]), "");
    done(site.run(["check"]));
    assert!(!site.path("data").exists(), "check writes nothing");
    runs(&site);
    // Bytes that change behind the registry's back are not believed.
    let blob = registry.blob(&text(&told["component"]));
    let mut bytes = fs::read(&blob).unwrap();
    bytes[100] ^= 1;
    fs::write(&blob, bytes).unwrap();
    fs::remove_dir_all(site.path("data/plugins")).unwrap();
    let run = site.once();
    assert_eq!(run.code, Some(2), "{run}");
    assert!(run.err.contains("E222") && run.err.contains("sent other bytes"), "{run}");
    assert!(!site.path("data/plugins/sha256").join(text(&told["component"]).trim_start_matches("sha256:")).exists());
}

fn docker_config(site: &Site, registry: &str) -> PathBuf {
    let auth = tamis_tests::harness::base64(format!("{}:{}", USER.0, USER.1).as_bytes());
    site.write("docker/config.json", format!("{{\"auths\":{{\"{registry}\":{{\"auth\":\"{auth}\"}}}}}}"));
    site.path("docker")
}

#[test]
fn credentials_come_from_the_environment_or_docker_and_are_not_shown() {
    let Some(registry) = Registry::with_passwords() else { return };
    let site = Site::new();
    site.write("tenant.wasm", fs::read(plugin("tenant")).unwrap());
    let reference = format!("oci://{}/team/tenant:1", registry.address());
    let push = |set: &dyn Fn(&mut Command)| {
        let mut command = site.command(["plugin", "push", "tenant.wasm", &reference, "--log", "debug"]);
        command.env("HOME", site.path("nobody"));
        set(&mut command);
        tamis_tests::harness::Live::start(command).wait()
    };
    let refused = push(&|_| {});
    assert_eq!(refused.code, Some(1), "{refused}");
    assert!(refused.err.contains("does not allow it (401") && refused.err.contains("TAMIS_REGISTRY_USER"), "{refused}");
    let with = |registry: &str, password: &str| {
        let (registry, password) = (registry.to_owned(), password.to_owned());
        push(&move |command| {
            command.env("TAMIS_REGISTRY", &registry).env("TAMIS_REGISTRY_USER", USER.0).env("TAMIS_REGISTRY_PASSWORD", &password);
        })
    };
    assert_eq!(with(registry.address(), "wrong-s3cr3t").code, Some(1));
    assert_eq!(with("other.example", USER.1).code, Some(1), "credentials are for one registry alone");
    let done_with = [
        done(with(registry.address(), USER.1)),
        done(push(&|command| {
            command.env("DOCKER_CONFIG", docker_config(&site, registry.address()));
        })),
    ];
    for run in done_with {
        assert!(!run.err.contains(USER.1) && !run.text().contains(USER.1), "{run}");
    }
    let partly = push(&|command| {
        command.env("TAMIS_REGISTRY_USER", USER.0);
    });
    assert_eq!(partly.code, Some(2), "{partly}");
}

#[test]
fn the_catalogue_lists_folders_and_registries() {
    let Some(registry) = Registry::start() else { return };
    let reference = format!("oci://{}/team/tenant:1", registry.address());
    let site = site(&reference, "");
    site.write("plugins/tenant.wasm", stamped("tenant", "authors", "Team \u{1b}[2J|A"));
    site.write("plugins/noise.wasm", "noise");
    done(site.run(["plugin", "push", "plugins/tenant.wasm", &reference]));
    done(site.run(["plugin", "push", "plugins/tenant.wasm", &reference.replace("team/tenant", "other/tenant")]));
    done(site.run(["plugin", "lock"]));
    let in_registry = format!("oci://{}/team", registry.address());
    for place in ["plugins", &in_registry] {
        let run = done(site.run(["plugin", "list", place, "-c", "tamis.yaml", "--output", "json", "--docs", "pages"]));
        let list = run.json();
        assert_eq!(list.as_array().map(Vec::len), Some(1), "{run}");
        assert_eq!(list[0]["reads"], serde_json::json!(["ApiOwner"]), "{run}");
        assert_eq!(list[0]["writes"], serde_json::json!(["tenant"]));
        assert_eq!(list[0]["used_by"], serde_json::json!([{ "config": "tamis.yaml", "plugin": "tenant", "pipelines": ["main"] }]));
        assert!(!run.text().contains('\u{1b}'), "{run}");
        let table = done(site.run(["plugin", "list", place, "-c", "tamis.yaml"])).text();
        assert!(table.contains("tamis.yaml: main") && table.contains("nobody") && !table.contains('\u{1b}'), "{table}");
    }
    let index = String::from_utf8(site.read("pages/README.md")).unwrap();
    assert!(index.contains("\\|A") && !index.contains('\u{1b}'), "{index}");
    assert!(index.lines().any(|line| line.starts_with("| [tenant]") || line.contains("tenant")), "{index}");
    let all = done(site.run(["plugin", "list", &format!("oci://{}", registry.address()), "--output", "json"]));
    assert_eq!(all.json().as_array().map(Vec::len), Some(2), "{all}");
    assert_eq!(site.run(["plugin", "list", "data"]).code, Some(1), "no plugin there");
}
