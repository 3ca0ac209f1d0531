//! What the gateway serves: 600 APIs and 600 applications, and 2,500 subscriptions between them, a few of which make most of
//! the calls.

use std::collections::BTreeSet;

use fastrand::Rng;

use super::text::{number, push};

const APIS: usize = 600;
const APPLICATIONS: usize = 600;
const SUBSCRIPTIONS: usize = 2_500;

/// Owner codes: three characters, padded with `_`.
const OWNERS: [&[u8; 3]; 24] = [
    b"cio", b"s7_", b"a12", b"dsi", b"px_", b"k__", b"m3_", b"trk", b"col", b"ppd", b"fin", b"rh_", b"lgs", b"id_", b"web", b"mob", b"geo",
    b"b2b", b"crm", b"edi", b"dom", b"iot", b"arc", b"x9_",
];
/// 25 things and the 24 services that each of them has.
const SUBJECTS: &str = "parcel letter address round invoice customer delivery pickup locker route stamp tariff claim return contract account \
    payment document identity consent notice agency carrier customs label";
const ACTIONS: &str = "Search Status Create History Quote Check Events Report Export Import Lookup Prediction Summary Sync Match Rules Feed \
    Registry Archive Planner Scoring Options Details Batch";
const VERSIONS: [&[u8]; 5] = [b"v1", b"v1", b"v2", b"v3", b"v1.2.0"];
const GATEWAYS: [&[u8]; 4] = [b"gw1.extra.example", b"gw2.extra.example", b"int.extra.example", b"acc.extra.example"];
/// The spellings gateways and applications use, as JSON.
const PATTERNS: [&[u8]; 14] = [
    b"\"client_credentials\"",
    b"\"client_credentials\"",
    b"\"client_credentials\"",
    b"\"Client Credentials\"",
    b"\"CLIENT-CREDENTIALS\"",
    b"\"urn:ietf:params:oauth:grant-type:jwt-bearer\"",
    b"\"jwt-bearer\"",
    b"\"urn:ietf:params:oauth:grant-type:saml2-bearer\"",
    b"\"authorization_code\"",
    b"\"refresh_token\"",
    b"\"password\"",
    b"\"API-Key\"",
    b"\"Basic\"",
    b"null",
];
const AGENTS: [&[u8]; 8] = [
    b"Go-http-client/2.0",
    b"okhttp/4.12.0",
    b"axios/1.6.8",
    b"python-requests/2.31.0",
    b"Java/11.0.22",
    b"Synapse-PT-NIO",
    b"PostmanRuntime/7.37.3",
    b"curl/8.5.0",
];
/// Methods by how often they are used on one thing and on a list.
pub(super) const ITEM_METHODS: [&[u8]; 8] = [b"GET", b"GET", b"GET", b"GET", b"GET", b"PUT", b"PATCH", b"DELETE"];
pub(super) const LIST_METHODS: [&[u8]; 3] = [b"GET", b"GET", b"POST"];

#[derive(Debug, Clone)]
pub(super) struct Api {
    pub(super) name: Vec<u8>,
    pub(super) resource: Vec<u8>,
    pub(super) version: &'static [u8],
    pub(super) owner: &'static [u8; 3],
    /// Mean time that the back-end takes.
    pub(super) latency_ms: u16,
}

#[derive(Debug, Clone)]
pub(super) struct Application {
    /// As `SPRD_0000193_S7_APIQA.S7_U1`: environment, number, owner, name, user.
    pub(super) name: Vec<u8>,
    pub(super) owner: &'static [u8; 3],
    pub(super) gateway: &'static [u8],
    pub(super) pattern: &'static [u8],
    pub(super) agent: &'static [u8],
    network: Network,
}

/// Where an application calls from.
#[derive(Debug, Clone, Copy)]
enum Network {
    Private(u8, u8),
    /// A network set aside for documentation (RFC 5737).
    Public(&'static [u8]),
    /// The same for IPv6 (RFC 3849), with this subnet.
    V6(u8),
}

/// The APIs, the applications and who calls what how often.
#[derive(Debug, Clone)]
pub(super) struct Catalog {
    apis: Vec<Api>,
    applications: Vec<Application>,
    /// For each subscription the sum of the weights up to it, its API and its application.
    subscriptions: Vec<(u64, usize, usize)>,
}

impl Catalog {
    pub(super) fn new(rng: &mut Rng) -> Self {
        let mut apis = Vec::with_capacity(APIS);
        for subject in SUBJECTS.split(' ') {
            apis.extend(ACTIONS.split(' ').map(|action| api(rng, subject, action)));
        }
        rng.shuffle(&mut apis);
        let applications = (1..=APPLICATIONS as u64).map(|number| application(rng, number * 7)).collect();
        let mut pairs = BTreeSet::new();
        let mut sum = 0;
        let mut subscriptions = Vec::with_capacity(SUBSCRIPTIONS);
        while subscriptions.len() < SUBSCRIPTIONS {
            let rank = subscriptions.len();
            // Every API and every application has a subscription; the rest is chance.
            let (api, application) =
                if rank < APIS { (rank, rank * 7 % APPLICATIONS) } else { (rng.usize(..APIS), rng.usize(..APPLICATIONS)) };
            if pairs.insert((api, application)) {
                sum += 1_000_000 / (rank as u64 + 4);
                subscriptions.push((sum, api, application));
            }
        }
        Self { apis, applications, subscriptions }
    }

    /// The API and the application of a call, by Zipf's law.
    pub(super) fn subscription(&self, rng: &mut Rng) -> (&Api, &Application) {
        let dice = rng.u64(..self.subscriptions[SUBSCRIPTIONS - 1].0);
        let (_, api, application) = self.subscriptions[self.subscriptions.partition_point(|&(sum, ..)| sum <= dice)];
        (&self.apis[api], &self.applications[application])
    }
}

/// One of `from`, all alike; `from` is not empty.
pub(super) fn pick<T: Copy>(rng: &mut Rng, from: &[T]) -> T {
    from[rng.usize(..from.len())]
}

fn api(rng: &mut Rng, subject: &str, action: &str) -> Api {
    let resource = if action.len() > 6 { format!("{subject}/{}", action.to_lowercase()) } else { subject.to_owned() };
    Api {
        name: format!("{subject}{action}").into_bytes(),
        resource: resource.into_bytes(),
        version: pick(rng, &VERSIONS),
        owner: pick(rng, &OWNERS),
        latency_ms: rng.u16(8..240),
    }
}

fn application(rng: &mut Rng, number: u64) -> Application {
    let owner = pick(rng, &OWNERS);
    let gateway = pick(rng, &GATEWAYS);
    let code = String::from_utf8_lossy(owner).trim_end_matches('_').to_uppercase();
    let environment = if gateway == GATEWAYS[3] { "ACC" } else { "PRD" };
    let user = rng.u8(1..5);
    let title = pick(rng, &["APIQA", "WEB", "MOBILE", "BATCH", "SIG"]);
    let network = match rng.u8(..10) {
        0 => Network::Public(b"192.0.2."),
        1 => Network::Public(b"198.51.100."),
        2 => Network::Public(b"203.0.113."),
        3 => Network::V6(rng.u8(..)),
        _ => Network::Private(rng.u8(1..), rng.u8(..)),
    };
    Application {
        name: format!("S{environment}_{number:07}_{code}_{title}.{code}_U{user}").into_bytes(),
        owner,
        gateway,
        pattern: pick(rng, &PATTERNS),
        agent: pick(rng, &AGENTS),
        network,
    }
}

/// Appends an address of the application's network; answers whether it is a private one.
pub(super) fn address(rng: &mut Rng, out: &mut Vec<u8>, application: &Application) -> bool {
    match application.network {
        Network::Private(second, third) => {
            push(out, b"10.");
            for part in [second, third] {
                number(out, u64::from(part));
                push(out, b".");
            }
        }
        Network::Public(prefix) => push(out, prefix),
        Network::V6(subnet) => {
            push(out, b"2001:db8:");
            number(out, u64::from(subnet));
            push(out, b"::");
        }
    }
    number(out, rng.u64(1..255));
    matches!(application.network, Network::Private(..))
}

/// Appends an owner code; `capitals` of eight in upper case.
pub(super) fn owner(rng: &mut Rng, out: &mut Vec<u8>, code: &[u8; 3], capitals: u8) {
    let upper = rng.u8(..8) < capitals;
    out.extend(code.iter().map(|byte| if upper { byte.to_ascii_uppercase() } else { *byte }));
}
