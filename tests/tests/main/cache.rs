//! Compiled plugins on disk: what this host did not write is never loaded, and no cache is no failure.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;
use tamis_tests::harness::{Run, Site, Tmpfs};

const CONFIG: &str = "
sources: { in: { type: file, paths: [input.ndjson] } }
plugins:
  h: { component: PLUGIN(hostile), grant: { read: [message], write: [.] }, config: nothing }
  r: { component: PLUGIN(redact), grant: { read: [message], write: [message] }, config: { fields: [message] } }
pipelines: { main: { from: [in], steps: [ { plugin: h }, { plugin: r } ], to: { default: [out], errors: [] } } }
sinks: { out: { type: file, path: out.ndjson } }";
const INPUT: &str = "{\"message\":\"to jean.dupont@courriel.example\"}\n";
const OUTPUT: &str = "{\"message\":\"to [email]\",\"a\":\"to jean.dupont@courriel.example!\"}";

/// Runs once more, with success and the right output.
fn again(site: &Site) -> Run {
    fs::remove_file(site.path("out.ndjson")).ok();
    let run = site.once();
    assert_eq!(run.code, Some(0), "{run}");
    run.report().conserved();
    assert_eq!(site.lines("out.ndjson"), [OUTPUT], "{run}");
    run
}

fn warm() -> (Site, Vec<PathBuf>) {
    let site = Site::with(CONFIG, INPUT);
    let run = again(&site);
    assert!(!run.err.contains("cache"), "{run}");
    let mut entries: Vec<PathBuf> = fs::read_dir(site.path("data/cache")).unwrap().map(|e| e.unwrap().path()).collect();
    entries.sort();
    assert_eq!(entries.len(), 2, "an entry for each plugin: {entries:?}");
    (site, entries)
}

#[test]
fn entries_are_their_owners_alone_and_are_used() {
    let (site, entries) = warm();
    let mode = |path: &std::path::Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&site.path("data/cache")), mode(&site.path("data/cache.key"))), (0o700, 0o600));
    assert!(entries.iter().all(|entry| mode(entry) == 0o600));
    let times: Vec<_> = entries.iter().map(|entry| entry.metadata().unwrap().modified().unwrap()).collect();
    assert!(!again(&site).err.contains("not loaded"));
    assert_eq!(
        entries.iter().map(|entry| entry.metadata().unwrap().modified().unwrap()).collect::<Vec<_>>(),
        times,
        "nothing was compiled again"
    );
}

#[test]
fn a_forged_entry_is_never_loaded() {
    let (site, entries) = warm();
    let [first, second] = [0, 1].map(|i| fs::read(&entries[i]).unwrap());
    let reported = |run: &Run, count: usize, what: &str| {
        assert_eq!(run.err.matches("is not loaded").count(), count, "{what}: {run}");
        assert!(run.err.contains("compiled anew and replaced"), "{what}: {run}");
        // Replaced: the next start has nothing to report.
        assert!(!again(&site).err.contains("is not loaded"), "{what}");
    };
    // A byte flipped: in the name of the format, in the code, in its proof, at the end.
    for place in [0, 12, 30, 60, first.len() / 2, first.len() - 1] {
        let mut forged = fs::read(&entries[0]).unwrap();
        forged[place] ^= 1;
        fs::write(&entries[0], forged).unwrap();
        reported(&again(&site), 1, &format!("byte {place}"));
    }
    for (what, bytes) in [
        ("empty", Vec::new()),
        ("cut", first[..first.len() / 2].to_vec()),
        ("longer", [first.as_slice(), b"x"].concat()),
        ("noise", vec![0x90; 10_000]),
    ] {
        fs::write(&entries[0], bytes).unwrap();
        reported(&again(&site), 1, what);
    }
    // Two entries swapped: both are this host's own work, each for the other plugin.
    fs::write(&entries[0], &second).unwrap();
    fs::write(&entries[1], &first).unwrap();
    reported(&again(&site), 2, "swapped");
    // A link to bytes that are in order.
    fs::rename(&entries[0], site.path("elsewhere")).unwrap();
    symlink(site.path("elsewhere"), &entries[0]).unwrap();
    reported(&again(&site), 1, "link");
    // Writable by others.
    fs::set_permissions(&entries[0], fs::Permissions::from_mode(0o666)).unwrap();
    reported(&again(&site), 1, "open to others");
    // Another key: nothing that was written counts any more.
    fs::write(site.path("data/cache.key"), [7; 32]).unwrap();
    reported(&again(&site), 2, "another key");
}

#[test]
fn a_folder_that_is_a_link_is_no_cache() {
    let (site, _) = warm();
    fs::rename(site.path("data/cache"), site.path("moved")).unwrap();
    symlink(site.path("moved"), site.path("data/cache")).unwrap();
    let run = again(&site);
    assert!(run.err.contains("compiled plugins are not cached"), "{run}");
}

#[test]
fn check_makes_no_cache() {
    let site = Site::with(CONFIG, INPUT);
    assert_eq!(site.run(["check"]).code, Some(0));
    assert_eq!(site.run(["explain"]).code, Some(0));
    assert!(!site.path("data").exists(), "a plan writes nothing");
}

#[test]
fn a_data_directory_that_cannot_be_written_is_no_failure() {
    // Not even root can make a folder there.
    let site = Site::with(&format!("{CONFIG}\nsettings: {{ admin: off, lanes: 2, data_dir: /proc/tamis }}"), INPUT);
    let run = again(&site);
    assert!(run.err.contains("compiled plugins are not cached"), "{run}");
    let Some(disk) = Tmpfs::mount(&site.path("data"), "size=64m") else { return };
    site.config(CONFIG);
    assert!(!again(&site).err.contains("cache"), "writable first");
    disk.remount("ro");
    again(&site);
}

#[test]
fn little_address_space_is_enough() {
    let site = Site::with(CONFIG, INPUT);
    let run = site.start_shell("ulimit -v 8388608; exec \"$TAMIS\" run --once --report 0 --output json").wait();
    assert_eq!(run.code, Some(0), "{run}");
    run.report().conserved();
    assert_eq!(site.lines("out.ndjson"), [OUTPUT]);
}
