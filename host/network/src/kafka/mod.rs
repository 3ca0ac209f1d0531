//! Kafka's topics, through librdkafka.

#[cfg(test)]
mod brokers;
mod partitions;
pub(crate) mod sink;
pub(crate) mod source;
mod trouble;

use rdkafka::ClientConfig;
use tamis_config::{ClientTls, KafkaMechanism, KafkaSasl, Text};

/// How to reach brokers.
struct Brokers<'a> {
    brokers: &'a [Text],
    tls: Option<&'a ClientTls>,
    sasl: Option<&'a KafkaSasl>,
}

impl Brokers<'_> {
    /// The options of a client. Files are read here once, so that what is wrong with them is told before anything runs.
    fn config(&self) -> Result<ClientConfig, String> {
        let mut config = ClientConfig::new();
        let brokers: Vec<&str> = self.brokers.iter().map(Text::as_str).collect();
        config.set("bootstrap.servers", brokers.join(","));
        config.set("client.id", "tamis");
        // A broker that ends an idle connection is no news.
        config.set("log.connection.close", "false");
        config.set("reconnect.backoff.max.ms", "5000");
        let protocol = match (self.tls, self.sasl) {
            (None, None) => "plaintext",
            (Some(_), None) => "ssl",
            (None, Some(_)) => "sasl_plaintext",
            (Some(_), Some(_)) => "sasl_ssl",
        };
        config.set("security.protocol", protocol);
        if let Some(tls) = self.tls {
            for (option, path) in
                [("ssl.ca.location", &tls.ca), ("ssl.certificate.location", &tls.certificate), ("ssl.key.location", &tls.key)]
            {
                let Some(path) = path else { continue };
                std::fs::File::open(path.as_str()).map_err(|error| crate::cannot_read("the PEM file", path, error))?;
                config.set(option, path.as_str());
            }
        }
        if let Some(sasl) = self.sasl {
            let mechanism = match sasl.mechanism {
                KafkaMechanism::Plain => "PLAIN",
                KafkaMechanism::ScramSha256 => "SCRAM-SHA-256",
                KafkaMechanism::ScramSha512 => "SCRAM-SHA-512",
            };
            config.set("sasl.mechanisms", mechanism);
            config.set("sasl.username", sasl.user.as_str());
            config.set("sasl.password", sasl.password.as_str());
        }
        Ok(config)
    }
}
