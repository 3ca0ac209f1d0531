//! A gateway that does not exist: the records of a WSO2 API Manager with 600 APIs, made up from a seed.
//!
//! The same seed gives the same bytes for ever: no clock is read, no floating-point number used, and the tests hold a digest
//! of the first records. Everything personal in them is invented, from ranges set aside for tests and fiction.

mod catalog;
mod outcome;
mod planted;
mod text;

use catalog::{Api, Application, Catalog, ITEM_METHODS, LIST_METHODS};
use fastrand::Rng;
use outcome::Outcome;
use text::{Clock, number, push};

/// Mean time between two records: 50 million a day.
const MEAN_GAP_US: u64 = 1_728;
/// How many of 1,000 records are health probes.
const PROBES: u16 = 30;
/// How many of 1,000 calls hold personal data or a secret in their path, and how many in their message.
const PERSONAL_IN_PATH: u16 = 31;
const PERSONAL_IN_MESSAGE: u16 = 31;
/// How many of 1,000 calls hold something in path or message that only looks like it.
const LOOK_ALIKES: u16 = 80;

/// Makes gateway records, one after the other.
#[derive(Debug, Clone)]
pub struct Generator {
    rng: Rng,
    catalog: Catalog,
    clock: Clock,
}

impl Generator {
    /// A gateway whose APIs, applications and calls all follow from `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let catalog = Catalog::new(&mut rng);
        Self { rng, catalog, clock: Clock::new() }
    }

    /// Appends the next record to `out`: one JSON object of about 590 bytes, without a line end.
    pub fn record(&mut self, out: &mut Vec<u8>) {
        let Self { rng, catalog, clock } = self;
        clock.advance(text::exponential(rng, MEAN_GAP_US));
        let (api, application) = catalog.subscription(rng);
        let probe = rng.u16(..1000) < PROBES;
        let outcome = if probe { &outcome::PROBE } else { Outcome::draw(rng) };
        let dice = rng.u16(..1000);

        push(out, b"{\"app_datetime\":\"");
        clock.write(out);
        push(out, b"\",\"CORRELATION_ID\":\"urn:uuid:");
        text::uuid(rng, out);
        parties(rng, out, api, application);
        let internal = catalog::address(rng, out, application);
        push(out, b"\",\"Origine\":\"");
        push(out, application.gateway);
        push(out, b"\",\"APIMStatus\":\"");
        push(out, outcome.verdict);
        push(out, b"\",");
        if outcome.error != 0 {
            push(out, b"\"ErrorCode\":");
            number(out, u64::from(outcome.error));
            push(out, b",");
        }
        push(out, b"\"HTTP_ReturnCode\":");
        number(out, u64::from(outcome.http));
        push(out, b",\"destination\":{\"name\":\"");
        push(out, &api.name);
        push(out, b"\",\"url\":{\"path\":\"");
        let method = if probe {
            push(out, api.version);
            push(out, b"/health");
            &b"OPTIONS"[..]
        } else {
            path(rng, out, api, dice)
        };
        push(out, b"\"},\"http\":{\"method\":\"");
        push(out, method);
        push(out, b"\"}},\"Pattern\":");
        push(out, application.pattern);
        if rng.bool() {
            push(out, if internal { b",\"CallsInternet\":\"NO\"" } else { b",\"CallsInternet\":\"YES\"" });
        }
        let backend = if outcome.reaches_backend { text::exponential(rng, u64::from(api.latency_ms)) + 2 } else { 0 };
        let response = backend + 1 + rng.u64(..6);
        push(out, b",\"responseLatency\":");
        number(out, response);
        push(out, b",\"backendLatency\":");
        number(out, backend);
        push(out, b",\"userAgent\":\"");
        push(out, application.agent);
        push(out, b"\",\"message\":\"");
        message(rng, out, outcome, if probe { u16::MAX } else { dice });
        push(out, b"\"}");
    }
}

/// Who calls what. Owner codes come in either case, as gateways write them.
fn parties(rng: &mut Rng, out: &mut Vec<u8>, api: &Api, application: &Application) {
    push(out, b"\",\"ApplicationName\":\"");
    push(out, &application.name);
    push(out, b"\",\"ApiOwner\":\"");
    catalog::owner(rng, out, api.owner, 1);
    push(out, b"\",\"AppliOwner\":\"");
    catalog::owner(rng, out, application.owner, 5);
    push(out, b"\",\"ApiName\":\"");
    push(out, &api.name);
    push(out, b"\",\"ApiVersion\":\"");
    push(out, api.version);
    push(out, b"\",\"SourceAppel\":\"");
}

/// The path called, as `v1/parcel/4821337/events?…`; answers with the method.
fn path(rng: &mut Rng, out: &mut Vec<u8>, api: &Api, dice: u16) -> &'static [u8] {
    push(out, api.version);
    push(out, b"/");
    push(out, &api.resource);
    let list = rng.u8(..8) < 3;
    if !list {
        push(out, b"/");
        number(out, rng.u64(10_000..10_000_000));
        push(out, catalog::pick(rng, &[b"", b"", b"/events", b"/status", b"/lines"]));
    }
    if dice < PERSONAL_IN_PATH {
        push(out, b"?");
        planted::query(rng, out);
    } else if (PERSONAL_IN_PATH..PERSONAL_IN_PATH + LOOK_ALIKES / 2).contains(&dice) {
        push(out, b"?");
        planted::look_alike_query(rng, out);
    } else if list {
        push(out, b"?page=");
        number(out, rng.u64(1..40));
    }
    catalog::pick(rng, if list { &LIST_METHODS } else { &ITEM_METHODS })
}

/// What the gateway says about the call.
fn message(rng: &mut Rng, out: &mut Vec<u8>, outcome: &Outcome, dice: u16) {
    let personal = 1000 - PERSONAL_IN_MESSAGE..1000;
    let look_alike = personal.start - LOOK_ALIKES / 2..personal.start;
    if personal.contains(&dice) {
        planted::message(rng, out);
        return;
    }
    if look_alike.contains(&dice) {
        planted::look_alike_message(rng, out);
        return;
    }
    push(out, outcome.message);
    push(out, b" #");
    number(out, rng.u64(1..401));
}

#[cfg(test)]
mod tests;
