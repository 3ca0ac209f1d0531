//! Signatures that `minisign` believes, and its own that we believe.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output};
use tamis_tests::harness::{Live, Run, Site, is_installed, plugin};

fn with_keys() -> Site {
    let site = Site::new();
    site.write("tenant.wasm", fs::read(plugin("tenant")).unwrap());
    let run = site.run(["plugin", "keygen", "--no-password"]);
    assert_eq!(run.code, Some(0), "{run}");
    assert_eq!(site.path("tamis.key").metadata().unwrap().permissions().mode() & 0o777, 0o600);
    assert!(!run.text().contains(&site.lines("tamis.key")[1]), "the secret is not printed");
    site
}

fn minisign(site: &Site, arguments: &[&str]) -> Output {
    Command::new("minisign").args(arguments).current_dir(site.path("")).output().unwrap()
}

fn with_password(site: &Site, arguments: &[&str], password: &str) -> Run {
    let mut command = site.command(arguments);
    command.env("TAMIS_SIGNING_PASSWORD", password);
    Live::start(command).wait()
}

#[test]
fn minisign_verifies_what_we_sign() {
    let site = with_keys();
    let run = site.run(["plugin", "sign", "tenant.wasm", "--output", "json"]);
    assert_eq!(run.code, Some(0), "{run}");
    let run = site.run(["plugin", "verify", "tenant.wasm", "--key", "tamis.pub"]);
    assert_eq!(run.code, Some(0), "{run}");
    assert!(run.text().contains("file:tenant.wasm sha256:"), "{run}");
    if !is_installed("minisign") {
        return;
    }
    let verified = minisign(&site, &["-V", "-p", "tamis.pub", "-m", "tenant.wasm"]);
    assert!(verified.status.success(), "{verified:?}");
    assert!(String::from_utf8_lossy(&verified.stdout).contains("Signature and comment signature verified"), "{verified:?}");
    let mut changed = site.read("tenant.wasm");
    changed[100] ^= 1;
    site.write("tenant.wasm", changed);
    assert!(!minisign(&site, &["-V", "-p", "tamis.pub", "-m", "tenant.wasm"]).status.success());
    let run = site.run(["plugin", "verify", "tenant.wasm", "--key", "tamis.pub"]);
    assert_eq!(run.code, Some(1), "{run}");
    assert!(run.err.contains("is not one of these bytes"), "{run}");
}

#[test]
fn we_verify_what_minisign_signs() {
    if !is_installed("minisign") {
        return;
    }
    let site = Site::new();
    site.write("tenant.wasm", fs::read(plugin("tenant")).unwrap());
    let made = minisign(&site, &["-G", "-W", "-p", "m.pub", "-s", "m.key"]);
    assert!(made.status.success(), "{made:?}");
    let signed = minisign(&site, &["-S", "-s", "m.key", "-m", "tenant.wasm", "-t", "by minisign"]);
    assert!(signed.status.success(), "{signed:?}");
    let key = site.lines("m.pub")[1].clone();
    for named in ["m.pub", &key] {
        let run = site.run(["plugin", "verify", "tenant.wasm", "--key", named, "--output", "json"]);
        assert_eq!(run.code, Some(0), "{run}");
        assert_eq!(run.json()["comment"], "by minisign");
    }
    // Its secret key signs with us too.
    fs::remove_file(site.path("tenant.wasm.minisig")).unwrap();
    let run = site.run(["plugin", "sign", "tenant.wasm", "--key", "m.key"]);
    assert_eq!(run.code, Some(0), "{run}");
    assert!(minisign(&site, &["-V", "-p", "m.pub", "-m", "tenant.wasm"]).status.success());
}

#[test]
fn keys_with_passwords_work_in_scripts() {
    let site = Site::new();
    site.write("tenant.wasm", fs::read(plugin("tenant")).unwrap());
    let none = site.run(["plugin", "keygen", "--out", "team.key"]);
    assert_eq!(none.code, Some(2), "{none}");
    assert!(none.err.contains("TAMIS_SIGNING_PASSWORD") && !site.path("team.key").exists(), "{none}");
    let made = with_password(&site, &["plugin", "keygen", "--out", "team.key"], "pass s3cr3t");
    assert_eq!(made.code, Some(0), "{made}");
    let over = with_password(&site, &["plugin", "keygen", "--out", "team.key"], "pass s3cr3t");
    assert_eq!(over.code, Some(2), "{over}");
    let wrong = with_password(&site, &["plugin", "sign", "tenant.wasm", "--key", "team.key"], "other");
    assert_eq!(wrong.code, Some(2), "{wrong}");
    assert!(wrong.err.contains("the password is not the one of the secret key"), "{wrong}");
    site.write("password", "pass s3cr3t\n");
    let run = site.run(["plugin", "sign", "tenant.wasm", "--key", "team.key", "--password-file", "password"]);
    assert_eq!(run.code, Some(0), "{run}");
    // From the environment alone, as in a build.
    let text = String::from_utf8(site.read("team.key")).unwrap();
    fs::rename(site.path("team.key"), site.path("elsewhere")).unwrap();
    let mut command = site.command(["plugin", "sign", "tenant.wasm"]);
    command.env("TAMIS_SIGNING_KEY", text).env("TAMIS_SIGNING_PASSWORD", "pass s3cr3t");
    let run = Live::start(command).wait();
    assert_eq!(run.code, Some(0), "{run}");
    assert!(!format!("{run}{made}{wrong}").contains("s3cr3t"));
    assert_eq!(site.run(["plugin", "verify", "tenant.wasm", "--key", "team.pub"]).code, Some(0));
}

#[test]
fn what_does_not_hold_is_told() {
    let site = with_keys();
    let verify = |key: &str, says: &str, code: i32| {
        let run = site.run(["plugin", "verify", "tenant.wasm", "--key", key]);
        assert_eq!(run.code, Some(code), "{run}");
        assert!(run.err.contains(says), "{says}: {run}");
    };
    verify("tamis.pub", "there is no signature: expected tenant.wasm.minisig", 1);
    verify("missing.pub", "expected a public key (`RW…`) or its file", 2);
    verify("tenant.wasm", "larger than 4096 bytes", 2);
    site.write("noise.pub", "noise");
    verify("noise.pub", "expected a public key in minisign's format", 2);
    site.write("tenant.wasm.minisig", "noise\n\u{1b}[2J");
    verify("tamis.pub", "expected a signature in minisign's format", 1);
    assert_eq!(site.run(["plugin", "sign", "tenant.wasm"]).code, Some(0));
    assert_eq!(site.run(["plugin", "keygen", "--no-password", "--out", "other.key"]).code, Some(0));
    verify("other.pub", "; expected", 1);
    let run = site.run(["plugin", "sign", "tenant.wasm", "--key", "tamis.pub"]);
    assert_eq!(run.code, Some(2), "{run}");
    assert!(run.err.contains("expected a secret key in minisign's format"), "{run}");
}

#[test]
fn the_public_key_does_not_take_the_secret_ones_place() {
    let site = Site::new();
    let run = site.run(["plugin", "keygen", "--no-password", "--out", "k.pub"]);
    assert_eq!((run.code, site.path("k.pub").exists()), (Some(2), false), "{run}");
    let run = site.run(["plugin", "verify", "no\u{1b}[31m.wasm", "--key", "nowhere.pub"]);
    assert!(run.code != Some(0) && !run.err.contains('\u{1b}'), "{run}");
}
