//! A web server that records are sent to, a batch a request.

use crate::client::{Client, Connections, To, Words, is_well, shown};
use tamis_config::{HttpFormat, HttpMethod, HttpSink as HttpConfig};
use tamis_nodes::sinks::{Batch, Delivery, DeliveryError, OpenError, Opened};

/// Sends batches to a web server.
#[derive(Debug)]
struct HttpSink {
    client: Client,
    config: HttpConfig,
}

const WORDS: Words = Words { credentials: "`auth` and `headers`", refused: "it does not take a record, or not this many" };

/// Makes the sink. Nothing is sent yet.
pub(crate) fn open(config: &HttpConfig) -> Result<Opened, OpenError> {
    let connections = Connections { tls: &config.tls, timeout: config.timeout, concurrency: config.concurrency.most(), words: WORDS };
    let client = Client::new(&connections, &config.auth, &config.headers, config.compression).map_err(OpenError::Network)?;
    let sink = HttpSink { client, config: config.clone() };
    Ok(Opened::Batches { delivery: Box::new(sink), concurrency: config.concurrency, batch: config.batch.clone() })
}

impl HttpSink {
    fn body(&self, batch: &Batch<'_>) -> Vec<u8> {
        let mut body = Vec::with_capacity(batch.bytes() + 2);
        match self.config.format {
            HttpFormat::Ndjson => batch.parts().iter().for_each(|part| body.extend_from_slice(part.lines)),
            HttpFormat::Json => {
                for (line, _) in batch.iter() {
                    body.push(if body.is_empty() { b'[' } else { b',' });
                    body.extend_from_slice(line);
                }
                body.push(b']');
            }
        }
        body
    }
}

impl Delivery for HttpSink {
    fn deliver(&self, batch: &Batch<'_>) -> Result<(), DeliveryError> {
        let to = To {
            method: match self.config.method {
                HttpMethod::Post => "POST",
                HttpMethod::Put => "PUT",
            },
            url: self.config.url.as_str(),
            content_type: match self.config.format {
                HttpFormat::Ndjson => "application/x-ndjson",
                HttpFormat::Json => "application/json",
            },
        };
        self.client.send(to, self.body(batch), 0)?.verdict()
    }

    fn healthy(&self) -> Result<(), String> {
        self.client.is_answered("HEAD", self.config.url.as_str(), &shown(&self.config.url), is_well)
    }

    fn address(&self) -> String {
        shown(&self.config.url)
    }
}
