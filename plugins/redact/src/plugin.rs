//! The plugin: columns in, patches out.

mod rows;

use tamis_plugin::contract::types::{Column as Returned, Values as ReturnedValues, VarValues as ReturnedVarValues};
use tamis_plugin::{Batch, BatchPlugin, Column, Field, Kind as ValueKind, Outcome, Patch, Reject, Signature, Values, VarValues, metrics};

use crate::config::{Config, FieldKind};
use crate::engine::{Engine, Role, is_phone_name};
use crate::json::record::{self, Walker};
use crate::kind::Kind;
use crate::prescan;

/// Redacts the configured fields of every record.
#[derive(Debug)]
pub struct Redact {
    engine: Engine,
    walker: Walker,
    fields: Vec<ReadField>,
    candidates: Vec<u32>,
    value_bytes_max: usize,
    /// Whether what is found in one field is looked for in the others.
    repeats: bool,
    /// The candidates of each column, where columns are gone through together.
    column_candidates: Vec<Vec<u32>>,
}

/// A field that is read and written.
#[derive(Debug)]
struct ReadField {
    path: String,
    kind: FieldKind,
    role: Role,
}

impl BatchPlugin for Redact {
    fn init(config: &str) -> Result<(Self, Signature), String> {
        let config: Config = tamis_plugin::config::parse(config)?;
        let engine = Engine::new(config.policy()?, &config.names);
        let fields: Vec<_> = config
            .fields
            .iter()
            .map(|field| ReadField {
                path: field.path.clone(),
                kind: field.kind,
                role: Role {
                    account: config.accounts.fields.contains(&field.path),
                    phone: is_phone_name(field.path.as_bytes()),
                    ..engine.role(field.path.as_bytes())
                },
            })
            .collect();
        let declared: Vec<_> = fields
            .iter()
            .map(|field| Field {
                path: field.path.clone(),
                kind: match field.kind {
                    FieldKind::Json => ValueKind::Json,
                    FieldKind::Text => ValueKind::Text,
                },
            })
            .collect();
        // Within an object only a member's own name is known, not its path.
        let accounts = config.accounts.fields.iter();
        let accounts = accounts.map(|path| last_name(path).to_owned()).collect();
        let signature = Signature { reads: declared.clone(), writes: declared, outputs: Vec::new(), drops: false };
        let plugin = Self {
            engine,
            walker: Walker::new(accounts),
            fields,
            candidates: Vec::new(),
            value_bytes_max: config.max_value_bytes,
            repeats: config.repeats,
            column_candidates: Vec::new(),
        };
        Ok((plugin, signature))
    }

    fn process(&mut self, batch: &Batch<'_>) -> Result<Outcome, String> {
        let mut outcome = Outcome { verdicts: None, patches: Vec::new(), rejects: Vec::new() };
        let fields = std::mem::take(&mut self.fields);
        let result = match self.repeats {
            true => self.rows(batch, &fields, &mut outcome),
            false => fields.iter().enumerate().try_for_each(|(index, field)| {
                let column = column_of(batch, index, field)?;
                let patch = self.column(batch.rows, column, field, &mut outcome.rejects)?;
                outcome.patches.extend(patch.finish(index as u32, field.kind));
                Ok(())
            }),
        };
        self.fields = fields;
        for (kind, count) in Kind::ALL.into_iter().zip(self.engine.take_counts()) {
            if count > 0 {
                metrics::add(kind.counter(), count);
            }
        }
        outcome.rejects.sort_by_key(|reject| reject.row);
        outcome.rejects.dedup_by_key(|reject| reject.row);
        result.map(|()| outcome)
    }
}

impl Redact {
    /// Looks at every value of a column.
    fn column(&mut self, rows: u32, column: &Column<'_>, field: &ReadField, rejects: &mut Vec<Reject>) -> Result<Patches, String> {
        let values = values_of(rows, column, field)?;
        let mut candidates = std::mem::take(&mut self.candidates);
        candidates.clear();
        prescan::candidates(values.bytes, &mut candidates);
        let mut patches = Patches::default();
        let mut marked = Marked { candidates: &candidates, passed: 0 };
        let starts = values.offsets.get(..rows as usize).unwrap_or_default();
        let ends = values.offsets.get(1..).unwrap_or_default();
        let only_marked = self.looks_at_marked_only(field, column, (values.bytes, starts, ends));
        let mut next = 0;
        loop {
            if only_marked {
                next = first_beyond(ends, next, marked.next());
            }
            let Some((&start, &end)) = starts.get(next).zip(ends.get(next)) else {
                break;
            };
            let (row, start, end) = (next as u32, start as usize, end as usize);
            next += 1;
            if !column.is_present(row as usize) {
                continue;
            }
            let value = values
                .bytes
                .get(start..end)
                .ok_or_else(|| format!("expected a value of `{}` in row {row}, found offsets beyond the column", field.path))?;
            let within = marked.within(start, end);
            if let Err(reason) = self.value((row, value), (within, start), field, &mut patches) {
                rejects.push(Reject { row, reason });
            }
        }
        self.candidates = candidates;
        Ok(patches)
    }

    /// Looks at one value, and appends what it becomes. An error is the reason to reject its record.
    #[inline]
    fn value(
        &mut self,
        (row, value): (u32, &[u8]),
        candidates: (&[u32], usize),
        field: &ReadField,
        patches: &mut Patches,
    ) -> Result<(), String> {
        if value.len() > self.value_bytes_max {
            return Err(format!("`{}` has {} bytes, more than max_value_bytes ({})", field.path, value.len(), self.value_bytes_max));
        }
        match field.kind {
            FieldKind::Text => {
                self.text(row, value, candidates, field.role, patches);
                Ok(())
            }
            FieldKind::Json => self
                .json(row, value, candidates, field.role, patches)
                .map_err(|error| format!("`{}` is not JSON: expected {} at byte {}", field.path, error.expected, error.at)),
        }
    }

    /// Whether values without a candidate can be passed over. The host shows JSON, so a value that begins with a quote is a
    /// string, and one without a candidate holds nothing to redact. A row that is not present has no bytes of its own: the
    /// first byte looked at is the next value's.
    fn looks_at_marked_only(&self, field: &ReadField, column: &Column<'_>, (bytes, starts, ends): (&[u8], &[u32], &[u32])) -> bool {
        let longest = starts.iter().zip(ends).fold(0, |longest, (start, end)| end.saturating_sub(*start).max(longest));
        field.kind == FieldKind::Json
            && field.role.secret.is_none()
            && !field.role.account
            && longest as usize <= self.value_bytes_max
            && starts.iter().enumerate().all(|(row, &start)| match bytes.get(start as usize) {
                Some(first) => *first == b'"',
                None => !column.is_present(row),
            })
    }

    #[inline]
    fn text(&mut self, row: u32, value: &[u8], (candidates, base): (&[u32], usize), role: Role, patches: &mut Patches) {
        if self.engine.inspect(value, candidates, base, role) {
            let removed = self.engine.removes_all(value.len());
            self.engine.rewrite(value, &mut patches.bytes);
            patches.push(row, removed);
        }
    }

    #[inline]
    fn json(
        &mut self,
        row: u32,
        value: &[u8],
        (candidates, base): (&[u32], usize),
        role: Role,
        patches: &mut Patches,
    ) -> Result<(), crate::json::reader::NotJson> {
        // A string without escapes, as most are, is its own text.
        if let [b'"', inner @ .., b'"'] = value
            && prescan::plain_end(inner, 0) == inner.len()
        {
            if self.engine.inspect(inner, candidates, base + 1, role) {
                let removed = self.engine.removes_all(inner.len());
                if removed {
                    self.engine.rewrite(inner, &mut patches.bytes);
                } else {
                    patches.bytes.push(b'"');
                    self.engine.rewrite(inner, &mut patches.bytes);
                    patches.bytes.push(b'"');
                }
                patches.push(row, removed);
            }
            return Ok(());
        }
        match self.walker.redact(&mut self.engine, value, (candidates, base), role, &mut patches.bytes)? {
            record::Outcome::Untouched => {}
            record::Outcome::Redacted => patches.push(row, false),
            record::Outcome::Removed => patches.push(row, true),
        }
        Ok(())
    }
}

/// The column of a field.
fn column_of<'a, 'b>(batch: &'b Batch<'a>, index: usize, field: &ReadField) -> Result<&'b Column<'a>, String> {
    batch.columns.get(index).ok_or_else(|| format!("expected a column for `{}`, found {} columns", field.path, batch.columns.len()))
}

/// The values of a column, with an offset before and after each of `rows`.
fn values_of<'a>(rows: u32, column: &Column<'a>, field: &ReadField) -> Result<VarValues<'a>, String> {
    let values = match (&column.values, field.kind) {
        (Values::Text(values), FieldKind::Text) | (Values::Json(values), FieldKind::Json) => *values,
        _ => return Err(format!("expected a {:?} column for `{}`, found {:?}", field.kind, field.path, column.kind())),
    };
    if values.offsets.len() <= rows as usize {
        return Err(format!("expected {rows} values of `{}`, found {} offsets", field.path, values.offsets.len()));
    }
    Ok(values)
}

/// The first of `ends`, which ascend, from `from` on that is greater than `at`; how many there are if none is.
#[inline]
fn first_beyond(ends: &[u32], from: usize, at: usize) -> usize {
    let mut row = from;
    while ends.get(row + 3).is_some_and(|&end| end as usize <= at) {
        row += 4;
    }
    while ends.get(row).is_some_and(|&end| end as usize <= at) {
        row += 1;
    }
    row
}

/// The candidates of a column, taken value by value.
struct Marked<'a> {
    candidates: &'a [u32],
    passed: usize,
}

impl<'a> Marked<'a> {
    /// The next one; the largest number behind the last.
    #[inline]
    fn next(&self) -> usize {
        self.candidates.get(self.passed).map_or(usize::MAX, |&at| at as usize)
    }

    /// Those from `start` to before `end`; values come in order.
    #[inline]
    fn within(&mut self, start: usize, end: usize) -> &'a [u32] {
        let mut from = self.passed;
        while self.candidates.get(from).is_some_and(|&at| (at as usize) < start) {
            from += 1;
        }
        let mut to = from;
        while self.candidates.get(to).is_some_and(|&at| (at as usize) < end) {
            to += 1;
        }
        self.passed = to;
        self.candidates.get(from..to).unwrap_or_default()
    }
}

/// The last part of a field's path.
fn last_name(path: &str) -> &str {
    let name = path.rsplit('.').next().unwrap_or(path);
    name.trim_matches(['[', ']', '"', '\''])
}

/// How much of some patches there was.
#[derive(Clone, Copy)]
struct Mark {
    rows: usize,
    bytes: usize,
    removed: usize,
}

/// The new values of one field.
#[derive(Default)]
struct Patches {
    rows: Vec<u32>,
    ends: Vec<u32>,
    bytes: Vec<u8>,
    /// Which of `rows` are removed.
    removed: Vec<usize>,
}

impl Patches {
    /// Closes the value that was appended to `bytes`.
    fn push(&mut self, row: u32, removed: bool) {
        if removed {
            self.removed.push(self.rows.len());
        }
        self.rows.push(row);
        self.ends.push(self.bytes.len() as u32);
    }

    fn mark(&self) -> Mark {
        Mark { rows: self.rows.len(), bytes: self.bytes.len(), removed: self.removed.len() }
    }

    /// The value that was appended since; `None` if there is none.
    fn since(&self, mark: Mark) -> Option<&[u8]> {
        (self.rows.len() > mark.rows).then(|| self.bytes.get(mark.bytes..)).flatten()
    }

    /// Takes back what was appended since.
    fn back_to(&mut self, mark: Mark) {
        self.rows.truncate(mark.rows);
        self.ends.truncate(mark.rows);
        self.bytes.truncate(mark.bytes);
        self.removed.truncate(mark.removed);
    }

    fn finish(self, field: u32, kind: FieldKind) -> Option<Patch> {
        if self.rows.is_empty() {
            return None;
        }
        let present = (!self.removed.is_empty()).then(|| {
            let mut bits = vec![0xff_u8; self.rows.len().div_ceil(8)];
            for index in &self.removed {
                if let Some(byte) = bits.get_mut(index / 8) {
                    *byte &= !(1 << (index % 8));
                }
            }
            bits
        });
        let mut offsets = Vec::with_capacity(self.ends.len() + 1);
        offsets.push(0);
        offsets.extend(self.ends);
        let values = ReturnedVarValues { offsets, bytes: self.bytes };
        Some(Patch {
            field,
            rows: Some(self.rows),
            column: Returned {
                values: match kind {
                    FieldKind::Json => ReturnedValues::Json(values),
                    FieldKind::Text => ReturnedValues::Text(values),
                },
                present,
            },
        })
    }
}
