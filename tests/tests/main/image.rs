//! What the container image holds, run as an orchestrator would: another root, read-only, a user nobody knows, no capabilities.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tamis_tests::harness::{Address, Live, Site, eventually, free_port, plugin, tamis};

/// A user that is in no list of users.
const USER: u32 = 54_321;

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

/// Whether this can be tested here; if not, says what is missing.
fn possible(tools: &[&str]) -> bool {
    let has = |tool: &str| std::env::var_os("PATH").is_some_and(|path| std::env::split_paths(&path).any(|p| p.join(tool).is_file()));
    if let Some(tool) = tools.iter().find(|tool| !has(tool)) {
        eprintln!("skipped: there is no {tool}; `make image-tools` sees to it on Debian");
        return false;
    }
    let mounts = Command::new("unshare").args(["-m", "true"]).stderr(Stdio::null()).status();
    if !mounts.is_ok_and(|status| status.success()) {
        eprintln!("skipped: a namespace of mounts needs root");
        return false;
    }
    true
}

#[track_caller]
fn succeeds(command: &mut Command) -> String {
    let run = command.output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
    assert!(run.status.success(), "{command:?}: {out}{err}");
    out.into_owned()
}

/// The image's root in `root`, as its two layers lay it out.
fn assemble(site: &Site) -> PathBuf {
    let assembled = site.path("assembled");
    succeeds(Command::new("sh").arg(source().join("deploy/image/assemble.sh")).arg(tamis()).arg(&assembled));
    let root = site.path("root");
    fs::create_dir(&root).unwrap();
    for layer in ["host", "glibc"] {
        succeeds(Command::new("cp").arg("-a").arg(assembled.join(layer).join(".")).arg(&root));
    }
    root
}

/// Starts the image's program in its root, with the site's folder `etc` at /etc/tamis, `plugins` at /plugins, `logs` at /logs and `data`
/// at /data, the only one that it may write.
fn start(site: &Site, root: &Path, arguments: &str) -> Live {
    for folder in ["dev", "proc", "logs"] {
        fs::create_dir_all(root.join(folder)).unwrap();
    }
    // As Kubernetes gives volumes to a group; here to 0, of which users of OpenShift are.
    fs::create_dir_all(site.path("data")).unwrap();
    fs::set_permissions(site.path("data"), fs::Permissions::from_mode(0o2770)).unwrap();
    let script = format!(
        "set -e
         root={}
         mount --bind $root $root
         mount --bind /dev $root/dev
         mount -t proc proc $root/proc
         for folder in logs plugins; do mount --bind $folder $root/$folder; mount -o remount,bind,ro $root/$folder; done
         mount --bind etc $root/etc/tamis
         mount --bind data $root/data
         mount -o remount,bind,ro $root
         ulimit -v 8388608
         cd /
         exec setpriv --no-new-privs --bounding-set=-all,+sys_chroot,+setuid,+setgid --inh-caps=-all \\
             chroot --userspec={USER}:0 --groups= $root /tamis {arguments}",
        root.display()
    );
    let mut command = site.shell("exec unshare -m sh -c \"$SCRIPT\"");
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap()).env("SCRIPT", script);
    Live::start(command)
}

fn status(live: &Live) -> String {
    fs::read_to_string(format!("/proc/{}/status", live.pid())).unwrap()
}

fn numbered(count: usize) -> String {
    (0..count).fold(String::new(), |mut text, n| {
        let _ = writeln!(text, "{{\"n\":{n},\"message\":\"mail to jane.doe@mail.example failed\"}}");
        text
    })
}

/// Writes what a sidecar needs: configuration, plugin, log.
fn prepare(site: &Site, port: u16, count: usize) {
    let config = format!(
        "version: 1
sources: {{ in: {{ type: file, paths: [/logs/*.log] }} }}
plugins:
  redact:
    component: /plugins/redact.wasm
    grant: {{ read: [message], write: [message] }}
    config: {{ fields: [message], mode: mask, key: a-key-of-the-tests }}
pipelines: {{ main: {{ from: [in], steps: [ {{ plugin: redact }} ], to: [out] }} }}
sinks: {{ out: {{ type: file, path: /data/out.ndjson }} }}
settings: {{ admin: \"127.0.0.1:{port}\", lanes: 2, data_dir: /data }}
"
    );
    site.write("etc/tamis.yaml", config);
    site.write("logs/gateway.log", numbered(count));
    fs::create_dir_all(site.path("plugins")).unwrap();
    fs::copy(plugin("redact"), site.path("plugins/redact.wasm")).unwrap();
    fs::set_permissions(site.path("."), fs::Permissions::from_mode(0o755)).unwrap();
}

/// What must hold of a host in the image: it runs as it should, delivers all, stops in good order and writes nowhere else.
fn runs_as_it_should(site: &Site, root: &Path, port: u16, count: usize, arguments: &str) {
    let address = Address::Tcp(format!("127.0.0.1:{port}"));
    let ready = || {
        let mut live = start(site, root, arguments);
        eventually("it is ready", || {
            assert!(live.runs(), "{}", live.err());
            address.get("/readyz").is_ok_and(|answer| answer.status == 200 && answer.body.trim() == "ready")
        });
        live
    };
    let live = ready();
    let status = status(&live);
    let line = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().trim().to_owned();
    assert_eq!(line("Name:"), "tamis", "{status}");
    assert!(line("Uid:").split('\t').all(|id| id == USER.to_string()) && line("Gid:").split('\t').all(|id| id == "0"), "{status}");
    for set in ["CapInh:", "CapPrm:", "CapEff:", "CapAmb:"] {
        assert_eq!(line(set), "0000000000000000", "{set} {status}");
    }
    assert_eq!(line("NoNewPrivs:"), "1", "{status}");
    let limits = fs::read_to_string(format!("/proc/{}/limits", live.pid())).unwrap();
    assert!(limits.lines().any(|line| line.starts_with("Max address space") && line.contains("8589934592")), "{limits}");
    assert!(live.err().contains("the sandbox's pool of"), "8 GiB of addresses are not enough for the pool, and it says so: {}", live.err());

    // The chart's probe where there are no tokens.
    let probe = format!("status --admin 127.0.0.1:{port}");
    let asked = start(site, root, &probe).wait();
    assert_eq!(asked.code, Some(0), "{asked}");

    eventually("half of it", || site.lines("data/out.ndjson").len() >= count / 2);
    // What comes while it runs, and a stop right after.
    let mut log = fs::OpenOptions::new().append(true).open(site.path("logs/gateway.log")).unwrap();
    log.write_all(numbered(count).as_bytes()).unwrap();
    eventually("some of the rest", || site.lines("data/out.ndjson").len() > count);
    live.signal("TERM");
    let run = live.wait();
    assert_eq!(run.code, Some(0), "{run}");
    let first = site.lines("data/out.ndjson");
    assert!(first.iter().all(|line| !line.contains("jane.doe")), "what the plugin has not seen came out");

    // The same container again goes on where the first one ended.
    let live = ready();
    eventually("the rest", || site.lines("data/out.ndjson").len() >= 2 * count);
    live.signal("TERM");
    let run = live.wait();
    assert_eq!(run.code, Some(0), "{run}");
    let lines = site.lines("data/out.ndjson");
    assert_eq!(lines.len(), 2 * count, "each record once");
    for half in lines.chunks(count) {
        assert!(half.iter().enumerate().all(|(n, line)| line.starts_with(&format!("{{\"n\":{n},"))), "in order");
    }
    let asked = start(site, root, &probe).wait();
    assert_eq!(asked.code, Some(3), "nobody answers: {asked}");
    assert!(site.path("data/cache").read_dir().unwrap().next().is_some(), "compiled code is kept");
}

#[test]
fn the_image_runs_as_any_user_with_a_root_that_cannot_be_written() {
    if !possible(&["setpriv", "unshare", "strip", "dpkg-query"]) {
        return;
    }
    let site = Site::new();
    let root = assemble(&site);
    let (port, count) = (free_port(), 20_000);
    prepare(&site, port, count);
    runs_as_it_should(&site, &root, port, count, "run -c /etc/tamis/tamis.yaml");
}

#[test]
fn each_library_of_the_image_is_there_with_its_licence() {
    if !possible(&["strip", "dpkg-query"]) {
        return;
    }
    let site = Site::new();
    let root = assemble(&site);
    let linked = succeeds(Command::new("ldd").arg(tamis()));
    let libraries = linked.lines().filter_map(|line| line.trim().split_once(" => ")).map(|(name, _)| name);
    let found = succeeds(Command::new("find").arg(&root).args(["-type", "f", "-printf", "/%P %m\n"]));
    for library in libraries {
        assert!(found.lines().any(|line| line.contains(&format!("/{library} "))), "{library} is missing: {found}");
    }
    for licence in ["/usr/share/doc/tamis/LICENSE", "/usr/share/doc/tamis/NOTICE", "/usr/share/doc/libc6/copyright"] {
        assert!(found.contains(licence), "{licence} is missing: {found}");
    }
    let executable: Vec<_> = found.lines().filter(|line| line.ends_with(" 755") && !line.contains(".so.")).collect();
    assert_eq!(executable, ["/tamis 755"], "no shell, nothing else to run");
    let privileged = succeeds(Command::new("find").arg(&root).args(["-type", "f", "-perm", "/6022"]));
    assert_eq!(privileged, "", "files that others may write, or that change the user");
}

#[test]
fn the_packed_image_runs_by_its_own_command() {
    if !possible(&["buildah", "setpriv", "unshare", "strip", "dpkg-query"]) {
        return;
    }
    let site = Site::new();
    let components = plugin("redact").parent().unwrap().to_owned();
    let build = || {
        let mut command = Command::new("sh");
        command.arg(source().join("deploy/image/build.sh"));
        command.env("TAMIS", tamis()).env("COMPONENTS", &components).env("OUT", site.path("image")).env("SOURCE_DATE_EPOCH", "1000000000");
        command
    };
    let told = succeeds(&mut build());
    assert!(told.contains("tamis-plugins") && told.contains("packed"), "{told}");
    let (manifest, config) = unpack(&site, "tamis", "root");
    let bytes: u64 = manifest["layers"].as_array().unwrap().iter().map(|layer| layer["size"].as_u64().unwrap()).sum();
    assert!(bytes < 40 << 20, "{bytes} bytes packed");
    assert_eq!(config["config"]["User"], "10001");
    let labels = &config["config"]["Labels"];
    assert_eq!(labels["org.opencontainers.image.version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(labels["org.opencontainers.image.licenses"], "Apache-2.0");
    let words = |key: &str| config["config"][key].as_array().unwrap().iter().map(|w| w.as_str().unwrap().to_owned()).collect::<Vec<_>>();
    assert_eq!(words("Entrypoint"), ["/tamis"]);

    let (port, count) = (free_port(), 5_000);
    prepare(&site, port, count);
    // The plugin of the other image, as an image volume gives it.
    unpack(&site, "tamis-plugins", "volume");
    assert_eq!(fs::read(site.path("volume/redact.wasm")).unwrap(), fs::read(plugin("redact")).unwrap());
    fs::copy(site.path("volume/redact.wasm"), site.path("plugins/redact.wasm")).unwrap();
    let root = site.path("root");
    runs_as_it_should(&site, &root, port, count, &words("Cmd").join(" "));

    // The same again: the same bytes.
    let digests = |manifest: &serde_json::Value| manifest["layers"].clone();
    succeeds(&mut build());
    let (again, _) = unpack(&site, "tamis", "again");
    assert_eq!(digests(&manifest), digests(&again), "the same commit gives the same layers");
}

/// Unpacks an archive's layers into a folder of the site; gives manifest and configuration.
fn unpack(site: &Site, name: &str, into: &str) -> (serde_json::Value, serde_json::Value) {
    let archive = site.path(&format!("{into}.oci"));
    fs::create_dir_all(&archive).unwrap();
    fs::create_dir_all(site.path(into)).unwrap();
    succeeds(Command::new("tar").arg("-xf").arg(site.path(&format!("image/{name}.oci.tar"))).arg("-C").arg(&archive));
    let blob = |digest: &serde_json::Value| archive.join("blobs").join(digest["digest"].as_str().unwrap().replace(':', "/"));
    let json = |path: &Path| serde_json::from_slice::<serde_json::Value>(&fs::read(path).unwrap()).unwrap();
    let manifest = json(&blob(&json(&archive.join("index.json"))["manifests"][0]));
    for layer in manifest["layers"].as_array().unwrap() {
        succeeds(Command::new("tar").arg("-xpzf").arg(blob(layer)).arg("-C").arg(site.path(into)));
    }
    let config = json(&blob(&manifest["config"]));
    (manifest, config)
}
