//! Who may use the admin API, and what hostile clients get.

use super::operate::{append, host};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};
use tamis_tests::harness::{Address, Answer, Live, Site, eventually, request};

const ROLES: [&str; 3] = ["view", "tap", "operate"];

/// Routes with what they ask for, as the number of a role.
const ROUTES: [(&str, &str, usize); 7] = [
    ("GET", "/metrics", 0),
    ("GET", "/v1/status", 0),
    ("GET", "/v1/plan", 0),
    ("GET", "/v1/generations", 0),
    ("POST", "/v1/reload?dry_run=true", 2),
    ("POST", "/v1/reload", 2),
    ("POST", "/v1/rollback?to=77", 2),
];

/// A token for each role, made by the command: the tokens, and their lines for the configuration.
fn tokens(site: &Site) -> (Vec<String>, String) {
    let mut made = (Vec::new(), String::new());
    for role in ROLES {
        let run = site.run(["admin", "token", "--name", &format!("the-{role}"), "--role", role]);
        assert_eq!(run.code, Some(0), "{run}");
        let token = run.text().trim_end().to_owned();
        assert!(token.starts_with("tamis_") && token.len() == 70, "{token}");
        assert!(!run.err.contains(&token), "only once: {run}");
        made.1.push_str(run.err.lines().find(|line| line.contains("sha256: ")).unwrap());
        made.1.push('\n');
        made.0.push(token);
    }
    made
}

fn config(admin: &str, tokens: &str) -> String {
    format!(
        "
sources: {{ in: {{ type: file, paths: [input.ndjson] }} }}
pipelines: {{ main: {{ from: [in], to: [out] }} }}
sinks: {{ out: {{ type: file, path: out.ndjson }} }}
settings:
  admin: '{admin}'
  lanes: 2
{}",
        if tokens.is_empty() { String::new() } else { format!("  admin_tokens:\n{tokens}") }
    )
}

/// An address of this machine for one that the host says it listens on.
fn reached(address: &str) -> Address {
    Address::Tcp(address.replace("0.0.0.0", "127.0.0.1"))
}

fn ask(address: &Address, method: &str, path: &str, headers: &str) -> Answer {
    let text = format!("{method} {path} HTTP/1.1\r\nHost: tamis.example\r\n{headers}Content-Length: 0\r\nConnection: close\r\n\r\n");
    request(address, &text).unwrap()
}

#[test]
fn each_role_on_each_route_where_others_reach_it() {
    let site = Site::new();
    let (tokens, lines) = tokens(&site);
    site.config(&config("0.0.0.0:0", &lines));
    site.write("input.ndjson", "{\"a\":1}\n");
    let (mut live, address) = host(&site);
    let at = reached(&address);
    for (method, path, least) in ROUTES {
        for (number, token) in tokens.iter().enumerate() {
            let answer = ask(&at, method, path, &format!("Authorization: Bearer {token}\r\n"));
            let allowed = number >= least;
            assert_eq!(answer.status != 403, allowed, "{} on {path}: {}", ROLES[number], answer.head);
            assert!([200, 403, 409].contains(&answer.status), "{path}: {}", answer.head);
        }
        // Whatever is wrong with a token, the answer is the same.
        let wrong = [
            String::new(),
            "Authorization: Bearer nonsense\r\n".into(),
            format!("Authorization: Bearer {}x\r\n", tokens[2]),
            format!("Authorization: Bearer {}\r\n", &tokens[2][..69]),
            format!("Authorization: Basic {}\r\n", tokens[2]),
            format!("Authorization: Bearer {0}\r\nAuthorization: Bearer {0}\r\n", tokens[2]),
            format!("Authorization: Bearer {}\r\n", "x".repeat(5_000)),
        ];
        let mut bodies: Vec<_> = wrong.iter().map(|headers| ask(&at, method, path, headers)).map(|a| (a.status, a.body)).collect();
        bodies.dedup();
        assert_eq!(bodies.len(), 1, "{path}: {bodies:?}");
        assert_eq!(bodies[0].0, 401);
        assert!(serde_json::from_str::<serde_json::Value>(&bodies[0].1).unwrap()["error"].is_string());
        // Nor does it tell what there is.
        let none = ask(&at, method, "/nothing", "");
        assert_eq!((none.status, &none.body), (401, &bodies[0].1));
    }
    for path in ["/livez", "/readyz", "/", "/console.js", "/console.css"] {
        assert_eq!(ask(&at, "GET", path, "").status, 200, "{path}");
    }
    // The history tells whose token it was.
    let history = ask(&at, "GET", "/v1/generations", &format!("Authorization: Bearer {}\r\n", tokens[0])).body;
    assert!(history.contains("\"who\":\"the-operate\""), "{history}");
    live.says("the admin API refuses requests without a token that is good for them: 1 so far");
    assert!(tokens.iter().all(|token| !history.contains(token) && !live.err().contains(token)), "no token is told");
}

#[test]
fn commands_show_their_token_and_a_reload_takes_tokens_away_for_good() {
    let site = Site::new();
    let (tokens, lines) = tokens(&site);
    site.config(&config("127.0.0.1:0", &lines));
    site.write("input.ndjson", "");
    let (_live, address) = host(&site);
    let command = |verb: &[&str], token: &str, in_file: bool| {
        let mut command = site.command(verb.iter().chain(&["--admin", address.as_str()]));
        match (token, in_file) {
            ("", _) => {}
            (_, false) => drop(command.env("TAMIS_ADMIN_TOKEN", token)),
            (_, true) => drop(command.arg("--token-file").arg(site.write("token", format!("{token}\n")))),
        }
        Live::start(command).wait()
    };
    for in_file in [false, true] {
        assert_eq!(command(&["generations"], &tokens[0], in_file).code, Some(0));
        assert_eq!(command(&["reload", "--dry-run"], &tokens[2], in_file).code, Some(0));
        for (verb, token, says) in [
            (&["generations"][..], "", "--token-file"),
            (&["generations"], "nonsense", "does not know this token"),
            (&["reload"], &tokens[0], "not good for that"),
            (&["rollback"], &tokens[1], "not good for that"),
            (&["status"], "", "--token-file"),
        ] {
            let run = command(verb, token, in_file);
            assert_eq!(run.code, Some(1), "{verb:?}: {run}");
            assert!(run.err.contains(says) && (token.is_empty() || !run.err.contains(token)), "{verb:?}: {run}");
        }
    }
    assert_eq!(command(&["status"], "two words", false).code, Some(2));
    assert_eq!(site.run(["status", "--token-file", "nowhere"]).code, Some(2));

    // Without the first one.
    site.config(&config("127.0.0.1:0", &lines.lines().skip(1).map(|line| format!("{line}\n")).collect::<String>()));
    assert_eq!(command(&["generations"], &tokens[0], false).code, Some(0));
    let run = command(&["reload"], &tokens[2], false);
    assert_eq!(run.code, Some(0), "{run}");
    assert!(run.text().contains("  ~ settings settings: token `the-view` is removed"), "{run}");
    assert_eq!(command(&["generations"], &tokens[0], false).code, Some(1));
    let back = command(&["rollback"], &tokens[2], false);
    assert_eq!(back.code, Some(0), "{back}");
    assert_eq!(command(&["generations"], &tokens[0], false).code, Some(1), "a rollback does not bring it back");
    assert_eq!(command(&["generations"], &tokens[1], false).code, Some(0));
}

#[test]
fn where_others_reach_it_a_reload_without_tokens_shuts_it() {
    let site = Site::new();
    let (tokens, lines) = tokens(&site);
    site.config(&config("0.0.0.0:0", &lines));
    site.write("input.ndjson", "");
    let (live, address) = host(&site);
    site.config(&config("0.0.0.0:0", ""));
    live.signal("HUP");
    eventually("nobody may", || {
        ask(&reached(&address), "GET", "/v1/status", &format!("Authorization: Bearer {}\r\n", tokens[2])).status == 401
    });
    assert_eq!(ask(&reached(&address), "GET", "/v1/status", "").status, 401);
    assert_eq!(ask(&reached(&address), "GET", "/livez", "").status, 200);
}

#[test]
fn a_start_on_the_last_good_generation_brings_no_token_back() {
    let site = Site::new();
    let (tokens, lines) = tokens(&site);
    let sound = config("127.0.0.1:0", &lines);
    let start = |yaml: &str| {
        site.config(yaml);
        let (live, address) = host(&site);
        (live, Address::Tcp(address))
    };
    site.write("input.ndjson", "");
    let end = |live: Live| {
        live.signal("TERM");
        assert_eq!(live.wait().code, Some(0));
    };
    end(start(&sound).0);
    let works = |at: &Address, path: &str| {
        let status = |token: &String| {
            let text = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n");
            request(at, &text).unwrap().status
        };
        tokens.iter().map(status).collect::<Vec<_>>()
    };
    let fewer: String = lines.lines().take(2).map(|line| format!("{line}\n")).collect();
    for (yaml, expected) in [
        // Not sound, and no YAML: what the files still give works.
        (sound.replace("to: [out]", "to: [nowhere]"), [200, 200, 200]),
        (format!("{sound}sources: [\n"), [200, 200, 200]),
        (config("127.0.0.1:0", &fewer).replace("to: [out]", "to: [nowhere]"), [200, 200, 401]),
        (format!("{}sources: [\n", config("127.0.0.1:0", &fewer)), [200, 200, 401]),
        // None are named, or nothing can be read: nobody, rather than everybody.
        (config("127.0.0.1:0", "").replace("to: [out]", "to: [nowhere]"), [401, 401, 401]),
        ("sources: [\n".into(), [401, 401, 401]),
    ] {
        let (live, at) = start(&yaml);
        assert!(at.get("/readyz").unwrap().body.starts_with("degraded: "), "{yaml}");
        assert_eq!(works(&at, "/v1/status"), expected, "{yaml}");
        assert_eq!(at.get("/v1/status").unwrap().status, 401, "{yaml}");
        if expected == [401, 401, 401] {
            // Mended, they work again.
            site.config(&sound);
            live.signal("HUP");
            eventually("they work", || works(&at, "/v1/status") == [200, 200, 200]);
        }
        end(live);
    }
    // A lesser role is one too.
    let lesser = sound.replace("role: operate", "role: view").replace("to: [out]", "to: [nowhere]");
    let (_live, at) = start(&lesser);
    assert_eq!((works(&at, "/v1/status"), works(&at, "/v1/tap")[2]), (vec![200, 200, 200], 403));
}

#[test]
fn tokens_that_are_none_are_findings() {
    let site = Site::new();
    let hash = "a0".repeat(32);
    for (line, says) in [
        ("    a: { role: operate, sha256: secret-token }", "64 hexadecimal digits"),
        ("    a: { role: root, sha256: HASH }", "operate"),
        ("    a: { role: view }", "sha256"),
        ("    'a b': { role: view, sha256: HASH }", "a name"),
    ] {
        site.config(&config("127.0.0.1:0", &format!("{}\n", line.replace("HASH", &hash))));
        let run = site.run(["check"]);
        assert_eq!(run.code, Some(2), "{run}");
        assert!(run.err.contains(says) && run.err.contains("tamis.yaml:"), "{line}: {run}");
    }
    site.config(&config("127.0.0.1:0", &format!("    a: {{ role: view, sha256: {hash} }}\n")));
    assert_eq!(site.run(["check"]).code, Some(0));
    assert_eq!(site.run(["admin", "token", "--name", "a b", "--role", "view"]).code, Some(2));
}

#[test]
fn no_secret_is_told() {
    let secret = "hunter2-from-the-environment";
    let site = Site::new();
    let yaml = |bad: &str| {
        format!(
            "
sources: {{ in: {{ type: file, paths: [input.ndjson] }} }}
plugins: {{ tenant: {{ component: PLUGIN(tenant), grant: {{ read: [ApiOwner], write: [tenant] }}, config: {{ owners: {{ cio: '${{SECRET}}' }} }} }} }}
pipelines: {{ main: {{ from: [in], steps: [{{ plugin: tenant }}], to: [out] }} }}
sinks: {{ out: {{ type: http, url: 'http://127.0.0.1:9/${{SECRET}}', headers: {{ Authorization: 'Bearer ${{SECRET}}' }}, retry: {{ initial: 50ms }} }} }}
settings: {{ admin: 'unix:admin.sock', lanes: 1, shutdown_timeout: 0s{bad} }}"
        )
    };
    site.config(&yaml(""));
    site.write("input.ndjson", "{\"ApiOwner\":\"cio\"}\n");
    let mut command = site.command(["run"]);
    command.env("SECRET", secret);
    let mut live = Live::start(command);
    live.says("cannot deliver, trying again");
    let at = Address::Unix(site.path("admin.sock"));
    let post = |path: &str| request(&at, &format!("POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")).unwrap().body;
    let mut told = Vec::new();
    for bad in
        [", lanes: '${SECRET}'", ", admin: '${SECRET}'", ", data_dir: '${SECRET}'", ", batch: { records: '${SECRET}' }", ", '${SECRET}': 1"]
    {
        site.config(&yaml(bad));
        told.push(post("/v1/reload?dry_run=true"));
        told.push(post("/v1/reload?why=because"));
    }
    site.config(&yaml("").replace("retry: {", "compression: gzip, retry: {"));
    told.push(post("/v1/reload"));
    for path in ["/v1/plan", "/v1/status", "/v1/generations", "/metrics", "/readyz"] {
        told.push(at.get(path).unwrap().body);
    }
    told.push(live.err());
    for text in &told {
        assert!(!text.contains(secret) && !text.contains("hunter2"), "{text}");
    }
    assert!(told.iter().any(|text| text.contains("refused")) && told.iter().any(|text| text.contains("applied")), "{told:?}");
}

#[test]
fn writes_from_pages_of_other_sites_are_refused() {
    let site = Site::with(&config("127.0.0.1:0", ""), "");
    let (_live, address) = host(&site);
    let at = Address::Tcp(address);
    let post = |headers: &str| {
        let text =
            format!("POST /v1/reload?dry_run=true HTTP/1.1\r\nHost: localhost\r\n{headers}Content-Length: 0\r\nConnection: close\r\n\r\n");
        request(&at, &text).unwrap().status
    };
    for foreign in [
        "Origin: https://evil.example\r\n",
        "Origin: null\r\n",
        "Origin: http://localhost:8080\r\nSec-Fetch-Site: same-site\r\n",
        "Sec-Fetch-Site: cross-site\r\n",
    ] {
        assert_eq!(post(foreign), 403, "{foreign}");
    }
    for own in ["", "Sec-Fetch-Site: none\r\n", "Origin: http://localhost:9480\r\nSec-Fetch-Site: same-origin\r\n"] {
        assert_eq!(post(own), 200, "{own}");
    }
}

#[test]
fn hostile_clients_do_not_keep_the_host_from_delivering() {
    let site = Site::new();
    let (tokens, lines) = tokens(&site);
    site.config(&config("0.0.0.0:0", &lines));
    site.write("input.ndjson", "{\"n\":0}\n");
    let (mut live, address) = host(&site);
    let at = reached(&address);
    let Address::Tcp(tcp) = &at else { unreachable!() };
    let token = format!("Authorization: Bearer {}\r\n", tokens[2]);
    let raw = |text: &str| request(&at, text).map(|answer| answer.status);

    // Headers of a megabyte; bodies that are too large, that never come, that lie about themselves; queries of all kinds.
    let huge = raw(&format!("GET /livez HTTP/1.1\r\nHost: x\r\nX: {}\r\n\r\n", "x".repeat(1 << 20)));
    assert!(huge.is_err() || huge.is_ok_and(|status| status >= 400));
    let post =
        |path: &str, headers: &str| raw(&format!("POST {path} HTTP/1.1\r\nHost: x\r\n{token}{headers}Connection: close\r\n\r\n")).unwrap();
    assert_eq!(post("/v1/reload?dry_run=true", "Content-Length: 65537\r\n"), 413);
    assert_eq!(post("/v1/reload?dry_run=true", "Content-Length: 99999999999\r\n"), 413);
    let began = Instant::now();
    assert_eq!(post("/v1/reload?dry_run=true", "Content-Length: 1000\r\n"), 200, "nobody waits for a body");
    assert_eq!(post("/v1/reload?dry_run=true", "Transfer-Encoding: chunked\r\n"), 408, "nor for long for one of unknown length");
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    let why = "x".repeat(501);
    for bad in ["dry_run=maybe", "nonsense=1", "dry_run=true&dry_run=true", "to=-1", &format!("why={why}")] {
        assert_eq!(post(&format!("/v1/rollback?{bad}"), ""), 400, "{bad}");
    }

    // More connections than there are places, all silent or with half a request; some with a token that is none.
    let mut held: Vec<TcpStream> = Vec::new();
    for number in 0..300 {
        let Ok(mut stream) = TcpStream::connect(tcp) else { break };
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let said = match number % 3 {
            0 => "",
            1 => "GET /v1/status HTTP/1.1\r\nHost: x\r\nAuth",
            _ => "POST /v1/reload HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\nAuthorization: Bearer x\r\n\r\nhalf",
        };
        let _ = stream.write_all(said.as_bytes());
        held.push(stream);
    }
    assert!(held.len() >= 200, "{}", held.len());
    for n in 1..=50 {
        append(&site, &format!("{{\"n\":{n}}}"));
    }
    eventually("records are delivered meanwhile", || site.lines("out.ndjson").len() == 51);
    // Those who send nothing are cut off, so that others come in again.
    let began = Instant::now();
    assert_eq!(ask(&at, "GET", "/livez", "").status, 200);
    assert!(began.elapsed() < Duration::from_secs(40), "{:?}", began.elapsed());
    for stream in held.iter_mut().step_by(3).take(20) {
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest);
        assert!(rest.is_empty(), "{}", String::from_utf8_lossy(&rest));
    }
    drop(held);
    eventually("it answers as ever", || ask(&at, "GET", "/v1/status", &token).status == 200);
    append(&site, "{\"n\":51}");
    eventually("it delivers as ever", || site.lines("out.ndjson").len() == 52);
    assert!(live.runs() && !live.err().contains("internal fault"), "{}", live.err());
}
