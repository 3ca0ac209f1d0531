//! Record by record: what is found in one field is looked for in all of them.

use tamis_plugin::{Batch, Column, Outcome, Reject, VarValues};

use super::{Mark, Marked, Patches, ReadField, Redact, column_of, values_of};
use crate::prescan;
use crate::repeats::{self, Phase};

/// One field's column on the way.
struct Way<'a> {
    column: &'a Column<'a>,
    values: VarValues<'a>,
    marked: Marked<'a>,
    patches: Patches,
}

/// One field's value of the record at hand.
#[derive(Clone, Copy)]
struct Cell<'a> {
    value: Option<&'a [u8]>,
    candidates: (&'a [u32], usize),
    mark: Mark,
}

impl Redact {
    /// Looks at every record of a batch.
    pub(super) fn rows(&mut self, batch: &Batch<'_>, fields: &[ReadField], outcome: &mut Outcome) -> Result<(), String> {
        let mut candidates = std::mem::take(&mut self.column_candidates);
        candidates.resize_with(fields.len(), Vec::new);
        let mut ways = Vec::with_capacity(fields.len());
        for ((index, field), candidates) in fields.iter().enumerate().zip(&mut candidates) {
            let column = column_of(batch, index, field)?;
            let values = values_of(batch.rows, column, field)?;
            candidates.clear();
            prescan::candidates(values.bytes, candidates);
            ways.push(Way { column, values, marked: Marked { candidates, passed: 0 }, patches: Patches::default() });
        }
        let mut cells = Vec::with_capacity(fields.len());
        for row in 0..batch.rows {
            cells.clear();
            cells.extend(ways.iter_mut().map(|way| way.cell(row)));
            if let Err(reason) = self.row(row, fields, &cells, &mut ways) {
                outcome.rejects.push(Reject { row, reason });
            }
        }
        self.engine.repeats().phase = Phase::Off;
        for ((index, field), way) in fields.iter().enumerate().zip(ways) {
            outcome.patches.extend(way.patches.finish(index as u32, field.kind));
        }
        self.column_candidates = candidates;
        Ok(())
    }

    /// Looks at one record, and once more for what was found, if there is something that may stand elsewhere.
    fn row(&mut self, row: u32, fields: &[ReadField], cells: &[Cell<'_>], ways: &mut [Way<'_>]) -> Result<(), String> {
        let counts = self.engine.counts();
        self.engine.repeats().begin();
        self.cells(row, fields, cells, ways)?;
        if !self.engine.repeats().is_empty() && self.may_repeat(cells, ways) {
            for (way, cell) in ways.iter_mut().zip(cells) {
                way.patches.back_to(cell.mark);
            }
            self.engine.set_counts(counts);
            self.engine.repeats().phase = Phase::Search;
            self.cells(row, fields, cells, ways)?;
        }
        match self.engine.repeats().exceeded() {
            true => Err(format!(
                "it holds more than can be looked for in all its fields: at most {} values of together {} bytes",
                repeats::VALUES_MAX,
                repeats::BYTES_MAX
            )),
            false => Ok(()),
        }
    }

    /// Whether anything that was found may stand in the record once more.
    fn may_repeat(&mut self, cells: &[Cell<'_>], ways: &[Way<'_>]) -> bool {
        self.walker.spelt_otherwise()
            || cells.iter().zip(ways).any(|(cell, way)| {
                let text = way.patches.since(cell.mark).or(cell.value).unwrap_or_default();
                self.engine.repeats().may_stand_in(text)
            })
    }

    fn cells(&mut self, row: u32, fields: &[ReadField], cells: &[Cell<'_>], ways: &mut [Way<'_>]) -> Result<(), String> {
        for ((field, cell), way) in fields.iter().zip(cells).zip(ways) {
            if let Some(value) = cell.value {
                self.value((row, value), cell.candidates, field, &mut way.patches)?;
            }
        }
        Ok(())
    }
}

impl<'a> Way<'a> {
    /// The value of a row; rows come in order.
    fn cell(&mut self, row: u32) -> Cell<'a> {
        let place = row as usize;
        let start = self.values.offsets.get(place).map_or(0, |start| *start as usize);
        let value = self.values.get(place).filter(|_| self.column.is_present(place));
        let end = start + value.map_or(0, <[u8]>::len);
        Cell { value, candidates: (self.marked.within(start, end), start), mark: self.patches.mark() }
    }
}
