//! `regex`: a regular expression whose named groups are fields (the crate `regex`: linear time, no look-around).

use super::ReadLine;
use super::cursor::{Bad, Result};
use super::object::Object;
use super::value::Shape;
use regex::CaptureLocations;
use tamis_config::{Pattern, RegexCodec};

pub(crate) struct Regex {
    pattern: Pattern,
    /// Group and name of each field.
    fields: Vec<(usize, Box<[u8]>)>,
    places: CaptureLocations,
    shape: Shape,
}

impl Regex {
    pub(crate) fn new(options: &RegexCodec) -> Self {
        let regex = options.pattern.regex();
        let fields = regex.capture_names().enumerate().filter_map(|(group, name)| Some((group, name?.as_bytes().into()))).collect();
        let places = regex.capture_locations();
        Self { pattern: options.pattern.clone(), fields, places, shape: Shape::new(&options.text, &options.times, options.zone) }
    }
}

impl ReadLine for Regex {
    fn read(&mut self, line: &[u8], object: &mut Object<'_>) -> Result<()> {
        let Ok(text) = simdutf8::basic::from_utf8(line) else { return Err(Bad::new(0, "UTF-8")) };
        if self.pattern.regex().captures_read(&mut self.places, text).is_none() {
            return Err(Bad::new(0, "a line that the expression matches"));
        }
        for (group, name) in &self.fields {
            if let Some((from, to)) = self.places.get(*group) {
                object.room(from)?;
                self.shape.write(object, name, line.get(from..to).unwrap_or_default(), from)?;
            }
        }
        Ok(())
    }
}
