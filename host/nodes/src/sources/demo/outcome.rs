//! How calls end. Codes and classes are those of WSO2 API Manager.

use fastrand::Rng;

/// One way for a call to end.
#[derive(Debug)]
pub(super) struct Outcome {
    /// How many of 1,000 calls end this way.
    weight: u16,
    /// The gateway's verdict (`APIMStatus`).
    pub(super) verdict: &'static [u8],
    /// The gateway's error code; 0 for none.
    pub(super) error: u32,
    /// The status the caller got.
    pub(super) http: u16,
    /// Whether the call went on to the back-end.
    pub(super) reaches_backend: bool,
    /// Beginning of the record's message.
    pub(super) message: &'static [u8],
}

const fn outcome(weight: u16, verdict: &'static str, error: u32, http: u16, message: &'static str) -> Outcome {
    let reaches_backend = matches!(error, 0 | 101_500..=101_599);
    Outcome { weight, verdict: verdict.as_bytes(), error, http, reaches_backend, message: message.as_bytes() }
}

/// A load balancer asking whether the gateway lives.
pub(super) const PROBE: Outcome = outcome(0, "OK", 0, 200, "Health probe answered");

const OUTCOMES: [Outcome; 32] = [
    outcome(800, "OK", 0, 200, "Response sent"),
    outcome(50, "OK", 0, 201, "Resource created"),
    outcome(20, "OK", 0, 204, "Response without content"),
    outcome(10, "OK", 0, 304, "Answered from the client's copy"),
    outcome(22, "THROTTLED", 900_803, 429, "APPLICATION_LEVEL_LIMIT_EXCEEDED"),
    outcome(5, "THROTTLED", 900_800, 429, "API_LEVEL_LIMIT_EXCEEDED"),
    outcome(4, "THROTTLED", 900_802, 429, "RESOURCE_LEVEL_LIMIT_EXCEEDED"),
    outcome(3, "THROTTLED", 900_804, 429, "SUBSCRIPTION_LIMIT_EXCEEDED"),
    outcome(4, "THROTTLED", 900_801, 503, "HARD_LIMIT_EXCEEDED"),
    outcome(1, "THROTTLED", 900_805, 429, "BLOCKED by a deny policy"),
    outcome(1, "THROTTLED", 900_807, 429, "BURST_CONTROL_LIMIT_EXCEEDED"),
    outcome(14, "AUTH_FAILURE", 900_901, 401, "Invalid credentials"),
    outcome(8, "AUTH_FAILURE", 900_902, 401, "Missing credentials"),
    outcome(5, "AUTH_FAILURE", 900_908, 403, "Resource forbidden: not subscribed"),
    outcome(3, "AUTH_FAILURE", 900_910, 403, "Scope validation failed"),
    outcome(1, "AUTH_FAILURE", 900_907, 401, "The subscription is blocked"),
    outcome(1, "AUTH_FAILURE", 900_900, 500, "Unclassified authentication failure"),
    outcome(6, "TARGET_CONNECTIVITY", 101_503, 500, "Error connecting to the back end"),
    outcome(5, "TARGET_CONNECTIVITY", 101_504, 500, "Connection timed out"),
    outcome(3, "TARGET_CONNECTIVITY", 101_508, 500, "Connection refused within the time limit"),
    outcome(2, "TARGET_CONNECTIVITY", 101_507, 500, "Connection cancelled"),
    outcome(1, "TARGET_CONNECTIVITY", 101_505, 500, "Connection closed by the back end"),
    outcome(5, "TARGET_CONNECTIVITY", 303_001, 503, "Endpoint suspended"),
    outcome(3, "OK", 0, 502, "Back end answered with an error"),
    outcome(1, "OK", 0, 500, "Back end failed: {\\\"fault\\\":\\\"E17\\\"}"),
    outcome(1, "OK", 0, 504, "Back end's own gateway timed out"),
    outcome(10, "OTHER", 404, 404, "No matching resource found"),
    outcome(3, "OTHER", 405, 405, "Method not allowed"),
    outcome(5, "OK", 0, 400, "Back end refused the request: donn\u{e9}e invalide"),
    outcome(1, "OK", 0, 422, "Back end could not process the entity"),
    outcome(1, "AUTH_FAILURE", 900_906, 403, "No matching resource in the API"),
    outcome(1, "OTHER", 700_700, 503, "API blocked"),
];

impl Outcome {
    /// One of them, by weight.
    pub(super) fn draw(rng: &mut Rng) -> &'static Outcome {
        let mut dice = rng.u16(..1000);
        for outcome in &OUTCOMES {
            match dice.checked_sub(outcome.weight) {
                Some(rest) => dice = rest,
                None => return outcome,
            }
        }
        &OUTCOMES[0]
    }
}

const _: () = {
    let (mut sum, mut at) = (0, 0);
    while at < OUTCOMES.len() {
        sum += OUTCOMES[at].weight;
        at += 1;
    }
    assert!(sum == 1000, "the weights add up to 1,000");
};
