//! Members of gzip (RFC 1952) and frames of zstd (RFC 8878): each complete in itself and checked by a sum, so that a file is
//! a sequence of them and what is complete can be told from what is not.

use flate2::Compression;
use flate2::bufread::GzDecoder;
use flate2::write::GzEncoder;
use std::io::{self, Read, Write};
use tamis_config::SinkCompression;
use zstd::bulk::Compressor;
use zstd::zstd_safe::CParameter;

/// Level of zstd; 3 is its own default.
const ZSTD_LEVEL: i32 = 3;
/// How a gzip member of ours and of common programs begins: magic number and method.
const GZIP_MAGIC: &[u8] = &[0x1f, 0x8b, 0x08];
/// How a zstd frame begins.
const ZSTD_MAGIC: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];

/// Makes members. One serves all files of a sink.
pub(super) enum Encoder {
    None,
    Gzip,
    Zstd(Box<Compressor<'static>>),
}

impl Encoder {
    pub(super) fn new(compression: SinkCompression) -> io::Result<Self> {
        Ok(match compression {
            SinkCompression::None => Self::None,
            SinkCompression::Gzip => Self::Gzip,
            SinkCompression::Zstd => {
                let mut compressor = Compressor::new(ZSTD_LEVEL)?;
                compressor.set_parameter(CParameter::ChecksumFlag(true))?;
                Self::Zstd(Box::new(compressor))
            }
        })
    }

    /// Makes one member of `input`. `member` is emptied first, and left empty by an error.
    pub(super) fn member(&mut self, input: &[u8], member: &mut Vec<u8>) -> io::Result<()> {
        member.clear();
        let made = match self {
            Self::None => member.write_all(input),
            Self::Gzip => {
                let mut encoder = GzEncoder::new(&mut *member, Compression::default());
                encoder.write_all(input).and_then(|()| encoder.finish().map(drop))
            }
            Self::Zstd(compressor) => {
                member.reserve(zstd::zstd_safe::compress_bound(input.len()));
                compressor.compress_to_buffer(input, member).map(drop)
            }
        };
        if made.is_err() {
            member.clear();
        }
        made
    }
}

/// How members of a compression begin.
pub(super) fn magic(compression: SinkCompression) -> &'static [u8] {
    match compression {
        SinkCompression::None => &[],
        SinkCompression::Gzip => GZIP_MAGIC,
        SinkCompression::Zstd => ZSTD_MAGIC,
    }
}

/// The length of the whole, valid member that `text` begins with.
pub(super) fn member_length(compression: SinkCompression, text: &[u8]) -> Option<usize> {
    if !text.starts_with(magic(compression)) {
        return None;
    }
    let rest = match compression {
        SinkCompression::None => return None,
        SinkCompression::Gzip => {
            let mut decoder = GzDecoder::new(text);
            read_through(&mut decoder).ok()?;
            decoder.into_inner()
        }
        SinkCompression::Zstd => {
            let mut decoder = zstd::Decoder::with_buffer(text).ok()?.single_frame();
            read_through(&mut decoder).ok()?;
            decoder.finish_frame().ok()?;
            decoder.into_inner()
        }
    };
    Some(text.len() - rest.len())
}

fn read_through(decoder: &mut impl Read) -> io::Result<()> {
    let mut buffer = [0; 16 * 1024];
    while decoder.read(&mut buffer)? > 0 {}
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_members_count() {
        for compression in [SinkCompression::Gzip, SinkCompression::Zstd] {
            let mut encoder = Encoder::new(compression).unwrap();
            let mut member = Vec::new();
            for input in [&b"{\"a\":1}\n"[..], &b"{}\n".repeat(100_000)] {
                encoder.member(input, &mut member).unwrap();
                assert_eq!(member_length(compression, &member), Some(member.len()));
                let twice = [&member[..], &member[..]].concat();
                assert_eq!(member_length(compression, &twice), Some(member.len()), "one at a time");
            }
            encoder.member(b"{\"tenant\":\"acme\",\"n\":1}\n", &mut member).unwrap();
            for cut in 0..member.len() {
                assert_eq!(member_length(compression, &member[..cut]), None, "{compression:?} cut at {cut}");
            }
            let last = member.len() - 1;
            member[last] ^= 1;
            assert_eq!(member_length(compression, &member), None, "a wrong sum or length");
        }
    }
}
