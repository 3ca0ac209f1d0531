//! The policy: what it refuses never reaches the compiler.

use crate::registry::{config, done, runs, site, stamped};
use std::fs;
use tamis_tests::harness::{Registry, Run, Site};

/// `settings` that keep compiled plugins where a test can see that there are none.
fn signed_site(component: &str) -> Site {
    let site = site(component, "");
    site.write("plugins/tenant.wasm", stamped("tenant", "version", "1"));
    done(site.run(["plugin", "keygen", "--no-password"]));
    done(site.run(["plugin", "keygen", "--no-password", "--out", "other.key"]));
    site.config(&config(component, "plugins_policy: { require_signature: [tamis.pub] }"));
    site
}

/// Refused by check and run with this code and text, before anything was compiled.
#[track_caller]
fn refused(site: &Site, code: &str, says: &str) -> Run {
    for arguments in [&["check"][..], &["run", "--once"]] {
        let run = site.run(arguments);
        assert_eq!(run.code, Some(2), "{run}");
        assert!(run.err.contains(code) && run.err.contains(says), "expected {code} and `{says}`: {run}");
        assert!(run.err.contains("tamis.yaml:5:"), "the place of the component: {run}");
    }
    let compiled = fs::read_dir(site.path("data/cache")).map(|entries| entries.count()).unwrap_or_default();
    assert_eq!(compiled, 0, "nothing was compiled");
    site.run(["check"])
}

#[test]
fn only_signed_components_are_loaded() {
    let site = signed_site("plugins/tenant.wasm");
    refused(&site, "E219", "is not signed; the policy asks for a signature by the key");
    done(site.run(["plugin", "sign", "plugins/tenant.wasm", "--key", "other.key"]));
    refused(&site, "E219", "signed by the key");
    site.write("plugins/tenant.wasm.minisig", "noise");
    refused(&site, "E219", "expected a signature in minisign's format");
    site.write("plugins/tenant.wasm.minisig", vec![b'x'; 1 << 20]);
    refused(&site, "E219", "expected a signature in minisign's format");
    done(site.run(["plugin", "sign", "plugins/tenant.wasm"]));
    site.write("plugins/tenant.wasm", stamped("tenant", "version", "2"));
    refused(&site, "E219", "is not one of these bytes");
    // Bytes that wasmtime would choke on are not even looked at.
    site.write("plugins/tenant.wasm", "noise");
    refused(&site, "E219", "is not one of these bytes");
    site.write("plugins/tenant.wasm", stamped("tenant", "version", "1"));
    runs(&site);
    let explained = done(site.run(["explain"])).text();
    assert!(explained.contains("signed by"), "{explained}");
    // One key of several is enough; a key may stand in the configuration itself.
    let key = site.lines("tamis.pub")[1].clone();
    site.config(&config("plugins/tenant.wasm", &format!("plugins_policy: {{ require_signature: [other.pub, {key}] }}")));
    runs(&site);
}

#[test]
fn a_policy_that_cannot_be_read_lets_nothing_pass() {
    let site = signed_site("plugins/tenant.wasm");
    done(site.run(["plugin", "sign", "plugins/tenant.wasm"]));
    for (keys, says) in [
        ("missing.pub", "missing.pub"),
        ("tamis.yaml", "expected a public key"),
        ("RWQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA!!", "expected a public key"),
    ] {
        site.config(&config("plugins/tenant.wasm", &format!("plugins_policy: {{ require_signature: [tamis.pub, \"{keys}\"] }}")));
        refused(&site, "E219", says);
    }
    site.config(&config("plugins/tenant.wasm", "plugins_policy: { require_signature: [] }"));
    let run = site.run(["check"]);
    assert!(run.code == Some(2) && run.err.contains("the list is empty"), "{run}");
}

#[test]
fn components_come_from_where_the_policy_allows() {
    let site = site("plugins/tenant.wasm", "");
    site.write("plugins/tenant.wasm", stamped("tenant", "version", "1"));
    site.write("elsewhere/tenant.wasm", stamped("tenant", "version", "1"));
    let policy = "plugins_policy: { allow: [\"oci://127.0.0.1:1/team/*\", \"plugins/*\"] }";
    for component in ["elsewhere/tenant.wasm", "plugins/../elsewhere/tenant.wasm", "oci://127.0.0.1:1/other/tenant:1"] {
        site.config(&config(component, policy));
        refused(&site, "E218", "it matches none of `oci://127.0.0.1:1/team/*` or `plugins/*`");
    }
    site.config(&config("plugins/tenant.wasm", policy));
    runs(&site);
}

#[test]
fn the_signature_travels_with_the_artefact() {
    let Some(registry) = Registry::start() else { return };
    let reference = format!("oci://{}/team/tenant:1", registry.address());
    let site = signed_site(&reference);
    done(site.run(["plugin", "push", "plugins/tenant.wasm", &reference]));
    done(site.run(["plugin", "lock"]));
    refused(&site, "E219", "is not signed");
    done(site.run(["plugin", "sign", "plugins/tenant.wasm", "--key", "other.key"]));
    done(site.run(["plugin", "push", "plugins/tenant.wasm", &reference]));
    refused(&site, "E220", "has moved");
    done(site.run(["plugin", "lock"]));
    refused(&site, "E219", "signed by the key");
    let wrong = site.run(["plugin", "pull", &reference, "--out", "x.wasm", "--key", "tamis.pub"]);
    assert!(wrong.code == Some(1) && wrong.err.contains("nothing is written") && !site.path("x.wasm").exists(), "{wrong}");
    done(site.run(["plugin", "sign", "plugins/tenant.wasm"]));
    done(site.run(["plugin", "push", "plugins/tenant.wasm", &reference]));
    done(site.run(["plugin", "lock"]));
    runs(&site);
    done(site.run(["plugin", "pull", &reference, "--out", "x.wasm", "--key", "tamis.pub"]));
    assert_eq!(site.read("x.wasm.minisig"), site.read("plugins/tenant.wasm.minisig"));
    let list = done(site.run(["plugin", "list", &reference[..reference.len() - 2], "--key", "tamis.pub", "--output", "json"])).json();
    assert_eq!(list[0]["verified"], true, "{list}");
    // Without the registry the signature is still there, and checked.
    drop(registry);
    runs(&site);
    site.config(&config(&reference, "plugins_policy: { require_signature: [other.pub] }"));
    let run = site.run(["check"]);
    assert!(run.code == Some(2) && run.err.contains("E219"), "{run}");
}
