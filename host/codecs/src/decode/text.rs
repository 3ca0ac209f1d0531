//! `text`: any line, as `{"message":"…"}`.

use super::ReadLine;
use super::cursor::Result;
use super::object::Object;

pub(crate) struct Text;

impl ReadLine for Text {
    fn read(&mut self, line: &[u8], object: &mut Object<'_>) -> Result<()> {
        object.text(b"message", line);
        Ok(())
    }
}
