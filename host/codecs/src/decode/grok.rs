//! `grok`: Logstash's patterns, `%{NAME:field:type}` within a regular expression, with the definitions that the crate `grok`
//! carries. Those need look-around, which takes more than linear time: each line may take a bounded number of steps.

use super::ReadLine;
use super::cursor::{Bad, Result};
use super::json;
use super::object::Object;
use super::value::{Shape, whole};
use tamis_config::{GrokCodec, GrokPattern, GrokType};

pub(crate) struct Grok {
    pattern: GrokPattern,
    times: Vec<String>,
    shape: Shape,
}

impl Grok {
    pub(crate) fn new(options: &GrokCodec) -> Self {
        Self { pattern: options.pattern.clone(), times: options.times.clone(), shape: Shape::new(&[], &[], options.zone) }
    }
}

impl ReadLine for Grok {
    fn read(&mut self, line: &[u8], object: &mut Object<'_>) -> Result<()> {
        let Ok(text) = simdutf8::basic::from_utf8(line) else { return Err(Bad::new(0, "UTF-8")) };
        let captures = match self.pattern.regex().captures(text) {
            Ok(Some(captures)) => captures,
            Ok(None) => return Err(Bad::new(0, "a line that the pattern matches")),
            Err(_) => return Err(Bad::new(0, "a line that can be matched in 200,000 steps")),
        };
        for (group, name, kind) in self.pattern.fields() {
            let Some(found) = captures.get(*group) else { continue };
            let (field, value, at) = (name.as_bytes(), found.as_str().as_bytes(), found.start());
            object.room(at)?;
            if self.times.contains(name) {
                self.shape.time(object, field, value, at)?;
                continue;
            }
            let is_plain = match kind {
                GrokType::Text => {
                    object.text(field, value);
                    continue;
                }
                GrokType::Integer => match whole(value) {
                    Some(number) => {
                        object.integer(field, number);
                        continue;
                    }
                    None => return Err(Bad::new(at, "a whole number")),
                },
                GrokType::Number => json::number(value) == value.len() && !value.is_empty(),
                GrokType::Boolean => matches!(value, b"true" | b"false"),
            };
            match is_plain {
                true => object.member(field).extend_from_slice(value),
                false => return Err(Bad::new(at, "a number, `true` or `false`, as the field's type says,")),
            }
        }
        Ok(())
    }
}
