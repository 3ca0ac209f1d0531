//! From the parser's events to the tree, within the limits.

use std::collections::HashMap;
use std::sync::Arc;

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span, Tag};

use super::{DEPTH_MAX, Key, NODES_MAX, Node, TEXT_BYTES_MAX, Value, resolve};
use crate::Place;
use crate::diagnostic::codes::{
    BAD_YAML, DUPLICATE_KEY, KEY_NOT_TEXT, NUMBER_OUT_OF_RANGE, SEVERAL_DOCUMENTS, TOO_DEEP, TOO_MUCH, UNKNOWN_TAG,
};
use crate::diagnostic::{Diagnostic, Diagnostics};

/// The tree of a text; `None` when there is none, which `diagnostics` then explains.
pub(super) fn tree(file: &Arc<str>, text: &str, diagnostics: &mut Diagnostics) -> Option<Node> {
    let mut builder = Builder::new(file, diagnostics);
    for event in Parser::new_from_str(text) {
        let step = match event {
            Ok((event, span)) => builder.event(event, span),
            Err(error) => Err(malformed(file, text, &error)),
        };
        if let Err(diagnostic) = step {
            builder.diagnostics.push(diagnostic);
            return None;
        }
    }
    builder.root.or_else(|| Some(null(Place { file: Arc::clone(file), line: 1, column: 1, length: 1 })))
}

fn malformed(file: &Arc<str>, text: &str, error: &ScanError) -> Diagnostic {
    let marker = error.marker();
    // The parser may notice an error only after the last line.
    let lines = text.lines().count().max(1);
    let line = marker.line().clamp(1, lines);
    let column = if marker.line() > lines { 0 } else { marker.col() };
    let place = Place { file: Arc::clone(file), line: number(line), column: number(column + 1), length: 1 };
    let written = text.lines().nth(line - 1).unwrap_or_default();
    let indent_has_tab = written.chars().take_while(|c| c.is_whitespace()).any(|c| c == '\t');
    let help = if error.info().contains("quoted scalar") {
        "close the quotes that are open here"
    } else if error.info().contains("anchor") {
        "an alias (`*name`) repeats a value that was marked before with `&name`; put text that begins with `*` in quotes"
    } else if indent_has_tab {
        "indent with spaces: YAML allows no tabs there"
    } else if written.contains("${") {
        "put `${…}` in quotes within `{ }` and `[ ]`"
    } else if written.contains(": ") && written.matches(": ").count() > 1 {
        "put a value that holds `: ` in quotes, or write it below the key with `|`"
    } else {
        "check the indentation and quotes of this line and the one before"
    };
    Diagnostic::error(BAD_YAML, format!("this is not YAML: {}", error.info())).at(&place).help(help)
}

/// A list or map that is not complete yet.
struct Frame {
    place: Place,
    anchor: usize,
    open: Open,
    /// Figures before it began, to know what it costs to repeat it.
    nodes_before: usize,
    bytes_before: usize,
    /// Levels below it.
    height: usize,
}

enum Open {
    List(Vec<Node>),
    Map { entries: Vec<(Key, Node)>, known: HashMap<Arc<str>, Place>, key: Option<Key> },
}

/// A value that an alias may repeat, and what that costs.
struct Anchored {
    node: Node,
    nodes: usize,
    bytes: usize,
    height: usize,
}

struct Builder<'a> {
    file: Arc<str>,
    diagnostics: &'a mut Diagnostics,
    frames: Vec<Frame>,
    anchors: HashMap<usize, Anchored>,
    root: Option<Node>,
    documents: usize,
    nodes: usize,
    bytes: usize,
}

type Step = Result<(), Diagnostic>;

impl<'a> Builder<'a> {
    fn new(file: &Arc<str>, diagnostics: &'a mut Diagnostics) -> Self {
        Self {
            file: Arc::clone(file),
            diagnostics,
            frames: Vec::new(),
            anchors: HashMap::new(),
            root: None,
            documents: 0,
            nodes: 0,
            bytes: 0,
        }
    }

    fn event(&mut self, event: Event<'_>, span: Span) -> Step {
        match event {
            Event::DocumentStart(_) => {
                self.documents += 1;
                match self.documents {
                    1 => Ok(()),
                    _ => Err(Diagnostic::error(SEVERAL_DOCUMENTS, "a second YAML document begins here")
                        .at(&self.place(span))
                        .help("keep one document a file: put the rest in a file of its own and give the folder with `-c`")),
                }
            }
            Event::Scalar(text, style, anchor, tag) => self.scalar(&text, style, anchor, tag.as_deref(), span),
            Event::Alias(anchor) => self.alias(anchor, span),
            Event::SequenceStart(anchor, tag) => self.open(Open::List(Vec::new()), anchor, tag.as_deref(), span),
            Event::MappingStart(anchor, tag) => {
                let map = Open::Map { entries: Vec::new(), known: HashMap::new(), key: None };
                self.open(map, anchor, tag.as_deref(), span)
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(span),
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => Ok(()),
        }
    }

    fn place(&self, span: Span) -> Place {
        let (start, end) = (span.start, span.end);
        let length = if end.line() == start.line() { end.col().saturating_sub(start.col()) } else { 1 };
        Place { file: Arc::clone(&self.file), line: number(start.line()), column: number(start.col() + 1), length: number(length.max(1)) }
    }

    /// Counts values and text against the limits.
    fn count(&mut self, nodes: usize, bytes: usize, place: &Place) -> Step {
        self.nodes = self.nodes.saturating_add(nodes);
        self.bytes = self.bytes.saturating_add(bytes);
        let what = if self.nodes > NODES_MAX {
            format!("{NODES_MAX} values")
        } else if self.bytes > TEXT_BYTES_MAX {
            format!("{} MiB of text", TEXT_BYTES_MAX >> 20)
        } else {
            return Ok(());
        };
        Err(Diagnostic::error(TOO_MUCH, format!("the file holds more than {what}, values repeated by aliases included"))
            .at(place)
            .help("use fewer aliases (`*name`), or make the file smaller"))
    }

    /// Checks that something `height` levels high may stand here, and tells those around it.
    fn reach(&mut self, height: usize, place: &Place) -> Step {
        if self.frames.len() + height > DEPTH_MAX {
            return Err(Diagnostic::error(TOO_DEEP, format!("values are nested deeper than {DEPTH_MAX} levels"))
                .at(place)
                .help("flatten the configuration"));
        }
        for (levels, frame) in self.frames.iter_mut().rev().enumerate() {
            frame.height = frame.height.max(height + levels);
        }
        Ok(())
    }

    /// Whether the next value is a key.
    fn at_key(&self) -> bool {
        matches!(self.frames.last(), Some(Frame { open: Open::Map { key: None, .. }, .. }))
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, anchor: usize, tag: Option<&Tag>, span: Span) -> Step {
        let place = self.place(span);
        self.count(1, text.len(), &place)?;
        let raw: Arc<str> = Arc::from(text);
        let plain = style == ScalarStyle::Plain;
        if self.at_key() {
            self.key(Key { text: raw, place });
            return Ok(());
        }
        let resolved = match tag.map(core_tag) {
            None if plain => resolve(&raw),
            None | Some(Some("str")) => Ok(Value::Text(Arc::clone(&raw))),
            Some(Some("int" | "float" | "bool" | "null")) => resolve(&raw),
            Some(_) => return Err(unknown_tag(tag, &place)),
        };
        let value = match resolved {
            Ok(value) => value,
            Err(_) => {
                let message = "this number does not fit 64 bits";
                self.diagnostics.push(Diagnostic::error(NUMBER_OUT_OF_RANGE, message).at(&place).help("put it in quotes to make it text"));
                Value::Invalid
            }
        };
        self.add(Node { value, place, raw, plain, written: None }, anchor, (1, text.len(), 0))
    }

    fn key(&mut self, found: Key) {
        let Some(Frame { open: Open::Map { known, key, .. }, .. }) = self.frames.last_mut() else {
            return;
        };
        if let Some(first) = known.get(&found.text) {
            let message = format!("the key `{}` stands in this map twice", found.text);
            let finding = Diagnostic::error(DUPLICATE_KEY, message).at(&found.place).related(first, "first written here");
            self.diagnostics.push(finding.help("remove one of them, or give it another name"));
        } else {
            known.insert(Arc::clone(&found.text), found.place.clone());
        }
        *key = Some(found);
    }

    fn alias(&mut self, anchor: usize, span: Span) -> Step {
        let place = self.place(span);
        if self.at_key() {
            return Err(key_not_text(&place));
        }
        let Some(Anchored { node, nodes, bytes, height }) = self.anchors.get(&anchor) else {
            return Err(Diagnostic::error(BAD_YAML, "this alias names a value that it stands in itself")
                .at(&place)
                .help("an alias repeats a value that is complete before it"));
        };
        let (nodes, bytes, height) = (*nodes, *bytes, *height);
        // Count first: what is too much is not copied.
        let node = if self.nodes.saturating_add(nodes) <= NODES_MAX { Some(node.clone()) } else { None };
        self.count(nodes, bytes, &place)?;
        self.reach(height, &place)?;
        if let Some(mut node) = node {
            node.place = place;
            return self.add(node, 0, (nodes, bytes, height));
        }
        Ok(())
    }

    fn open(&mut self, open: Open, anchor: usize, tag: Option<&Tag>, span: Span) -> Step {
        let mut place = self.place(span);
        if self.at_key() {
            return Err(key_not_text(&place));
        }
        let expected = if matches!(open, Open::List(_)) { "seq" } else { "map" };
        if tag.is_some_and(|tag| core_tag(tag) != Some(expected)) {
            return Err(unknown_tag(tag, &place));
        }
        let (nodes_before, bytes_before) = (self.nodes, self.bytes);
        self.count(1, 0, &place)?;
        self.reach(1, &place)?;
        // In block style nothing is written where a list or map begins: its key says more.
        if span.is_empty()
            && let Some(Frame { open: Open::Map { key: Some(key), .. }, .. }) = self.frames.last()
        {
            place = key.place.clone();
        }
        self.frames.push(Frame { place, anchor, open, nodes_before, bytes_before, height: 0 });
        Ok(())
    }

    fn close(&mut self, span: Span) -> Step {
        let Some(Frame { mut place, anchor, open, nodes_before, bytes_before, height }) = self.frames.pop() else {
            return Ok(());
        };
        let end = number(span.end.col() + 1);
        if !span.is_empty() && number(span.end.line()) == place.line && end > place.column {
            place.length = end - place.column;
        }
        let value = match open {
            Open::List(nodes) => Value::List(nodes),
            Open::Map { entries, .. } => {
                // A map in block style in a list: its first key stands for it.
                if let Some((key, _)) = entries.first()
                    && (key.place.line, key.place.column) == (place.line, place.column)
                {
                    place.length = place.length.max(key.place.length);
                }
                Value::Map(entries)
            }
        };
        let cost = (self.nodes - nodes_before, self.bytes - bytes_before, height + 1);
        self.add(Node { value, place, raw: Arc::from(""), plain: false, written: None }, anchor, cost)
    }

    /// Puts a complete value where it belongs; `cost` is its number of values, bytes of text and height.
    fn add(&mut self, node: Node, anchor: usize, cost: (usize, usize, usize)) -> Step {
        if anchor > 0 {
            let (nodes, bytes, height) = cost;
            // A copy is kept for the aliases: anchors within anchors would multiply it.
            self.count(nodes, 0, &node.place)?;
            self.anchors.insert(anchor, Anchored { node: node.clone(), nodes, bytes, height });
        }
        match self.frames.last_mut().map(|frame| &mut frame.open) {
            Some(Open::List(nodes)) => nodes.push(node),
            Some(Open::Map { entries, known, key }) => {
                if let Some(key) = key.take()
                    // The second of two equal keys was reported; the first stays.
                    && known.get(&key.text) == Some(&key.place)
                {
                    entries.push((key, node));
                }
            }
            None => self.root = Some(node),
        }
        Ok(())
    }
}

fn null(place: Place) -> Node {
    Node { value: Value::Null, place, raw: Arc::from(""), plain: true, written: None }
}

/// The name of a tag of the core schema (`!!str` → `str`); `None` for others. `!` alone makes a scalar text.
fn core_tag(tag: &Tag) -> Option<&str> {
    match (tag.handle.as_str(), tag.suffix.as_str()) {
        ("", "!") | ("!", "") => Some("str"),
        ("tag:yaml.org,2002:", suffix) => Some(suffix),
        _ => None,
    }
}

fn unknown_tag(tag: Option<&Tag>, place: &Place) -> Diagnostic {
    let written = tag.map(|tag| format!("{}{}", tag.handle, tag.suffix)).unwrap_or_default();
    Diagnostic::error(UNKNOWN_TAG, format!("expected no tag or one that fits the value (`!!str`, `!!int`, …), found `{written}`"))
        .at(place)
        .help("remove the tag")
}

fn key_not_text(place: &Place) -> Diagnostic {
    Diagnostic::error(KEY_NOT_TEXT, "expected a name as key, found a list, a map or an alias")
        .at(place)
        .help("put text in quotes that begins with `{`, `[` or `*`")
}

fn number(value: usize) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}
