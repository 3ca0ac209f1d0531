//! What librdkafka says of brokers, in the words of the configuration.

use crate::door::Seldom;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaErrorCode as Code;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// For how long what was wrong explains that time is up: librdkafka says the same thing only twice a minute.
const LATELY: Duration = Duration::from_secs(60);
/// Options of librdkafka that its texts name, and the configuration's.
const NAMES: [(&str, &str); 3] =
    [("ssl.ca.location", "`tls.ca`"), ("ssl.certificate.location", "`tls.certificate`"), ("ssl.key.location", "`tls.key`")];
/// What a text holds, and what to do then.
const HELP: [(&str, &str); 4] = [
    (
        "certificate verify failed",
        "the broker's certificate must be for the host that `brokers` names, or the broker itself does, and of an authority of `tls.ca` \
         (without it: one that the system trusts)",
    ),
    ("alert certificate required", OWN),
    ("alert unknown ca", OWN),
    ("alert bad certificate", OWN),
];
const OWN: &str = "the broker wants `tls.certificate` and `tls.key` of an authority that it trusts";
const SASL: &str = "see `sasl`: `user`, `password`, and a `mechanism` that the broker offers";

/// What librdkafka says goes to the log: trouble with brokers seldom, for it tries again by itself, the rest for debugging. The last
/// trouble is kept, for what librdkafka answers to whoever waits is only that time is up.
pub(super) struct Log {
    seldom: Seldom,
    last: Mutex<Option<(Instant, String)>>,
}

impl Log {
    pub(super) const fn new() -> Self {
        Self { seldom: Seldom::new(), last: Mutex::new(None) }
    }

    pub(super) fn line(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        tracing::debug!(?level, facility, "librdkafka: {message}");
    }

    pub(super) fn error(&self, error: &KafkaError, reason: &str) {
        let said = trouble(error, reason);
        if self.seldom.is_time() {
            tracing::warn!("Kafka: {said}");
        } else {
            tracing::debug!("Kafka: {said}");
        }
        // That all brokers are down says nothing about why.
        if error.rdkafka_error_code() != Some(Code::AllBrokersDown) {
            *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), said));
        }
    }

    /// The text, with what was wrong with brokers lately, or what librdkafka does not tell.
    pub(super) fn explain(&self, text: &str) -> String {
        match &*self.last.lock().unwrap_or_else(PoisonError::into_inner) {
            Some((when, said)) if when.elapsed() < LATELY => format!("{text}: {said}"),
            _ => format!("{text}; no more is known: does the port speak TLS where `tls` is set, and not where it is not?"),
        }
    }
}

/// In the words of the configuration.
pub(super) fn ours(text: &str) -> String {
    NAMES.iter().fold(text.to_owned(), |text, (theirs, ours)| text.replace(theirs, ours))
}

fn trouble(error: &KafkaError, reason: &str) -> String {
    let code = error.rdkafka_error_code();
    let help = HELP.iter().find(|(holds, _)| reason.contains(holds)).map(|(_, help)| *help);
    let help = help.or((code == Some(Code::Authentication)).then_some(SASL));
    // Its own advice is for another kind of configuration.
    let reason = help.and_then(|_| reason.split_once(": broker certificate could not be verified")).map_or(reason, |(fact, _)| fact);
    let said = match code {
        Some(_) if !reason.is_empty() => ours(reason),
        _ => format!("{error}: {}", ours(reason)),
    };
    help.map(|help| format!("{said}; {help}")).unwrap_or(said)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_said_with_the_configurations_names() {
        let verify = "ssl://b:9093/bootstrap: SSL handshake failed: error:0A000086:SSL routines::certificate verify failed: \
                      broker certificate could not be verified, verify that ssl.ca.location is correctly configured (after 5ms)";
        let said = trouble(&KafkaError::Global(Code::SSL), verify);
        assert!(said.starts_with("ssl://b:9093/bootstrap: SSL handshake failed: error:0A000086"), "{said}");
        assert!(said.contains("certificate verify failed; ") && said.contains("`tls.ca`") && !said.contains("ssl.ca"), "{said}");
        let said = trouble(&KafkaError::Global(Code::Authentication), "b: SASL authentication error: no");
        assert_eq!(said, format!("b: SASL authentication error: no; {SASL}"));
        assert_eq!(ours("ssl.key.location failed"), "`tls.key` failed");
    }

    #[test]
    fn the_last_trouble_explains_that_time_is_up_but_not_that_all_are_down() {
        let log = Log::new();
        assert!(log.explain("late").starts_with("late; no more is known"));
        log.error(&KafkaError::Global(Code::Authentication), "b: no");
        log.error(&KafkaError::Global(Code::AllBrokersDown), "1/1 brokers are down");
        assert_eq!(log.explain("late"), format!("late: b: no; {SASL}"));
    }
}
