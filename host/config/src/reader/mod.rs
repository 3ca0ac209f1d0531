//! From the tree to the model, through serde, with every problem at its place.
//!
//! serde stops at the first error. To find them all, the value that failed is set aside and its section read again, until
//! nothing fails any more; what then merely misses a value that was set aside is not reported.

mod access;
pub(crate) mod codecs;
mod deserializer;
pub(crate) mod expectations;
mod json;
pub(crate) mod located;
mod optional;
pub(crate) mod parts;
mod pattern;
pub(crate) mod problem;
pub(crate) mod steps;
mod words;

use std::cell::RefCell;
use std::collections::HashSet;

use serde::de::DeserializeOwned;

use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::document::{Node, Value};
use deserializer::Reader;
use problem::{NodeId, What, id};

/// How often a section is read again at most: more problems than this in one section are not told at once.
const ROUNDS_MAX: usize = 64;

/// What the readers of one section share.
#[derive(Default)]
struct Notes {
    /// Unknown keys, which do not stop the reading.
    found: RefCell<Vec<Diagnostic>>,
    /// Values that failed in an earlier round.
    aside: RefCell<HashSet<NodeId>>,
}

impl Notes {
    fn is_aside(&self, node: &Node) -> bool {
        self.aside.borrow().contains(&id(node))
    }

    /// Whether a member was set aside: then what the list or map as a whole lacks is only a consequence.
    fn lacks_members(&self, node: &Node) -> bool {
        let aside = self.aside.borrow();
        let is_aside = |member: &Node| aside.contains(&id(member));
        match &node.value {
            Value::List(members) => members.iter().any(is_aside),
            Value::Map(members) => members.iter().any(|(_, member)| is_aside(member)),
            _ => false,
        }
    }
}

/// Reads a section (a source, a plugin, …). `name` is its key. `None` when it has errors, which are then in `diagnostics`.
pub(crate) fn read<T: DeserializeOwned>(node: &Node, name: Option<&str>, diagnostics: &mut Diagnostics) -> Option<T> {
    let notes = Notes::default();
    let mut result = None;
    let mut failed = false;
    for _ in 0..ROUNDS_MAX {
        match T::deserialize(Reader::new(node, name, &notes)).map_err(|problem| problem.at(node, name)) {
            Ok(value) => {
                result = Some(value);
                break;
            }
            Err(problem) => {
                failed = true;
                let Some((culprit, diagnostic)) = problem.placed else { break };
                let reported = matches!(problem.what, What::Reported);
                if !reported && !is_consequence(node, culprit, &notes) {
                    notes.found.borrow_mut().push(*diagnostic);
                }
                if culprit == id(node) || !notes.aside.borrow_mut().insert(culprit) {
                    break;
                }
            }
        }
    }
    let found = notes.found.into_inner();
    let sound = found.is_empty() && !failed;
    diagnostics.extend(found);
    result.filter(|_| sound)
}

/// Whether the problem is with a list or map that lacks what was set aside.
fn is_consequence(root: &Node, culprit: NodeId, notes: &Notes) -> bool {
    find(root, culprit).is_some_and(|node| notes.lacks_members(node))
}

fn find(node: &Node, wanted: NodeId) -> Option<&Node> {
    if id(node) == wanted {
        return Some(node);
    }
    match &node.value {
        Value::List(nodes) => nodes.iter().find_map(|node| find(node, wanted)),
        Value::Map(entries) => entries.iter().find_map(|(_, node)| find(node, wanted)),
        _ => None,
    }
}
