//! Which fields a program is shown and which it may write, from what the compiler knows of it.

use super::functions::{Deletion, index_beyond_limit};
use std::collections::BTreeSet;
use tamis_record::{PATH_BYTES_MAX, Path, Relation, SEGMENTS_MAX, Segment};
use vrl::path::{OwnedSegment, OwnedTargetPath};

/// The fields of a program, or of several that look at the same record.
#[derive(Debug, Default, Clone)]
pub(crate) struct Layout {
    /// Fields shown, in column order; none lies within another.
    pub(crate) slots: Vec<Place>,
    /// Fields that may change, in the order of the signature. One may lie within another.
    pub(crate) writes: Vec<Write>,
    /// Pairs of writes that take the same place for an object and for an array: patches of both in one record have no
    /// order, so a record on which both happen is refused.
    pub(crate) conflicts: Vec<(usize, usize)>,
    /// Deleted paths whose parents the program may have made itself: the parents stay, so they are written too.
    pub(crate) orphaning: Vec<Vec<OwnedSegment>>,
}

/// A field in the terms of the record and in those of VRL.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) path: Path,
    pub(crate) segments: Vec<OwnedSegment>,
}

/// A field that may change.
#[derive(Debug, Clone)]
pub(crate) struct Write {
    pub(crate) place: Place,
    /// The slot it lies in.
    pub(crate) slot: usize,
    /// Writes that contain this one.
    pub(crate) covered_by: Vec<usize>,
}

/// What a program does to a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    Query,
    Assign,
    Delete { compact: bool },
}

/// The part of a path that has to be taken as a whole for an access to mean the same on columns as on the record.
pub(crate) fn whole(segments: &[OwnedSegment], access: Access) -> &[OwnedSegment] {
    let is_index = |segment: &OwnedSegment| matches!(segment, OwnedSegment::Index(_));
    let end = match access {
        // Emptied parents go too, up to the first.
        Access::Delete { compact: true } => segments.iter().take(1).take_while(|segment| !is_index(segment)).count(),
        // The items behind a removed one move.
        Access::Delete { compact: false } => segments.iter().take_while(|segment| !is_index(segment)).count(),
        // A negative index counts from an end that only the whole array knows.
        Access::Query | Access::Assign => segments
            .iter()
            .take_while(|segment| !matches!(segment, OwnedSegment::Index(index) if *index < 0) && index_beyond_limit(segment).is_none())
            .count(),
    };
    let mut part = segments.get(..end.min(SEGMENTS_MAX)).unwrap_or(segments);
    while path_of(part).to_string().len() > PATH_BYTES_MAX {
        part = part.split_last().map_or(&[], |(_, rest)| rest);
    }
    part
}

fn path_of(segments: &[OwnedSegment]) -> Path {
    let segments = segments.iter().map(|segment| match segment {
        OwnedSegment::Field(key) => Segment::Key(key.as_str().into()),
        OwnedSegment::Index(index) => Segment::Index(u32::try_from(*index).unwrap_or(u32::MAX)),
    });
    Path::from_segments(segments.collect())
}

fn place_of(path: &Path) -> Place {
    let segments = path.segments().iter().map(|segment| match segment {
        Segment::Key(key) => OwnedSegment::field(key),
        Segment::Index(index) => OwnedSegment::index(*index as isize),
    });
    Place { path: path.clone(), segments: segments.collect() }
}

impl Layout {
    /// Works out the fields from the paths that programs query, assign and delete.
    pub(crate) fn new(queries: &[OwnedTargetPath], assignments: &[OwnedTargetPath], deletions: &[Deletion]) -> Self {
        let part = |path: &OwnedTargetPath, access| path_of(whole(&path.path.segments, access));
        let mut writes: BTreeSet<Path> = assignments.iter().map(|path| part(path, Access::Assign)).collect();
        let assigned = writes.clone();
        let mut orphaning = Vec::new();
        for deletion in deletions {
            let mut deleted = part(&deletion.path, Access::Delete { compact: deletion.compact });
            if deleted.segments().len() > 1 && assigned.iter().any(|path| deleted.covers(path)) {
                orphaning.push(place_of(&deleted).segments);
                deleted = Path::from_segments(deleted.segments().iter().take(1).cloned().collect());
            }
            writes.insert(deleted);
        }
        let mut reads: BTreeSet<Path> = queries.iter().map(|path| part(path, Access::Query)).collect();
        reads.extend(writes.iter().cloned());

        // Where a change of one field may show in another though neither contains the other, both are shown as one.
        let mut parents = Vec::new();
        for write in &writes {
            for read in &reads {
                if write.relation(read) == Relation::Overlapping && !write.covers(read) && !read.covers(write) {
                    let common = write.segments().iter().zip(read.segments()).take_while(|(a, b)| a == b).count();
                    parents.push(Path::from_segments(write.segments().iter().take(common).cloned().collect()));
                }
            }
        }
        reads.extend(parents);

        let slots: Vec<Place> =
            reads.iter().filter(|path| !reads.iter().any(|other| other != *path && other.covers(path))).map(place_of).collect();
        let writes: Vec<Path> = writes.into_iter().collect();
        let mut conflicts = Vec::new();
        for (i, a) in writes.iter().enumerate() {
            for (j, b) in writes.iter().enumerate().skip(i + 1) {
                if a.relation(b) == Relation::Overlapping && !a.covers(b) && !b.covers(a) && parts_as_key_and_index(a, b) {
                    conflicts.push((i, j));
                }
            }
        }
        let writes = writes.iter().map(|path| Write {
            place: place_of(path),
            slot: slots.iter().position(|slot| slot.path.covers(path)).unwrap_or(usize::MAX),
            covered_by: writes.iter().enumerate().filter(|(_, other)| *other != path && other.covers(path)).map(|(i, _)| i).collect(),
        });
        Self { writes: writes.collect(), slots, conflicts, orphaning }
    }

    /// The slot a path lies in.
    #[inline]
    pub(crate) fn slot(&self, segments: &[OwnedSegment]) -> Option<usize> {
        self.slots.iter().position(|slot| segments.starts_with(&slot.segments))
    }

    /// The smallest write that contains all an access may change.
    pub(crate) fn write(&self, segments: &[OwnedSegment], access: Access) -> Option<usize> {
        let is_index = |segment: &OwnedSegment| matches!(segment, OwnedSegment::Index(_));
        // `whole` without its limits: those only shorten paths that no write has.
        let end = match access {
            Access::Delete { compact: true } => segments.len().min(1),
            Access::Delete { compact: false } => segments.iter().take_while(|segment| !is_index(segment)).count(),
            Access::Query | Access::Assign => segments.len(),
        };
        let mut part = segments.get(..end).unwrap_or(segments);
        if matches!(access, Access::Delete { .. }) && self.orphaning.iter().any(|path| path == part) {
            part = part.get(..1).unwrap_or(part);
        }
        let within = self.writes.iter().enumerate().filter(|(_, write)| part.starts_with(&write.place.segments));
        within.max_by_key(|(_, write)| write.place.segments.len()).map(|(i, _)| i)
    }
}

fn parts_as_key_and_index(a: &Path, b: &Path) -> bool {
    let parting = a.segments().iter().zip(b.segments()).find(|(a, b)| a != b);
    !matches!(parting, Some((Segment::Index(_), Segment::Index(_))) | None)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn target(path: &str) -> OwnedTargetPath {
        path.parse().unwrap()
    }

    /// Reads and writes as text, from paths marked `?` (query), `=` (assign), `-` (delete), `~` (delete, compact).
    fn fields(accesses: &str) -> (String, String) {
        let (mut queries, mut assignments, mut deletions) = (Vec::new(), Vec::new(), Vec::new());
        for access in accesses.split_whitespace() {
            let path = target(&access[1..]);
            match &access[..1] {
                "?" => queries.push(path),
                "=" => assignments.push(path),
                mark => deletions.push(Deletion { path, compact: mark == "~" }),
            }
        }
        let layout = Layout::new(&queries, &assignments, &deletions);
        assert!(layout.writes.iter().all(|write| write.slot < layout.slots.len()));
        let list = |places: Vec<&Place>| places.iter().map(|place| place.path.to_string()).collect::<Vec<_>>().join(" ");
        (list(layout.slots.iter().collect()), list(layout.writes.iter().map(|write| &write.place).collect()))
    }

    #[test]
    fn shows_the_least_that_keeps_the_meaning() {
        for (accesses, reads, writes) in [
            ("?.a", "a", ""),
            ("?.a =.a", "a", "a"),
            ("?.a.b =.a", "a", "a"),
            ("?.a =.a.b", "a", "a.b"),
            ("?.b =.a.c ?.a.d", "a.c a.d b", "a.c"),
            ("?. =.a", ".", "a"),
            ("=.", ".", "."),
            ("?.\"a.b\".c", "\"a.b\".c", ""),
            ("?.t[0] ?.t[1]", "t[0] t[1]", ""),
            ("?.t[-1]", "t", ""),
            ("=.t[-1]", "t", "t"),
            ("=.t[0] ?.t[1]", "t", "t[0]"),
            ("?.t[1] -.t[0]", "t", "t"),
            ("-.a.b", "a.b", "a.b"),
            ("~.a.b.c", "a", "a"),
            ("~.a.b.c =.a.b.c", "a", "a a.b.c"),
            ("=.a.b =.a[0]", "a", "a[0] a.b"),
            ("=.a.b.c -.a.b", "a", "a a.b.c"),
            ("=.a.b -.a.b.c", "a.b", "a.b a.b.c"),
            ("?.t[5000]", "t", ""),
        ] {
            let (found_reads, found_writes) = fields(accesses);
            let sorted = |text: &str| text.split_whitespace().map(str::to_owned).collect::<BTreeSet<_>>();
            assert_eq!(sorted(&found_reads), sorted(reads), "{accesses}");
            assert_eq!(sorted(&found_writes), sorted(writes), "{accesses}");
        }
    }

    #[test]
    fn knows_what_has_no_order() {
        let conflicts = |a: &str, b: &str| Layout::new(&[], &[target(a), target(b)], &[]).conflicts.len();
        assert_eq!(conflicts(".a.b", ".a[0]"), 1);
        assert_eq!(conflicts(".a[1]", ".a[0]"), 0);
        assert_eq!(conflicts(".a", ".a[0]"), 0);
    }
}
