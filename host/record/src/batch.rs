//! A batch on its way through a pipeline's steps.

use crate::column::{Column, DROP, KEEP, Outcome, Values};
use crate::fields::{ColumnId, FieldId, Fields, NO_NODE};
use crate::malformed::Malformed;
use crate::marks::{Marks, is_plain};
use crate::records::{Fault, Records};
use crate::scan::{DEPTH_MAX_DEFAULT, Scan, Slot};
use crate::splice::{Conflict, Edit, Scratch, Splice};
use crate::{read, write};
use std::sync::Arc;

/// What [`Batch::apply`] did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Applied {
    /// Records dropped on purpose.
    pub dropped: u32,
    /// Values set or removed.
    pub patched: u64,
}

struct Cached {
    column: Column,
    bits: Vec<u8>,
    valid: bool,
}

/// One batch, and the memory to hold the next: a lane keeps one for each pipeline.
///
/// Rows are numbered twice: as in [`Records`], and as a step sees them, where rows that were dropped or failed are gone.
/// [`Batch::live`] maps the second to the first.
pub struct Batch {
    fields: Arc<Fields>,
    depth_max: u32,
    records: Arc<Records>,
    /// The text when it is no longer the records' own, with `rows` into it.
    own: Option<Vec<u8>>,
    spare: Vec<u8>,
    rows: Vec<(u32, u32)>,
    marks: Marks,
    slots: Vec<Slot>,
    edits: Vec<Edit>,
    edit_text: Vec<u8>,
    /// For each row, whether it has edits; for each written field, whether any row has one.
    touched: Vec<bool>,
    pending: Vec<bool>,
    live: Vec<u32>,
    before: Vec<u32>,
    ways: Vec<u8>,
    cache: Vec<Cached>,
    overridden: Vec<(u32, u32)>,
    scratch: Scratch,
}

impl Batch {
    /// An empty batch for a pipeline that touches `fields`.
    pub fn new(fields: Arc<Fields>) -> Self {
        let cache = fields.columns.iter().map(|(_, kind)| Cached { column: Column::new(*kind), bits: Vec::new(), valid: false }).collect();
        Self {
            pending: vec![false; fields.writes.len()],
            fields,
            depth_max: DEPTH_MAX_DEFAULT,
            records: Arc::default(),
            own: None,
            spare: Vec::new(),
            rows: Vec::new(),
            marks: Marks::default(),
            slots: Vec::new(),
            edits: Vec::new(),
            edit_text: Vec::new(),
            touched: Vec::new(),
            live: Vec::new(),
            before: Vec::new(),
            ways: Vec::new(),
            cache,
            overridden: Vec::new(),
            scratch: Scratch::default(),
        }
    }

    /// Sets how deep a record may be nested; at most [`crate::DEPTH_MAX`].
    pub fn set_depth_max(&mut self, depth: u32) {
        self.depth_max = depth.min(crate::DEPTH_MAX);
    }

    /// Takes in records: validates them and finds the fields in one pass. Rows that are not JSON are given to `faults` and are not live.
    pub fn load(&mut self, records: Arc<Records>, faults: &mut Vec<Fault>) {
        self.records = records;
        if let Some(own) = self.own.take() {
            self.spare = own;
        }
        self.rows.clone_from(&self.records.rows);
        let count = self.rows.len();
        self.ways.clear();
        self.ways.resize(count, 0);
        self.live.clear();
        if simdutf8::basic::from_utf8(&self.records.text).is_ok() {
            self.live.extend(0..count as u32);
        } else {
            for row in 0..count {
                match simdutf8::compat::from_utf8(self.records.get(row)) {
                    Ok(_) => self.live.push(row as u32),
                    Err(error) => faults.push(fault(row as u32, Malformed { at: error.valid_up_to() as u32, reason: "not UTF-8" })),
                }
            }
        }
        self.forget_edits();
        self.scan(faults);
    }

    /// Rows (as in [`Records`]) that still travel, ascending.
    pub fn live(&self) -> &[u32] {
        &self.live
    }

    /// The output a row (as in [`Records`]) is on its way to.
    pub fn way(&self, row: u32) -> u8 {
        self.ways.get(row as usize).copied().unwrap_or(0)
    }

    /// Lets go of the records, so that their memory can be used again.
    pub fn release(&mut self) {
        self.records = Arc::default();
        self.live.clear();
        self.rows.clear();
    }

    /// The records as they came.
    pub fn records(&self) -> &Arc<Records> {
        &self.records
    }

    fn text(&self) -> &[u8] {
        self.own.as_deref().unwrap_or(&self.records.text)
    }

    fn forget_edits(&mut self) {
        let places = self.fields.writes.len();
        self.edits.clear();
        self.edits.resize(self.rows.len() * places, Edit::NONE);
        self.edit_text.clear();
        self.touched.clear();
        self.touched.resize(self.rows.len(), false);
        self.pending.fill(false);
        self.forget_columns();
    }

    fn forget_columns(&mut self) {
        for cached in &mut self.cache {
            cached.valid = false;
        }
    }

    /// Finds the fields of the live rows in the present text.
    fn scan(&mut self, faults: &mut Vec<Fault>) {
        let mut overrides: Vec<(u32, Vec<(u32, u32)>)> = Vec::new();
        let width = self.fields.nodes.len();
        let text = self.own.as_deref().unwrap_or(&self.records.text);
        self.slots.clear();
        self.slots.resize(self.rows.len() * width, Slot::ABSENT);
        let mut failed = false;
        for &row in &self.live {
            let (from, to) = self.rows[row as usize];
            self.marks.index(text, from as usize, to as usize);
            let scan = Scan {
                text: text.get(..to as usize).unwrap_or_default(),
                marks: self.marks.places(),
                passed: 0,
                nodes: &self.fields.nodes,
                slots: &mut self.slots[row as usize * width..][..width],
                overridden: &mut self.overridden,
                depth_max: self.depth_max,
                at: from as usize,
            };
            if let Err(malformed) = scan.record() {
                faults.push(fault(row, malformed));
                self.rows[row as usize] = (u32::MAX, u32::MAX);
                failed = true;
                self.overridden.clear();
            } else if !self.overridden.is_empty() {
                overrides.push((row, std::mem::take(&mut self.overridden)));
            }
        }
        if failed {
            let rows = &self.rows;
            self.live.retain(|row| rows[*row as usize].0 != u32::MAX);
        }
        if !overrides.is_empty() {
            self.unify(overrides, faults);
        }
    }

    /// Rewrites rows in which a tracked name is repeated, so that it stands once: the last one counts, as most parsers
    /// have it, and an earlier one cannot slip past a step that sees and changes the last.
    fn unify(&mut self, mut overrides: Vec<(u32, Vec<(u32, u32)>)>, faults: &mut Vec<Fault>) {
        for (_, spans) in &mut overrides {
            spans.sort_unstable_by_key(|(from, to)| (*from, std::cmp::Reverse(*to)));
            let mut end = 0;
            spans.retain(|(_, to)| {
                let outer = *to > end;
                end = end.max(*to);
                outer
            });
        }
        let mut pending = overrides.into_iter().peekable();
        self.rebuild(
            |text, row, (from, to), out| {
                let Some((_, spans)) = pending.next_if(|(r, _)| *r == row) else {
                    out.extend_from_slice(text.get(from as usize..to as usize).unwrap_or_default());
                    return Ok(());
                };
                let mut at = from as usize;
                for (cut, end) in spans {
                    out.extend_from_slice(text.get(at..cut as usize).unwrap_or_default());
                    // A later member follows, so there is a comma behind this one.
                    let rest = text.get(end as usize..).unwrap_or_default();
                    at = end as usize + memchr::memchr(b',', rest).map_or(0, |comma| comma + 1);
                }
                out.extend_from_slice(text.get(at..to as usize).unwrap_or_default());
                Ok(())
            },
            faults,
        );
        self.scan(faults);
    }

    /// Writes the live rows into a new text of the batch's own.
    fn rebuild(&mut self, mut row_text: impl FnMut(&[u8], u32, (u32, u32), &mut Vec<u8>) -> Result<(), Conflict>, faults: &mut Vec<Fault>) {
        let mut out = std::mem::take(&mut self.spare);
        out.clear();
        let text = self.own.as_deref().unwrap_or(&self.records.text);
        for &row in &self.live {
            let from = out.len();
            match row_text(text, row, self.rows[row as usize], &mut out) {
                Ok(()) => self.rows[row as usize] = (from as u32, out.len() as u32),
                Err(conflict) => {
                    out.truncate(from);
                    self.rows[row as usize] = (u32::MAX, u32::MAX);
                    faults.push(Fault { row, reason: conflict.reason });
                }
            }
            out.push(b'\n');
        }
        let rows = &self.rows;
        self.live.retain(|row| rows[*row as usize].0 != u32::MAX);
        if let Some(old) = self.own.replace(out) {
            self.spare = old;
        }
    }

    /// Splices the pending edits into the text and finds the fields anew, because a step reads or writes a field that
    /// overlaps an edited one (its parent, its child, the record).
    fn settle(&mut self, faults: &mut Vec<Fault>) {
        let mut scratch = std::mem::take(&mut self.scratch);
        let fields = Arc::clone(&self.fields);
        let slots = std::mem::take(&mut self.slots);
        let (edits, edit_text) = (std::mem::take(&mut self.edits), std::mem::take(&mut self.edit_text));
        let touched = std::mem::take(&mut self.touched);
        let (width, places) = (fields.nodes.len(), fields.writes.len());
        self.rebuild(
            |text, row, (from, to), out| {
                let text = text.get(..to as usize).unwrap_or_default();
                let row = row as usize;
                if !touched[row] {
                    out.extend_from_slice(text.get(from as usize..).unwrap_or_default());
                    return Ok(());
                }
                let splice = Splice {
                    fields: &fields,
                    text,
                    slots: &slots[row * width..][..width],
                    edits: &edits[row * places..][..places],
                    edit_text: &edit_text,
                    scratch: &mut scratch,
                };
                splice.write(from as usize, out)
            },
            faults,
        );
        (self.scratch, self.slots) = (scratch, slots);
        (self.edits, self.edit_text, self.touched) = (edits, edit_text, touched);
        self.forget_edits();
        self.scan(faults);
    }

    fn overlaps_pending(&self, node: u16) -> bool {
        self.fields.overlaps.get(node as usize).is_some_and(|places| places.iter().any(|place| self.pending[*place as usize]))
    }

    /// Makes the columns ready for [`Batch::column`], over the live rows. Rows whose pending changes do not fit go to `faults`.
    pub fn prepare(&mut self, columns: &[ColumnId], faults: &mut Vec<Fault>) {
        if columns.iter().any(|id| self.overlaps_pending(self.fields.columns[id.0 as usize].0)) {
            let count = faults.len();
            self.settle(faults);
            debug_assert!(faults.len() >= count);
        }
        for id in columns {
            let mut cached = std::mem::replace(
                &mut self.cache[id.0 as usize],
                Cached { column: Column::new(crate::Kind::Boolean), bits: Vec::new(), valid: true },
            );
            if !cached.valid {
                self.extract(self.fields.columns[id.0 as usize].0, &mut cached);
                cached.valid = true;
            }
            self.cache[id.0 as usize] = cached;
        }
    }

    /// A column made ready by [`Batch::prepare`].
    pub fn column(&self, id: ColumnId) -> &Column {
        &self.cache[id.0 as usize].column
    }

    fn extract(&self, node: u16, cached: &mut Cached) {
        let Cached { column, bits, .. } = cached;
        if let Some(old) = column.present.take() {
            *bits = old;
        }
        column.values.clear();
        bits.clear();
        bits.resize(self.live.len().div_ceil(8), 0);
        let text = self.text();
        let width = self.fields.nodes.len();
        let places = self.fields.writes.len();
        let place = self.fields.nodes[node as usize].write;
        let edited = place != NO_NODE && self.pending[place as usize];
        let mut present = 0;
        if let (Values::Text(values), false) = (&mut column.values, edited) {
            for (rows, bits) in self.live.chunks(8).zip(bits.iter_mut()) {
                for (i, &row) in rows.iter().enumerate() {
                    let slot = self.slots.get(row as usize * width + node as usize).copied().unwrap_or(Slot::ABSENT);
                    if slot.is_present() && read::push_text(text, slot, &mut values.bytes) {
                        *bits |= 1 << i;
                        present += 1;
                    }
                    values.close();
                }
            }
        } else {
            for (i, &row) in self.live.iter().enumerate() {
                let slot = self.slots[row as usize * width + node as usize];
                let edit = if edited { self.edits[row as usize * places + place as usize] } else { Edit::NONE };
                let there = if edit != Edit::NONE {
                    let value = edit.text(&self.edit_text);
                    edit.is_set() && read::push(value, memchr::memchr(b'\\', value).is_some(), column)
                } else if slot.is_present() {
                    let value = text.get(slot.start as usize..slot.end() as usize).unwrap_or_default();
                    read::push(value, slot.is_escaped(), column)
                } else {
                    false
                };
                if there {
                    bits[i / 8] |= 1 << (i % 8);
                    present += 1;
                } else {
                    column.values.push_absent();
                }
            }
        }
        if present < self.live.len() {
            column.present = Some(std::mem::take(bits));
        }
    }

    /// Applies a step's answer, whose rows are the live ones at the call. `writes` are the step's written fields in the
    /// order of its signature, `outputs` the pipeline's number of each of its outputs, `dead` rows (as the step saw them)
    /// that go no further: the caller names their reasons. The answer must have been checked (rows, fields and numbers
    /// out of range are passed over).
    pub fn apply(&mut self, writes: &[FieldId], outputs: &[u8], outcome: &Outcome, dead: &[u32], faults: &mut Vec<Fault>) -> Applied {
        let mut applied = Applied::default();
        let mut before = std::mem::take(&mut self.before);
        before.clone_from(&self.live);
        for patch in &outcome.patches {
            let Some(FieldId(node)) = writes.get(patch.field as usize).copied() else { continue };
            if self.overlaps_pending(node) {
                self.settle(faults);
            }
            applied.patched += self.patch(node, patch.rows.as_deref(), &patch.column, &before);
        }
        // `settle` may have taken rows out already; what it left is what verdicts are for.
        let settled = self.live.len() != before.len();
        if outcome.verdicts.is_some() || !dead.is_empty() || settled {
            let mut gone = vec![false; 0];
            if !dead.is_empty() {
                gone.resize(before.len(), false);
                for row in dead {
                    if let Some(entry) = gone.get_mut(*row as usize) {
                        *entry = true;
                    }
                }
            }
            let live_before = std::mem::take(&mut self.live);
            let mut still = live_before.iter().copied().peekable();
            let mut live = Vec::with_capacity(live_before.len());
            for (i, &row) in before.iter().enumerate() {
                if still.next_if_eq(&row).is_none() || gone.get(i).copied().unwrap_or(false) {
                    continue;
                }
                match outcome.verdicts.as_ref().and_then(|v| v.get(i)).copied().unwrap_or(KEEP) {
                    KEEP => {}
                    DROP => {
                        applied.dropped += 1;
                        continue;
                    }
                    output => {
                        if let Some(way) = outputs.get(usize::from(output) - 1) {
                            self.ways[row as usize] = *way;
                        }
                    }
                }
                live.push(row);
            }
            if live.len() != before.len() {
                self.forget_columns();
            }
            self.live = live;
        }
        self.before = before;
        applied
    }

    fn patch(&mut self, node: u16, rows: Option<&[u32]>, column: &Column, before: &[u32]) -> u64 {
        let place = self.fields.nodes[node as usize].write;
        if place == NO_NODE {
            return 0;
        }
        for (cached, (n, _)) in self.cache.iter_mut().zip(&self.fields.columns) {
            cached.valid &= *n != node;
        }
        self.pending[place as usize] = true;
        let places = self.fields.writes.len();
        let count = column.len().min(rows.map_or(before.len(), <[u32]>::len));
        for i in 0..count {
            let seen = rows.map_or(i as u32, |rows| rows[i]);
            let Some(&row) = before.get(seen as usize) else { continue };
            let edit = if column.is_present(i) {
                let start = self.edit_text.len();
                self.write_value(&column.values, i);
                Edit::set(start, self.edit_text.len())
            } else {
                Edit::REMOVE
            };
            self.edits[row as usize * places + place as usize] = edit;
            self.touched[row as usize] = true;
        }
        count as u64
    }

    #[inline]
    fn write_value(&mut self, values: &Values, i: usize) {
        let out = &mut self.edit_text;
        match values {
            Values::Text(v) => {
                let text = v.get(i);
                if is_plain(text) {
                    out.reserve(text.len() + 2);
                    out.push(b'"');
                    out.extend_from_slice(text);
                    out.push(b'"');
                } else {
                    write::string(out, text);
                }
            }
            Values::Json(v) => out.extend_from_slice(v.get(i)),
            Values::Integer(v) => write::integer(out, v.get(i).copied().unwrap_or(0)),
            Values::Float(v) => write::float(out, v.get(i).copied().unwrap_or(0.0)),
            Values::Boolean(v) => out.extend_from_slice(if v.get(i) == Some(&1) { b"true" } else { b"false" }),
        }
    }

    /// Appends the row (as in [`Records`]) with its changes to `out`, without a line end. `Err`: its changes do not fit it, and `out` is as it was.
    pub fn encode(&mut self, row: u32, out: &mut Vec<u8>) -> Result<(), Conflict> {
        let row = row as usize;
        let Some(&(from, to)) = self.rows.get(row) else { return Ok(()) };
        let text = self.own.as_deref().unwrap_or(&self.records.text).get(..to as usize).unwrap_or_default();
        if !self.touched[row] {
            out.extend_from_slice(text.get(from as usize..).unwrap_or_default());
            return Ok(());
        }
        let (width, places) = (self.fields.nodes.len(), self.fields.writes.len());
        let splice = Splice {
            fields: &self.fields,
            text,
            slots: &self.slots[row * width..][..width],
            edits: &self.edits[row * places..][..places],
            edit_text: &self.edit_text,
            scratch: &mut self.scratch,
        };
        splice.write(from as usize, out)
    }
}

fn fault(row: u32, malformed: Malformed) -> Fault {
    Fault { row, reason: format!("not JSON: {malformed}") }
}
