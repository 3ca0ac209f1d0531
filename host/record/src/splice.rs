//! Encoding by splicing: the record's text is copied with the changed values replaced, inserted or cut out in place.
//!
//! `splice(record, edits)` equals «parse, edit, serialise»; `tests/splice.rs` holds it to that. Edits never overlap
//! here: the batch settles overlapping ones one after the other (see `Batch::settle`).

use crate::fields::{Fields, NO_NODE, Node};
use crate::marks::Marks;
use crate::scan::{Scan, Slot};

/// The pending change of one written field of one row: a range of the batch's edit text, or a mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Edit {
    start: u32,
    end: u32,
}

impl Edit {
    pub(crate) const NONE: Edit = Edit { start: u32::MAX, end: 0 };
    pub(crate) const REMOVE: Edit = Edit { start: u32::MAX - 1, end: 0 };

    pub(crate) fn set(start: usize, end: usize) -> Self {
        Edit { start: start as u32, end: end as u32 }
    }

    #[inline]
    pub(crate) fn is_set(self) -> bool {
        self.start < u32::MAX - 1
    }

    /// The new value's JSON text.
    #[inline]
    pub(crate) fn text(self, all: &[u8]) -> &[u8] {
        all.get(self.start as usize..self.end as usize).unwrap_or_default()
    }
}

/// A change that does not fit the record: a member is to be set in something that is no object, or an element in what is no array.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Conflict {
    pub(crate) reason: String,
}

/// What replaces the text `from..to`.
#[derive(Debug, Clone, Copy)]
struct Op {
    from: u32,
    to: u32,
    what: What,
}

#[derive(Debug, Clone, Copy)]
enum What {
    Nothing,
    /// The edit of a written field, by its place.
    Value(u16),
    /// New members (or elements, after so many `null`s) at a container's end.
    Inside {
        node: u16,
        comma: bool,
        nulls: u32,
    },
    /// A container made anew in the place of `null`.
    Built(u16),
}

/// Memory reused from row to row.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    ops: Vec<Op>,
    cuts: Vec<Slot>,
}

/// One row and what is to change in it.
pub(crate) struct Splice<'a> {
    pub(crate) fields: &'a Fields,
    /// The text up to the row's end.
    pub(crate) text: &'a [u8],
    pub(crate) slots: &'a [Slot],
    pub(crate) edits: &'a [Edit],
    pub(crate) edit_text: &'a [u8],
    pub(crate) scratch: &'a mut Scratch,
}

impl Splice<'_> {
    /// Appends the changed record to `out`; leaves `out` as it was on `Err`.
    pub(crate) fn write(mut self, from: usize, out: &mut Vec<u8>) -> Result<(), Conflict> {
        let before = out.len();
        let root = self.edit(0);
        if root.is_set() {
            out.extend_from_slice(root.text(self.edit_text));
            return Ok(());
        }
        if root == Edit::REMOVE {
            return Err(Conflict { reason: "the whole record cannot be removed: answer the verdict `drop` instead".into() });
        }
        self.scratch.ops.clear();
        self.scratch.cuts.clear();
        self.visit(0)?;
        if self.scratch.ops.len() > 1 {
            self.scratch.ops.sort_unstable_by_key(|op| (op.from, op.to));
        }
        let mut at = from;
        for op in &self.scratch.ops {
            out.extend_from_slice(self.text.get(at..op.from as usize).unwrap_or_default());
            match op.what {
                What::Nothing => {}
                What::Value(place) => out.extend_from_slice(self.edits[place as usize].text(self.edit_text)),
                What::Inside { node, comma, nulls } => self.inside(node, comma, nulls, out),
                What::Built(node) => self.built(node, out),
            }
            at = op.to as usize;
        }
        out.extend_from_slice(self.text.get(at..).unwrap_or_default());
        debug_assert!(out.len() >= before);
        Ok(())
    }

    fn node(&self, node: u16) -> &Node {
        &self.fields.nodes[node as usize]
    }

    #[inline]
    fn edit(&self, node: u16) -> Edit {
        match self.fields.nodes[node as usize].write {
            NO_NODE => Edit::NONE,
            place => self.edits[place as usize],
        }
    }

    /// Whether a value is to be set at or below the node.
    fn sets(&self, node: u16) -> bool {
        self.edit(node).is_set() || self.node(node).written_below.iter().any(|child| self.sets(*child))
    }

    /// Whether anything is to change below the node.
    fn changes_below(&self, node: u16) -> bool {
        self.node(node).written_below.iter().any(|child| self.edit(*child) != Edit::NONE || self.changes_below(*child))
    }

    fn byte(&self, at: u32) -> u8 {
        self.text.get(at as usize).copied().unwrap_or(0)
    }

    /// Collects the operations below a node whose value is in the text.
    fn visit(&mut self, node: u16) -> Result<(), Conflict> {
        let fields = self.fields;
        let slot = self.slots[node as usize];
        let first = self.byte(slot.start);
        let cuts = self.scratch.cuts.len();
        let mut insert = false;
        let mut unfit = false;
        for &child in &fields.nodes[node as usize].written_below {
            let below = &fields.nodes[child as usize];
            let fits = matches!((below.element, first), (None, b'{') | (Some(_), b'['));
            let there = self.slots[child as usize];
            let edit = self.edit(child);
            if edit.is_set() {
                if there.is_present() {
                    self.scratch.ops.push(Op { from: there.start, to: there.end(), what: What::Value(below.write) });
                } else if fits {
                    insert = true;
                } else {
                    unfit = true;
                }
            } else if edit == Edit::REMOVE {
                if there.is_present() {
                    self.scratch.cuts.push(there);
                }
            } else if there.is_present() {
                if self.byte(there.start) == b'n' {
                    if self.sets(child) {
                        self.scratch.ops.push(Op { from: there.start, to: there.end(), what: What::Built(child) });
                    }
                } else if self.changes_below(child) {
                    self.visit(child)?;
                }
            } else if self.sets(child) {
                if fits {
                    insert = true;
                } else {
                    unfit = true;
                }
            }
        }
        if unfit {
            return if first == b'n' {
                // Only the record itself gets here as `null`; below it, the parent has dealt with it.
                self.scratch.ops.push(Op { from: slot.start, to: slot.end(), what: What::Built(node) });
                Ok(())
            } else {
                Err(self.conflict(node, first))
            };
        }
        let emptied = self.cut(cuts, slot);
        if insert {
            let end = slot.end() - 1;
            let empty = emptied || self.skip_blanks(slot.start + 1) == end;
            let nulls = if first == b'[' { self.gap(node, slot)? } else { 0 };
            self.scratch.ops.push(Op { from: end, to: end, what: What::Inside { node, comma: !empty, nulls } });
        }
        Ok(())
    }

    /// Cuts the collected members (or elements) of one container with the commas that would be left over. Gives whether nothing remains.
    fn cut(&mut self, begin: usize, container: Slot) -> bool {
        if self.scratch.cuts.len() == begin {
            return false;
        }
        self.scratch.cuts[begin..].sort_unstable_by_key(|slot| slot.key);
        let mut emptied = false;
        let mut i = begin;
        while i < self.scratch.cuts.len() {
            let from = self.scratch.cuts[i].key;
            let mut to = self.scratch.cuts[i].end();
            i += 1;
            // Neighbours that go too are one cut.
            let mut behind = self.skip_blanks(to);
            while self.byte(behind) == b',' {
                let next = self.skip_blanks(behind + 1);
                match self.scratch.cuts.get(i) {
                    Some(cut) if cut.key == next => {
                        to = cut.end();
                        behind = self.skip_blanks(to);
                        i += 1;
                    }
                    _ => break,
                }
            }
            if self.byte(behind) == b',' {
                to = self.skip_blanks(behind + 1);
                self.scratch.ops.push(Op { from, to, what: What::Nothing });
                continue;
            }
            let before = self.skip_blanks_back(from, container.start);
            if before > container.start {
                self.scratch.ops.push(Op { from: before, to, what: What::Nothing });
            } else {
                emptied = true;
                self.scratch.ops.push(Op { from, to, what: What::Nothing });
            }
        }
        self.scratch.cuts.truncate(begin);
        emptied
    }

    fn skip_blanks(&self, mut at: u32) -> u32 {
        while matches!(self.byte(at), b' ' | b'\t' | b'\r') {
            at += 1;
        }
        at
    }

    /// The first byte before `at` that is not blank, not before `floor`.
    fn skip_blanks_back(&self, mut at: u32, floor: u32) -> u32 {
        while at > floor + 1 && matches!(self.byte(at - 1), b' ' | b'\t' | b'\r') {
            at -= 1;
        }
        at.saturating_sub(1).max(floor)
    }

    /// How many `null`s are needed before the new element of an array.
    fn gap(&self, node: u16, slot: Slot) -> Result<u32, Conflict> {
        let wanted = self.node(node).written_below.iter().filter(|c| self.sets(**c)).find_map(|c| self.node(*c).element);
        let mut marks = Marks::default();
        marks.index(self.text, slot.start as usize, slot.end() as usize);
        let mut scan = Scan {
            text: self.text,
            marks: marks.places(),
            passed: 0,
            nodes: &[],
            slots: &mut [],
            overridden: &mut Vec::new(),
            depth_max: crate::scan::DEPTH_MAX,
            at: slot.start as usize,
        };
        let there = scan.elements().map_err(|wrong| Conflict { reason: wrong.text().into() })?;
        Ok(wanted.unwrap_or(0).saturating_sub(there))
    }

    fn inside(&self, node: u16, mut comma: bool, nulls: u32, out: &mut Vec<u8>) {
        for _ in 0..nulls {
            if comma {
                out.push(b',');
            }
            out.extend_from_slice(b"null");
            comma = true;
        }
        for &child in &self.node(node).written_below {
            if self.slots[child as usize].is_present() || !self.sets(child) {
                continue;
            }
            if comma {
                out.push(b',');
            }
            comma = true;
            out.extend_from_slice(&self.node(child).json_key);
            self.value(child, out);
        }
    }

    /// A value that is not in the text: the edit, or a container around the edits below.
    fn value(&self, node: u16, out: &mut Vec<u8>) {
        match self.edit(node) {
            edit if edit.is_set() => out.extend_from_slice(edit.text(self.edit_text)),
            _ => self.built(node, out),
        }
    }

    fn built(&self, node: u16, out: &mut Vec<u8>) {
        let array = self.node(node).written_below.iter().filter(|c| self.sets(**c)).find_map(|c| self.node(*c).element);
        out.push(if array.is_some() { b'[' } else { b'{' });
        for _ in 0..array.unwrap_or(0) {
            out.extend_from_slice(b"null,");
        }
        let mut comma = false;
        for &child in &self.node(node).written_below {
            if self.sets(child) {
                if comma {
                    out.push(b',');
                }
                comma = true;
                out.extend_from_slice(&self.node(child).json_key);
                self.value(child, out);
            }
        }
        out.push(if array.is_some() { b']' } else { b'}' });
    }

    fn conflict(&self, node: u16, first: u8) -> Conflict {
        let found = match first {
            b'"' => "a string",
            b'{' => "an object",
            b'[' => "an array",
            b't' | b'f' => "a boolean",
            _ => "a number",
        };
        let path = self.fields.path(node);
        let child = self.node(node).written_below.iter().find(|c| self.sets(**c) && !self.slots[**c as usize].is_present());
        let wanted = child.map_or_else(String::new, |c| self.fields.path(*c));
        Conflict { reason: format!("`{wanted}` cannot be set: `{path}` holds {found}") }
    }
}
