//! The record-level door: an author's function from one row to the next, run over a batch.

use std::borrow::Cow;

use serde::de::DeserializeOwned;

use crate::contract::types::{Field, Kind};
use crate::read::Source;
use crate::{Batch, BatchPlugin, Outcome, Reads, Reject, Signature, Writes};

/// A plugin that works record by record.
///
/// ```
/// use tamis_plugin::{NoConfig, Plugin, Reads, Text, Verdict, Writes};
///
/// #[derive(Reads)]
/// pub struct In<'a> {
///     #[field("destination.http.method")]
///     method: Option<&'a str>,
/// }
///
/// #[derive(Writes)]
/// pub struct Out {
///     tenant: Text,
/// }
///
/// pub struct Greeter;
///
/// impl Plugin for Greeter {
///     type Config = NoConfig;
///     type In<'a> = In<'a>;
///     type Out = Out;
///     const DROPS: bool = true;
///
///     fn new(_: NoConfig) -> Result<Self, String> {
///         Ok(Greeter)
///     }
///
///     fn record(&mut self, row: In<'_>, out: &mut Out) -> Verdict {
///         match row.method {
///             Some("OPTIONS") => Verdict::Drop,
///             Some(_) => {
///                 out.tenant.set("corporate");
///                 Verdict::Keep
///             }
///             None => Verdict::Keep,
///         }
///     }
/// }
///
/// tamis_plugin::export!(Greeter);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a plugin",
    note = "implement tamis_plugin::Plugin for it; one that implements BatchPlugin is exported with export!(batch {Self})"
)]
pub trait Plugin: Sized + 'static {
    /// The step's configuration. Use `#[serde(deny_unknown_fields)]`, so that a misspelt key is an error.
    type Config: DeserializeOwned;
    /// The fields read: a struct that derives [`Reads`].
    type In<'a>: Reads<'a>;
    /// The fields written: a struct that derives [`Writes`].
    type Out: Writes;
    /// The named outputs that [`Verdict::To`] may send records to; see also [`Plugin::outputs`].
    const OUTPUTS: &'static [&'static str] = &[];
    /// Whether [`Verdict::Drop`] may be returned.
    const DROPS: bool = false;

    /// Makes the plugin from its configuration.
    ///
    /// # Errors
    /// What is wrong with the configuration beyond its types, naming the key.
    fn new(config: Self::Config) -> Result<Self, String>;

    /// The named outputs under this configuration, [`Plugin::OUTPUTS`] unless overridden; at most 254.
    fn outputs(&self) -> Vec<String> {
        Self::OUTPUTS.iter().map(|&output| output.to_owned()).collect()
    }

    /// The path that a declared field has under this configuration: the declared one unless overridden.
    ///
    /// `None` leaves the field out of the signature, so that nobody has to grant it: it is then never present, and what
    /// is written to it is lost.
    fn path<'p>(&'p self, declared: &'p str) -> Option<&'p str> {
        Some(declared)
    }

    /// Looks at one record, sets fields and says what becomes of it.
    ///
    /// What was set for a record that is dropped or rejected is taken back.
    fn record(&mut self, row: Self::In<'_>, out: &mut Self::Out) -> Verdict;

    /// Called after the last record of each batch: the place to add up counters in one go.
    fn batch_done(&mut self) {}
}

/// What becomes of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It goes on as it would have: to the default output, or where an earlier step sent it.
    Keep,
    /// It leaves the pipeline by the output with this index of [`Plugin::outputs`], after the steps that follow.
    To(u8),
    /// It is dropped on purpose. The plugin must declare [`Plugin::DROPS`].
    Drop,
    /// It could not be processed: it goes to the dead letters with this reason.
    Reject(Cow<'static, str>),
}

impl Verdict {
    /// Rejects the record for a reason put together for it.
    #[must_use]
    pub fn reject(reason: impl Into<Cow<'static, str>>) -> Self {
        Self::Reject(reason.into())
    }
}

/// The byte that drops a record in an outcome's verdicts.
pub const DROP: u8 = 255;

/// How many named outputs a signature can have: a verdict is one byte, and 0 and [`DROP`] are taken.
pub const OUTPUTS_MAX: usize = 254;

/// Runs a [`Plugin`] over batches.
pub struct Records<P: Plugin> {
    plugin: P,
    out: P::Out,
    /// The column of each declared field that is read.
    reads: Vec<Option<u32>>,
    /// The index in the signature of each declared field that is written.
    writes: Vec<Option<u32>>,
    outputs: u8,
}

impl<P: Plugin> std::fmt::Debug for Records<P> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Records").finish_non_exhaustive()
    }
}

impl<P: Plugin> Records<P> {
    /// The author's plugin.
    pub fn plugin(&self) -> &P {
        &self.plugin
    }

    fn verdict(&self, output: u8) -> Result<u8, String> {
        if output < self.outputs {
            Ok(output + 1)
        } else {
            Err(format!("the plugin sends a record to its output {output}, but declares {}", self.outputs))
        }
    }
}

impl<P: Plugin> BatchPlugin for Records<P> {
    fn init(config: &str) -> Result<(Self, Signature), String> {
        let plugin = P::new(crate::config::parse(config)?)?;
        let (reads, shown) = place(&plugin, <P::In<'static> as Reads<'static>>::FIELDS);
        let (writes, written) = place(&plugin, P::Out::FIELDS);
        let outputs = plugin.outputs();
        let count = match u8::try_from(outputs.len()) {
            Ok(count) if usize::from(count) <= OUTPUTS_MAX => count,
            _ => {
                return Err(format!("{} outputs, at most {OUTPUTS_MAX} can be told apart", outputs.len()));
            }
        };
        let signature = Signature { reads: shown, writes: written, outputs, drops: P::DROPS };
        let records = Self { plugin, out: P::Out::new(), reads, writes, outputs: count };
        Ok((records, signature))
    }

    fn process(&mut self, batch: &Batch<'_>) -> Result<Outcome, String> {
        let source = Source::new(batch, &self.reads);
        let columns = <P::In<'_> as Reads<'_>>::open(&source)?;
        let mut verdicts = Vec::new();
        let mut rejects = Vec::new();
        let mut failed = None;
        for row in 0..batch.rows {
            self.out.at(row);
            let fields = <P::In<'_> as Reads<'_>>::row(&columns, row as usize);
            let verdict = match self.plugin.record(fields, &mut self.out) {
                Verdict::Keep => continue,
                Verdict::To(output) => match self.verdict(output) {
                    Ok(verdict) => verdict,
                    Err(error) => {
                        failed = Some(error);
                        break;
                    }
                },
                Verdict::Drop if P::DROPS => {
                    self.out.undo();
                    DROP
                }
                Verdict::Drop => {
                    failed = Some("the plugin drops a record, but does not declare that it does".to_owned());
                    break;
                }
                Verdict::Reject(reason) => {
                    self.out.undo();
                    rejects.push(Reject { row, reason: reason.into_owned() });
                    continue;
                }
            };
            if verdicts.is_empty() {
                verdicts.resize(batch.rows as usize, 0);
            }
            if let Some(slot) = verdicts.get_mut(row as usize) {
                *slot = verdict;
            }
        }
        self.plugin.batch_done();
        let mut patches = Vec::with_capacity(self.writes.len());
        let writes = &self.writes;
        self.out.take(batch.rows, &mut |place, written| {
            if let Some(field) = writes.get(place).copied().flatten() {
                patches.push(written.patch(field));
            }
        });
        match failed {
            Some(error) => Err(error),
            None => Ok(Outcome { verdicts: (!verdicts.is_empty()).then_some(verdicts), patches, rejects }),
        }
    }
}

/// The declared fields under the plugin's configuration: where each one stands, and the signature's list.
fn place<P: Plugin>(plugin: &P, declared: &[(&'static str, Kind)]) -> (Vec<Option<u32>>, Vec<Field>) {
    let mut fields: Vec<Field> = Vec::with_capacity(declared.len());
    let places = declared
        .iter()
        .map(|&(name, kind)| {
            let path = plugin.path(name)?;
            let place = fields.len() as u32;
            fields.push(Field { path: path.to_owned(), kind });
            Some(place)
        })
        .collect();
    (places, fields)
}
