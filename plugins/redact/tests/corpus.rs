//! Precision and recall over generated gateway logs, with a fixed seed.

mod support;

use fastrand::Rng;
use support::{Became, plugin, run};

const CLEAN_LINES: usize = 20_000;
const PLANTED: usize = 5_000;

const ALL: &str = r#"{"fields":[{"path":"message","kind":"text"}],"detectors":{"ip":{"mode":"mask","keep_private":true}}}"#;

fn pick<'a>(rng: &mut Rng, of: &[&'a str]) -> &'a str {
    of[rng.usize(..of.len())]
}

fn hex(rng: &mut Rng, digits: usize) -> String {
    (0..digits).map(|_| char::from(b"0123456789abcdef"[rng.usize(..16)])).collect()
}

fn digits(rng: &mut Rng, count: usize) -> String {
    (0..count).map(|_| rng.digit(10)).collect()
}

fn uuid(rng: &mut Rng) -> String {
    format!("{}-{}-4{}-a{}-{}", hex(rng, 8), hex(rng, 4), hex(rng, 3), hex(rng, 3), hex(rng, 12))
}

fn private_address(rng: &mut Rng) -> String {
    format!("10.{}.{}.{}", rng.u8(..), rng.u8(..), rng.u8(1..255))
}

fn stamp(rng: &mut Rng) -> String {
    format!(
        "2025-{:02}-{:02}{}{:02}:{:02}:{:02}{}{:03}",
        rng.u8(1..=12),
        rng.u8(1..=28),
        pick(rng, &["T", " "]),
        rng.u8(..24),
        rng.u8(..60),
        rng.u8(..60),
        pick(rng, &[",", "."]),
        rng.u16(..1000)
    )
}

fn api(rng: &mut Rng) -> &'static str {
    pick(rng, &["s2sPrediction", "SampleAPI", "TrackParcel", "PizzaShack", "address-check", "Relais", "mailStatus"])
}

fn path(rng: &mut Rng) -> String {
    let resource = pick(rng, &["predict", "parcels", "orders", "customers", "depots", "events", "labels"]);
    let id = match rng.u8(..6) {
        0 => uuid(rng),
        1 => hex(rng, 24),
        2 => {
            let n = rng.usize(1..12);
            let lead = rng.u8(1..10).to_string();
            format!("{lead}{}", digits(rng, n))
        }
        3 => format!("FR{}", digits(rng, 8)),
        4 => format!("{}{}FR", pick(rng, &["LX", "RR", "8R"]), digits(rng, 9)),
        _ => format!("{}-{}", pick(rng, &["A", "lot", "ref"]), digits(rng, 5)),
    };
    let query = match rng.u8(..6) {
        0 => format!("?page={}&size={}&sort=date,desc", rng.u16(..900), rng.u16(..100)),
        1 => format!("?from=2025-{:02}-{:02}&to=2025-12-31&status=open", rng.u8(1..=12), rng.u8(1..=28)),
        2 => format!("?q=hello%20world%21&code={}&lang=fr", rng.u16(..999)),
        3 => format!("?bbox={:.6},{:.6},{:.6},{:.6}", rng.f64() * 90.0, rng.f64() * 180.0, rng.f64() * 90.0, rng.f64() * 180.0),
        4 => format!("?ts=17{}&grant_type=password&v={}.{}.{}", digits(rng, 11), rng.u8(..9), rng.u8(..20), rng.u8(..30)),
        _ => String::new(),
    };
    format!("/{}/v{}/{resource}/{id}{query}", api(rng), rng.u8(1..4))
}

/// A line of an ordinary log, without personal data.
fn clean_line(rng: &mut Rng) -> String {
    let stamp = stamp(rng);
    let api = api(rng);
    match rng.u8(..14) {
        0 => format!(
            "TID: [1] [] [{stamp}]  INFO {{org.apache.synapse.mediators.builtin.LogMediator}} - {{api:{api}:vv1}} APIM-O2-ApplicationName = SACC_{}_S7_APIQA.S7_U1, APIMStatus = OK, ApiOwner = cio, SourceAppel = {}, Origine = apim-gw-acc.net.extra.example, CORRELATION_ID = urn:uuid:{}, destination.url.path = {}, HTTP_ReturnCode = {}, Pattern = client_credentials, AppliOwner = S7_",
            digits(rng, 7),
            private_address(rng),
            uuid(rng),
            path(rng),
            rng.u16(200..600)
        ),
        1 => format!(
            "12:04:17,{:03} [-] [PassThroughMessageProcessor-{}]  INFO ELKCounterMetric apimMetrics: apim:faulty, properties :{{\"apiName\":\"{api}\",\"proxyResponseCode\":429,\"errorType\":\"THROTTLED\",\"errorCode\":900803,\"apiId\":\"{}\",\"requestTimestamp\":\"{stamp}Z\",\"applicationOwner\":\"admin\",\"properties\":{{}}}}",
            rng.u16(..1000),
            rng.u8(..99),
            uuid(rng)
        ),
        2 => format!(
            "{stamp}|{}|PassThroughMessageProcessor-{}|{}|HTTP State Transition|http-outgoing-{}|POST|{}|REQUEST_DONE",
            uuid(rng),
            rng.u8(..99),
            rng.u16(..3000),
            rng.u16(..9999),
            path(rng)
        ),
        3 => format!(
            "{} - - [03/Mar/2025:11:42:{:02} +0100] \"GET {} HTTP/1.1\" {} {} \"-\" \"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{}.0.{}.{} Safari/537.36\"",
            private_address(rng),
            rng.u8(..60),
            path(rng),
            rng.u16(200..600),
            rng.u32(..90000),
            rng.u8(80..130),
            rng.u16(4000..7000),
            rng.u16(..200)
        ),
        4 => format!(
            "{stamp} WARN {{org.apache.synapse.endpoints.EndpointContext}} - Endpoint : {api}--v1_APIproductionEndpoint with address https://backend-{}.example{} will be marked SUSPENDED as it failed, status code: {}, ERROR_CODE = 1015{:02}",
            rng.u8(..99),
            path(rng),
            rng.u16(400..600),
            rng.u8(..99)
        ),
        5 => format!(
            "{stamp} ERROR at org.wso2.carbon.apimgt.gateway.handlers.security.APIAuthenticationHandler.handleRequest_aroundBody42(APIAuthenticationHandler.java:{})",
            rng.u16(..900)
        ),
        6 => format!(
            "API authentication failure due to {} code: 9009{:02}. Make sure your API invocation call has a header: 'Authorization: Bearer ACCESS_TOKEN'",
            pick(rng, &["Invalid Credentials", "Missing Credentials", "Access token expired"]),
            rng.u8(..9)
        ),
        7 => format!(
            "Basic authentication is not enabled; Bearer token validation took {} ms; cache hit ratio {:.4}; heap {} bytes; digest {}",
            rng.u16(..900),
            rng.f64(),
            rng.u64(1_000_000..9_999_999_999),
            hex(rng, 64)
        ),
        8 => format!(
            "jdbc query took {} ms: SELECT * FROM AM_API WHERE API_ID = {} AND STATUS IN ({}, {}, {}) LIMIT {}",
            rng.u16(..900),
            rng.u32(..),
            rng.u8(..),
            rng.u8(..),
            rng.u8(..),
            rng.u16(..1000)
        ),
        9 => format!(
            "cluster member {} joined; members [{}:4000, {}:4000]; icon@2x.png cached; java.lang.Object@{}; lodash@4.17.{}",
            hex(rng, 8),
            private_address(rng),
            private_address(rng),
            hex(rng, 8),
            rng.u8(..30)
        ),
        10 => format!(
            "Initiator : admin | Action : update | Target : {api} | Data : {{ \"id\" : \"{}\", \"version\" : \"1.0.{}\" }} | Result : Success",
            uuid(rng),
            rng.u8(..20)
        ),
        11 => format!(
            "metrics 1m={:.2} 5m={:.2} 15m={:.2} count={} p99={}ms epoch={} gc 0x{} mac 00:1a:2b:3c:4d:{:02x}",
            rng.f64() * 100.0,
            rng.f64() * 100.0,
            rng.f64() * 100.0,
            rng.u32(..),
            rng.u16(..3000),
            format_args!("17{:011}", rng.u64(..99_999_999_999)),
            hex(rng, 12),
            rng.u8(..)
        ),
        12 => path(rng),
        _ => format!(
            "{stamp} [{}] DEBUG std::io a::b Foo::Bar {} => {} ({}%) http://localhost:{}/ etag W/\"{}\"",
            uuid(rng),
            rng.u16(..999),
            rng.u16(..999),
            rng.u8(..100),
            rng.u16(1024..),
            hex(rng, 32)
        ),
    }
}

#[test]
fn ordinary_lines_are_left_alone() {
    let mut rng = Rng::with_seed(7);
    let lines: Vec<_> = (0..CLEAN_LINES).map(|_| clean_line(&mut rng)).collect();
    let mut plugin = plugin(ALL);
    let touched: Vec<_> = lines
        .chunks(1000)
        .flat_map(|chunk| run(&mut plugin, false, chunk).into_iter().zip(chunk).collect::<Vec<_>>())
        .filter(|(became, _)| *became != Became::Untouched)
        .collect();
    println!("{} false positives in {CLEAN_LINES} lines", touched.len());
    assert!(touched.len() <= CLEAN_LINES / 10_000, "{}: {:?}", touched.len(), &touched[..touched.len().min(5)]);
}

fn luhn_completed(prefix: String) -> String {
    (0..10)
        .map(|check| format!("{prefix}{check}"))
        .find(|number| tamis_plugin_redact::detect::card::luhn(number.as_bytes()))
        .expect("one of ten")
}

fn grouped(number: &str, groups: &[usize], separator: &str) -> String {
    let mut rest = number;
    let mut parts = Vec::new();
    for &group in groups {
        let (part, tail) = rest.split_at(group.min(rest.len()));
        if !part.is_empty() {
            parts.push(part);
        }
        rest = tail;
    }
    parts.join(separator)
}

fn card(rng: &mut Rng) -> String {
    let number = match rng.u8(..5) {
        0 => luhn_completed(format!("4{}", digits(rng, 14))),
        1 => luhn_completed(format!("5{}{}", rng.u8(1..=5), digits(rng, 13))),
        2 => luhn_completed(format!("{}{}", rng.u16(2221..=2720), digits(rng, 11))),
        3 => luhn_completed(format!("37{}", digits(rng, 12))),
        _ => luhn_completed(format!("6011{}", digits(rng, 11))),
    };
    match (rng.u8(..3), number.len()) {
        (0, 16) => grouped(&number, &[4, 4, 4, 4], pick(rng, &[" ", "-"])),
        (0, 15) => grouped(&number, &[4, 6, 5], " "),
        _ => number,
    }
}

fn iban(rng: &mut Rng) -> String {
    let (country, bban) = match rng.u8(..3) {
        0 => ("FR", digits(rng, 23)),
        1 => ("DE", digits(rng, 18)),
        _ => ("GB", format!("NWBK{}", digits(rng, 14))),
    };
    let value = format!("{bban}{country}00").bytes().fold(0_u32, |sum, byte| match byte {
        b'0'..=b'9' => (sum * 10 + u32::from(byte - b'0')) % 97,
        _ => (sum * 100 + u32::from(byte - b'A') + 10) % 97,
    });
    let number = format!("{country}{:02}{bban}", 98 - value);
    match rng.bool() {
        true => number,
        false => grouped(&number, &[4; 9], " "),
    }
}

fn nir(rng: &mut Rng) -> String {
    let sex = rng.u8(1..=2);
    let (year, month) = (rng.u8(..100), rng.u8(1..=12));
    let corsica = rng.u8(..5) == 0;
    let department = match corsica {
        true => pick(rng, &["2A", "2B"]).to_owned(),
        false => format!("{:02}", rng.u8(21..=95)),
    };
    let (commune, order) = (rng.u16(1..=990), rng.u16(1..=999));
    let body = format!("{sex}{year:02}{month:02}{department}{commune:03}{order:03}");
    let value: u64 = body.replace("2A", "19").replace("2B", "18").parse().expect("digits");
    // Replacing acts on the department alone: letters stand nowhere else.
    let number = format!("{body}{:02}", 97 - value % 97);
    match rng.bool() {
        true => number,
        false => grouped(&number, &[1, 2, 2, 2, 3, 3, 2], " "),
    }
}

fn phone(rng: &mut Rng) -> String {
    let first = rng.u8(1..=9);
    let rest = digits(rng, 8);
    let separator = pick(rng, &["", " ", ".", "-"]);
    let pairs = grouped(&rest, &[2, 2, 2, 2], separator);
    match rng.u8(..4) {
        0 | 1 => format!("0{first}{separator}{pairs}"),
        2 => format!("+33{}{first}{separator}{pairs}", pick(rng, &["", " "])),
        _ => format!("+33 (0){first}{separator}{pairs}"),
    }
}

fn email(rng: &mut Rng) -> String {
    let first = pick(rng, &["jean", "marie-claude", "o'neil", "x", "Lucie", "élodie"]);
    let last = pick(rng, &["dupont", "martin+tag", "le_goff", "b42"]);
    let domain = pick(rng, &["example.fr", "mail.example.com", "sous-domaine.example.co.uk", "exemple.paris"]);
    format!("{first}.{last}{}@{domain}", rng.u16(..999))
}

fn base64url(text: &str) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    text.as_bytes()
        .chunks(3)
        .flat_map(|chunk| {
            let bits = chunk.iter().fold(0_u32, |bits, &byte| bits << 8 | u32::from(byte)) << (8 * (3 - chunk.len()));
            (0..=chunk.len()).map(move |index| char::from(ALPHABET[(bits >> (18 - 6 * index) & 63) as usize]))
        })
        .collect()
}

fn jwt(rng: &mut Rng) -> String {
    let header = base64url(pick(rng, &[r#"{"alg":"RS256","typ":"JWT"}"#, r#"{"x5t":"abc","kid":"1","alg":"HS256"}"#]));
    let claims = base64url(&format!(r#"{{"sub":"{}","iat":17{}}}"#, uuid(rng), digits(rng, 8)));
    format!("{header}.{claims}.{}", base64url(&hex(rng, 40)))
}

fn public_address(rng: &mut Rng) -> String {
    match rng.u8(..4) {
        0 => format!("2001:db8:{}::{}", hex(rng, 3).replace('0', "1"), rng.u8(1..9)),
        _ => format!("{}.{}.{}.{}", rng.u8(193..220), rng.u8(..168), rng.u8(..), rng.u8(1..255)),
    }
}

/// A secret and how it is named; the context adds quotes where the name's form needs them.
fn secret(rng: &mut Rng) -> (String, String) {
    let value = format!("{}{}", pick(rng, &["s3cr3t", "Az09~", "q-_", "t0k3n"]), hex(rng, 20));
    let name = pick(
        rng,
        &[
            "client_secret",
            "access_token",
            "refresh_token",
            "password",
            "apikey",
            "Internal-Key",
            "code",
            "X-JWT-Assertion",
            "clientSecret",
            "assertion",
        ],
    );
    let text = match rng.u8(..5) {
        0 => format!("{name}={value}"),
        1 => format!("\"{name}\":\"{value}\""),
        2 => format!("{name}: {value}"),
        3 => format!("{name} = {value}"),
        _ => format!("<{name}>{value}</{name}>"),
    };
    (text, value)
}

fn bearer(rng: &mut Rng) -> (String, String) {
    let value = match rng.bool() {
        true => uuid(rng),
        false => hex(rng, 32),
    };
    (format!("{} {value}", pick(rng, &["Bearer", "bearer", "Authorization: Bearer"])), value)
}

fn percent_encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => char::from(byte).to_string(),
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

/// The same text as an escaping JSON writer puts it.
fn json_escaped(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '@' | '=' | '&' | '<' | '>' | '\'' | '+' => format!("\\u{:04x}", u32::from(c)),
            '"' => "\\\"".to_owned(),
            c => c.to_string(),
        })
        .collect()
}

fn context(rng: &mut Rng, text: &str) -> String {
    match rng.u8(..16) {
        0 => text.to_owned(),
        1 => format!("lookup of {text} failed"),
        2 => format!("value=\"{text}\", next=1"),
        3 => format!("'{text}'"),
        4 => format!("ERROR_DESCRIPTION = not found: {text}, NEXT = 2"),
        5 => format!("a|{text}|b"),
        6 => format!("/v1/customers?q={text}&page=2"),
        7 => format!("{{\"value\":\"{text}\"}}").replace("\"\"", "\""),
        8 => format!("({text})"),
        9 => format!("<to>{text}</to>"),
        10 => format!("/v1/customers?q={}&page=2", percent_encoded(text)),
        11 => format!("/v1/customers/{}", percent_encoded(text)),
        12 => format!("/v1?q={}&x=1", percent_encoded(&percent_encoded(text))),
        13 => format!("{{\\\"value\\\":\\\"{}\\\"}}", json_escaped(text)),
        14 => format!("first line\\n{text}\\nlast"),
        _ => format!("« {text} », {text}"),
    }
}

fn planted(rng: &mut Rng, kind: &str) -> (String, String) {
    let (text, value) = match kind {
        "named" => secret(rng),
        "bearer" => bearer(rng),
        kind => {
            let value = match kind {
                "email" => email(rng),
                "jwt" => jwt(rng),
                "card" => card(rng),
                "iban" => iban(rng),
                "nir" => nir(rng),
                "phone" => phone(rng),
                _ => public_address(rng),
            };
            (value.clone(), value)
        }
    };
    (context(rng, &text), value)
}

#[test]
fn planted_values_are_found_and_gone_in_every_mode() {
    for mode in ["mask", "hash", "remove"] {
        let config = format!(
            r#"{{"fields":[{{"path":"message","kind":"text"}}],"mode":"{mode}","key":"0123456789abcdef","detectors":{{"ip":{{"mode":"{mode}"}}}}}}"#
        );
        let mut plugin = plugin(&config);
        let mut rng = Rng::with_seed(11);
        for kind in ["email", "jwt", "card", "iban", "nir", "phone", "ip", "named", "bearer"] {
            let (lines, values): (Vec<_>, Vec<_>) = (0..PLANTED).map(|_| planted(&mut rng, kind)).unzip();
            let became = run(&mut plugin, false, &lines);
            let missed: Vec<_> = became
                .iter()
                .zip(&lines)
                .zip(&values)
                .filter(|((became, line), value)| {
                    let after = became.text(line);
                    let gone = [(*value).clone(), percent_encoded(value), json_escaped(value), percent_encoded(&percent_encoded(value))];
                    **became == Became::Untouched || gone.iter().any(|spelling| after.contains(spelling.as_str()))
                })
                .collect();
            println!("{mode} {kind}: {} of {PLANTED} missed", missed.len());
            assert!(missed.len() * 1000 <= PLANTED * 5, "{mode} {kind}: {} missed, as {:?}", missed.len(), &missed[..3]);
        }
    }
}
