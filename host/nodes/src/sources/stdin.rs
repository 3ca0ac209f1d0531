//! Standard input, to its end.

use super::{Outlet, RunOptions, SourceError, Stream};
use std::io::Read;
use tamis_codecs::{Decoder, Lines};
use tamis_config::StdinSource;

pub(super) fn run(source: &StdinSource, options: &RunOptions, outlet: &mut dyn Outlet) -> Result<(), SourceError> {
    read(std::io::stdin().lock(), source, options, outlet)
}

fn read(mut input: impl Read, source: &StdinSource, options: &RunOptions, outlet: &mut dyn Outlet) -> Result<(), SourceError> {
    let stream = Stream { id: 0, name: "stdin".into() };
    let mut decoder = Decoder::new(&source.codec);
    let mut lines = Lines::new(options.lines(source.max_record), 0);
    while !outlet.stopping() {
        // What has come is handed on at once: standard input may be a program that writes a line an hour.
        let frame = match lines.read_some(&mut input, outlet.buffer()) {
            Ok(Some(frame)) if frame.count() == 0 => continue,
            Ok(Some(frame)) => frame,
            Ok(None) => break,
            Err(error) => return Err(SourceError::Read { path: "standard input".into(), error }),
        };
        if !outlet.send(&stream, decoder.decode(frame), lines.resume()) {
            return Ok(());
        }
    }
    if let Some(frame) = lines.finish() {
        outlet.send(&stream, decoder.decode(frame), lines.resume());
    }
    Ok(())
}
