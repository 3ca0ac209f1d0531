//! The fields a pipeline touches, as a tree of path segments. Nodes are numbered; a node's slot tells where its value stands in a row.

use crate::{Kind, Path, Relation, Segment};

/// Number of a field's node; the record itself is node 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FieldId(pub(crate) u16);

/// Number of a column: a field presented as a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ColumnId(pub(crate) u16);

/// Nodes a pipeline's fields may need; a limit so that memory a row is bounded.
pub const NODES_MAX: usize = 4096;

/// More fields than [`NODES_MAX`] nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a pipeline may touch at most {NODES_MAX} fields and parents of fields")]
pub struct TooManyFields;

pub(crate) const NO_NODE: u16 = u16::MAX;
const TABLE: usize = 64;

/// A tracked place of a record.
#[derive(Debug, Clone, Default)]
pub(crate) struct Node {
    /// Members tracked below it.
    pub(crate) keys: Vec<(Box<[u8]>, u16)>,
    /// Elements tracked below it, ascending.
    pub(crate) indexes: Vec<(u32, u16)>,
    /// Bit `h` is set when a tracked member's name has the hash `h`: most of a record's members end here.
    filter: u64,
    /// First candidate by hash of the name, an index into `keys` (which are sorted by hash); the rest follow.
    table: Vec<u16>,
    /// The hash of each of `keys`.
    hashes: Vec<u8>,
    /// `"name":` as it is written when the member is inserted.
    pub(crate) json_key: Box<[u8]>,
    /// The segment's index when the node is an element.
    pub(crate) element: Option<u32>,
    /// Children that are written or lead to something written.
    pub(crate) written_below: Vec<u16>,
    /// Place among the written fields, or `NO_NODE`.
    pub(crate) write: u16,
}

impl Node {
    fn new() -> Self {
        Self { write: NO_NODE, ..Self::default() }
    }

    /// The node of the member with this (unescaped) name.
    #[inline(always)]
    pub(crate) fn member(&self, name: &[u8]) -> Option<u16> {
        let hash = hash(name);
        if self.filter >> hash & 1 == 0 {
            return None;
        }
        let mut i = *self.table.get(hash)? as usize;
        // Those of one hash stand next to each other.
        while self.hashes.get(i).is_some_and(|h| *h as usize == hash) {
            let (key, node) = self.keys.get(i)?;
            if same(key, name) {
                return Some(*node);
            }
            i += 1;
        }
        None
    }

    /// The node of element `index`.
    pub(crate) fn element(&self, index: u32) -> Option<u16> {
        self.indexes.iter().find(|(i, _)| *i == index).map(|(_, n)| *n)
    }

    fn finish(&mut self) {
        self.indexes.sort_unstable();
        self.keys.sort_by_key(|(key, _)| hash(key));
        self.hashes = self.keys.iter().map(|(key, _)| hash(key) as u8).collect();
        self.table = vec![NO_NODE; TABLE];
        for (i, (key, _)) in self.keys.iter().enumerate().rev() {
            self.filter |= 1 << hash(key);
            self.table[hash(key)] = i as u16;
        }
    }
}

/// Equality of short texts without a call: names have 4 to 16 bytes as a rule.
#[inline(always)]
fn same(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    if let (Some(a_front), Some(b_front), Some(a_back), Some(b_back)) =
        (a.first_chunk::<8>(), b.first_chunk::<8>(), a.last_chunk::<8>(), b.last_chunk::<8>())
    {
        return a_front == b_front && a_back == b_back && (a.len() <= 16 || a == b);
    }
    if let (Some(a_front), Some(b_front), Some(a_back), Some(b_back)) =
        (a.first_chunk::<4>(), b.first_chunk::<4>(), a.last_chunk::<4>(), b.last_chunk::<4>())
    {
        return a_front == b_front && a_back == b_back;
    }
    a == b
}

/// Below [`TABLE`], from the length and both ends.
#[inline(always)]
fn hash(name: &[u8]) -> usize {
    let first = name.first().copied().unwrap_or(0) as usize;
    let last = name.last().copied().unwrap_or(0) as usize;
    (name.len() ^ first.wrapping_mul(5) ^ last.wrapping_mul(11)) % TABLE
}

/// The fields a pipeline reads and writes. Built once a pipeline, shared by its lanes.
#[derive(Debug, Clone)]
pub struct Fields {
    pub(crate) nodes: Vec<Node>,
    pub(crate) columns: Vec<(u16, Kind)>,
    /// Node and path of each written field.
    pub(crate) writes: Vec<(u16, Path)>,
    /// For each node, the written fields (by place) whose pending change may change what the node holds.
    pub(crate) overlaps: Vec<Vec<u16>>,
    paths: Vec<(Path, u16)>,
}

impl Default for Fields {
    fn default() -> Self {
        Self::new()
    }
}

impl Fields {
    /// No fields: records are only validated.
    pub fn new() -> Self {
        let mut fields = Self {
            nodes: vec![Node::new()],
            columns: Vec::new(),
            writes: Vec::new(),
            overlaps: Vec::new(),
            paths: vec![(Path::root(), 0)],
        };
        fields.finish();
        fields
    }

    /// Tracks a field that a step reads as a kind; the same one twice gives the same column.
    pub fn read(&mut self, path: &Path, kind: Kind) -> Result<ColumnId, TooManyFields> {
        let node = self.node(path)?;
        let place = match self.columns.iter().position(|c| *c == (node, kind)) {
            Some(place) => place,
            None => {
                self.columns.push((node, kind));
                self.columns.len() - 1
            }
        };
        self.finish();
        Ok(ColumnId(place as u16))
    }

    /// Tracks a field that a step writes.
    pub fn write(&mut self, path: &Path) -> Result<FieldId, TooManyFields> {
        let node = self.node(path)?;
        if !self.writes.iter().any(|(n, _)| *n == node) {
            self.nodes[node as usize].write = self.writes.len() as u16;
            self.writes.push((node, path.clone()));
        }
        self.finish();
        Ok(FieldId(node))
    }

    /// Number of columns.
    pub fn column_count(&self) -> usize {
        self.columns.len()
    }

    /// The path of a node, for messages.
    pub(crate) fn path(&self, node: u16) -> String {
        self.paths.iter().find(|(_, n)| *n == node).map_or_else(String::new, |(path, _)| path.to_string())
    }

    fn node(&mut self, path: &Path) -> Result<u16, TooManyFields> {
        let mut at = 0u16;
        for (depth, segment) in path.segments().iter().enumerate() {
            let node = &self.nodes[at as usize];
            let found = match segment {
                Segment::Key(key) => node.keys.iter().find(|(k, _)| **k == *key.as_bytes()).map(|(_, n)| *n),
                Segment::Index(index) => node.element(*index),
            };
            at = match found {
                Some(child) => child,
                None => {
                    if self.nodes.len() >= NODES_MAX {
                        return Err(TooManyFields);
                    }
                    let child = self.nodes.len() as u16;
                    let mut new = Node::new();
                    match segment {
                        Segment::Key(key) => {
                            let mut json = Vec::new();
                            crate::write::string(&mut json, key.as_bytes());
                            json.push(b':');
                            new.json_key = json.into();
                            self.nodes[at as usize].keys.push((key.as_bytes().into(), child));
                        }
                        Segment::Index(index) => {
                            new.element = Some(*index);
                            self.nodes[at as usize].indexes.push((*index, child));
                        }
                    }
                    self.nodes.push(new);
                    self.paths.push((Path::from_segments(path.segments()[..=depth].to_vec()), child));
                    child
                }
            };
        }
        Ok(at)
    }

    /// Derives lookups; cheap next to building a pipeline.
    fn finish(&mut self) {
        for node in &mut self.nodes {
            node.finish();
            node.written_below.clear();
        }
        for i in 0..self.writes.len() {
            let mut at = 0u16;
            for segment in self.writes[i].1.segments() {
                let child = match segment {
                    Segment::Key(key) => self.nodes[at as usize].member(key.as_bytes()),
                    Segment::Index(index) => self.nodes[at as usize].element(*index),
                };
                let Some(child) = child else { break };
                let below = &mut self.nodes[at as usize].written_below;
                if !below.contains(&child) {
                    below.push(child);
                }
                at = child;
            }
        }
        self.overlaps = vec![Vec::new(); self.nodes.len()];
        for (path, node) in &self.paths {
            for (place, (_, written)) in self.writes.iter().enumerate() {
                // An element that was removed gives its place to the next one, so even the same path may hold something else.
                let element = matches!(path.segments().last(), Some(Segment::Index(_)));
                let relation = path.relation(written);
                if relation == Relation::Overlapping || (relation == Relation::Same && element) {
                    self.overlaps[*node as usize].push(place as u16);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_found_by_name_only() {
        let mut fields = Fields::new();
        let names: Vec<String> = (0..300).map(|i| format!("name{i}")).chain(["".into(), "a".into(), "é".into()]).collect();
        for name in &names {
            fields.write(&Path::from_segments(vec![Segment::Key(name.as_str().into())])).unwrap();
        }
        for name in &names {
            let node = fields.nodes[0].member(name.as_bytes()).unwrap();
            assert_eq!(&*fields.nodes[0].keys.iter().find(|(_, n)| *n == node).unwrap().0, name.as_bytes());
        }
        for name in ["name", "name300", "b", "nam\u{0}", "a much longer name than any of them, of more than 64 bytes in all"] {
            assert_eq!(fields.nodes[0].member(name.as_bytes()), None);
        }
    }

    #[test]
    fn the_number_of_nodes_is_bounded() {
        let mut fields = Fields::new();
        for i in 0..NODES_MAX - 1 {
            fields.node(&Path::from_segments(vec![Segment::Key(i.to_string().into())])).unwrap();
        }
        assert_eq!(fields.node(&Path::from_segments(vec![Segment::Key("x".into())])), Err(TooManyFields));
    }
}
