//! Batches as objects, each put in place whole: in S3 ([`s3`]) or in local folders ([`folder`]).
//!
//! [`keys`] finds the place of each record and names objects, [`table`] makes columns of records, [`encode`] writes bytes.

mod encode;
mod failure;
pub(crate) mod folder;
mod keys;
pub(crate) mod s3;
mod table;

use crate::runtime::runtime;
use encode::{NdjsonFile, ParquetFile};
use failure::{Failure, Kind};
use keys::Keys;
use object_store::path::Path;
use object_store::{ObjectStore, PutOptions};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};
use tamis_nodes::sinks::{Batch, Delivery, DeliveryError, Origin};

/// Names of objects that are remembered; an object whose name is forgotten is stored again under another one.
const UNFINISHED_MAX: usize = 16_384;

/// Takes batches and stores each as one object for every key that its records lead to.
struct ObjectSink {
    store: Box<dyn ObjectStore>,
    keys: Keys,
    form: Form,
    /// How long storing one object may take.
    timeout: Option<Duration>,
    unfinished: Unfinished,
    /// Where it is, as people may see it.
    address: String,
}

/// Names of objects that may be stored, though nobody said so: what is tried again takes its own place. Any other object has a name that no
/// other one has, of whichever host.
#[derive(Default)]
struct Unfinished(Mutex<HashMap<String, String>>);

impl Unfinished {
    fn take(&self, identity: &str) -> String {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(identity);
        known.unwrap_or_else(|| format!("{}-{:016x}", identity.rsplit('/').next().unwrap_or_default(), fastrand::u64(..)))
    }

    fn keep(&self, identity: String, name: String) {
        let mut names = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if names.len() >= UNFINISHED_MAX {
            names.clear();
        }
        names.insert(identity, name);
    }
}

/// What an object holds.
enum Form {
    Ndjson(NdjsonFile),
    Parquet(ParquetFile),
}

/// A record of a batch: its place in it, and what it is.
type Row<'a> = (usize, &'a [u8], Origin<'a>);

/// What became of records, by their place in the batch.
#[derive(Default)]
struct Outcome {
    refused: Vec<(usize, String)>,
    again: Vec<usize>,
    reason: String,
    stored: bool,
}

impl Delivery for ObjectSink {
    fn deliver(&self, batch: &Batch<'_>) -> Result<(), DeliveryError> {
        let (now, mut outcome) = (SystemTime::now(), Outcome::default());
        let mut objects: BTreeMap<String, Vec<Row<'_>>> = BTreeMap::new();
        for (place, (line, origin)) in batch.iter().enumerate() {
            match self.keys.of(line, now) {
                Ok(key) => objects.entry(key).or_default().push((place, line, origin)),
                Err(reason) => outcome.refused.push((place, reason.to_owned())),
            }
        }
        let mut objects = objects.into_iter();
        while let Some((key, rows)) = objects.next() {
            let Err(failure) = self.store(&key, &rows, &mut outcome) else { continue };
            if failure.kind == Kind::TooLarge && !outcome.stored && objects.len() == 0 {
                return Err(DeliveryError::Permanent { reason: failure.reason, divisible: true });
            }
            outcome.again.extend(rows.iter().map(|(place, ..)| *place));
            outcome.reason = failure.reason;
            if failure.kind == Kind::Away {
                // Nobody is there to take the others.
                outcome.again.extend(objects.by_ref().flat_map(|(_, rows)| rows).map(|(place, ..)| place));
            }
        }
        outcome.told(batch.records())
    }

    fn address(&self) -> String {
        self.address.clone()
    }
}

impl ObjectSink {
    /// Stores the records of one key.
    fn store(&self, key: &str, rows: &[Row<'_>], outcome: &mut Outcome) -> Result<(), Failure> {
        let before = outcome.refused.len();
        let (body, extension) = match &self.form {
            Form::Ndjson(file) => (file.write(rows).map_err(|error| Failure::here(&error))?, file.extension()),
            Form::Parquet(file) => (file.write(rows, &mut outcome.refused)?, ".parquet"),
        };
        let Some(body) = body else { return Ok(()) };
        // In the order of the rows.
        let refused = outcome.refused.get(before..).unwrap_or_default();
        let is_in = |(place, ..): &&Row<'_>| refused.binary_search_by_key(place, |(refused, _)| *refused).is_err();
        let identity = format!("{key}/{}", keys::identity(rows.iter().filter(is_in)));
        let name = self.unfinished.take(&identity);
        let path = if key.is_empty() { format!("{name}{extension}") } else { format!("{key}/{name}{extension}") };
        let path = Path::parse(path).map_err(|error| Failure::here(&error))?;
        let put = self.put(&path, body);
        if put.is_err() {
            self.unfinished.keep(identity, name);
        }
        put?;
        outcome.stored = true;
        Ok(())
    }

    fn put(&self, path: &Path, body: Vec<u8>) -> Result<(), Failure> {
        let put = self.store.put_opts(path, body.into(), PutOptions::default());
        let runtime = runtime().map_err(|reason| Failure { reason, kind: Kind::Away })?;
        let put = runtime.block_on(async {
            match self.timeout {
                Some(timeout) => tokio::time::timeout(timeout, put).await.map_err(|_| Failure::late()),
                None => Ok(put.await),
            }
        })?;
        put.map(drop).map_err(|error| Failure::of(&error))
    }
}

impl Outcome {
    fn told(self, records: usize) -> Result<(), DeliveryError> {
        let Self { mut refused, mut again, reason, .. } = self;
        if again.len() == records {
            return Err(DeliveryError::Transient { reason, after: None });
        }
        if refused.is_empty() && again.is_empty() {
            return Ok(());
        }
        refused.sort_unstable_by_key(|(place, _)| *place);
        // What is to come again is refused then, if it is.
        again.sort_unstable();
        refused.retain(|(place, _)| again.binary_search(place).is_err());
        Err(DeliveryError::Partly { refused, again, reason, after: None })
    }
}

#[cfg(test)]
mod tests;
