//! Objects that hold a name and its value in two members: `{"name":"Authorization","value":"…"}`. Which of the two comes
//! first says nothing, so a text with such members is read once before it is redacted.

use crate::detect::named::Strength;
use crate::detect::pairs::{is_naming, is_value};
use crate::engine::Engine;
use crate::json::reader::{Event, Reader, Text};
use crate::views::View;

/// The members of one text whose value a sibling names; keeps its space between texts.
#[derive(Debug, Default)]
pub struct Pairs {
    open: Vec<u8>,
    view: View,
    levels: Vec<Level>,
    /// Where the keys of values begin whose object is not closed yet.
    values: Vec<usize>,
    secret: Vec<(usize, Strength)>,
    read: bool,
}

/// An object, or array, that is open.
#[derive(Debug)]
struct Level {
    /// What the name in it says.
    names: Option<Strength>,
    /// How many of the values belong to those around it.
    values: usize,
}

impl Pairs {
    /// Forgets the text before.
    pub fn begin(&mut self) {
        self.read = false;
    }

    /// How far the name beside the value with `key` is trusted to name a secret.
    #[inline]
    pub fn strength(&mut self, engine: &Engine, text: &[u8], key: &Text) -> Option<Strength> {
        if !is_value(self.name(text, key)) {
            return None;
        }
        if !self.read {
            self.read(engine, text);
            self.read = true;
        }
        let found = self.secret.binary_search_by_key(&key.range.start, |(start, _)| *start).ok()?;
        self.secret.get(found).map(|(_, strength)| *strength)
    }

    /// What a key, or a string, says.
    #[inline]
    fn name<'a>(&'a mut self, text: &'a [u8], key: &Text) -> &'a [u8] {
        let raw = text.get(key.range.clone()).unwrap_or_default();
        match key.escaped && self.view.decode(raw) {
            true => self.view.bytes(),
            false => raw,
        }
    }

    fn read(&mut self, engine: &Engine, text: &[u8]) {
        self.levels.clear();
        self.values.clear();
        self.secret.clear();
        let mut open = std::mem::take(&mut self.open);
        let mut reader = Reader::new(text, &mut open);
        let mut naming = false;
        // What is no JSON is refused by who reads it for its values.
        while let Ok(event) = reader.next_event() {
            let named = std::mem::take(&mut naming);
            match event {
                Event::End => break,
                Event::Open => self.levels.push(Level { names: None, values: self.values.len() }),
                Event::Close => self.close(),
                Event::Key(key) => {
                    let name = self.name(text, &key);
                    naming = is_naming(name);
                    if is_value(name) {
                        self.values.push(key.range.start);
                    }
                }
                Event::String(string) if named => {
                    let names = engine.role(self.name(text, &string)).secret;
                    if let Some(level) = self.levels.last_mut() {
                        // A name that is repeated: the one that says more.
                        if level.names.is_none_or(|before| before == Strength::Weak) {
                            level.names = names.or(level.names);
                        }
                    }
                }
                Event::String(_) | Event::Number(_) | Event::Literal(_) => {}
            }
        }
        self.open = open;
        self.secret.sort_unstable_by_key(|(start, _)| *start);
    }

    fn close(&mut self) {
        let Some(level) = self.levels.pop() else {
            return;
        };
        if let Some(strength) = level.names {
            self.secret.extend(self.values.iter().skip(level.values).map(|&start| (start, strength)));
        }
        self.values.truncate(level.values);
    }
}
