#![allow(clippy::unwrap_used)]

use super::*;

const MAX: usize = 1_000;
const SESSION: &[u8] = b"1 open 30 relp_version=0\ncommands=syslog\n2 syslog 11 <14>a: b\nc\n\n3 close 0\n";

/// The frames of a connection, as numbers, commands and data.
fn frames(mut bytes: &[u8]) -> Result<Vec<(u32, String, Vec<u8>)>, Bad> {
    let mut found = Vec::new();
    loop {
        match next(bytes, MAX)? {
            Next::Frame { number, command, data, used } => {
                found.push((number, String::from_utf8(bytes[command].to_vec()).unwrap(), bytes[data].to_vec()));
                bytes = &bytes[used..];
            }
            Next::TooLong { used, .. } => bytes = &bytes[used..],
            Next::More(wanted) => {
                assert!(wanted > bytes.len());
                return Ok(found);
            }
        }
    }
}

#[test]
fn a_session() {
    let found = frames(SESSION).unwrap();
    let shown: Vec<_> = found.iter().map(|(number, command, data)| (*number, command.as_str(), data.len())).collect();
    assert_eq!(shown, [(1, "open", 30), (2, "syslog", 11), (3, "close", 0)]);
    assert_eq!(found[1].2, b"<14>a: b\nc\n");
}

#[test]
fn cut_anywhere() {
    for at in 0..SESSION.len() {
        let found = frames(&SESSION[..at]).unwrap();
        assert!(found == frames(SESSION).unwrap()[..found.len()], "{at}");
        // What is asked for is never more than what comes.
        if let (Next::More(wanted), true) = (next(&SESSION[..at], MAX).unwrap(), at < 41) {
            assert!(wanted <= 41, "{at}: {wanted}");
        }
    }
}

#[test]
fn any_byte_changed() {
    let whole = frames(SESSION).unwrap();
    for at in 0..SESSION.len() {
        for byte in 0..=u8::MAX {
            let mut bytes = SESSION.to_vec();
            bytes[at] = byte;
            // Within the data it is another text; elsewhere other frames, or an error. What stood before is untouched.
            let before = whole.iter().scan(0, |end, (number, command, data)| {
                *end += number.to_string().len()
                    + command.len()
                    + data.len().to_string().len()
                    + data.len()
                    + 3
                    + usize::from(!data.is_empty());
                Some(*end)
            });
            let untouched = before.filter(|end| *end <= at).count();
            if let Ok(found) = frames(&bytes) {
                assert!(found.len() >= untouched && found[..untouched] == whole[..untouched], "{at} {byte}");
            }
        }
    }
}

#[test]
fn what_is_no_frame() {
    for (bytes, bad) in [
        (b"GET / HTTP/1.1\r\n".as_slice(), Bad::Number),
        (b"<14>a line\n", Bad::Number),
        (b"\x16\x03\x01\x02\0\x01", Bad::Number),
        (b" 1 open 0\n", Bad::Number),
        (b"1\topen 0\n", Bad::Number),
        (b"1234567890 open 0\n", Bad::Number),
        (b"1  0\n", Bad::Command),
        (b"1 op3n 0\n", Bad::Command),
        (b"1 abcdefghijklmnopqrstuvwxyzabcdefg 0\n", Bad::Command),
        (b"1 open -1 a\n", Bad::Length),
        (b"1 open 1234567890 a\n", Bad::Length),
        (b"1 open 1\n", Bad::Length),
        (b"1 open 1x", Bad::Length),
        (b"1 open 1 ab", Bad::End),
        (b"1 open 0 a", Bad::End),
    ] {
        assert_eq!(next(bytes, MAX), Err(bad), "{}", String::from_utf8_lossy(bytes));
    }
}

#[test]
fn data_that_is_too_long() {
    let command = 2..8;
    assert_eq!(next(b"7 syslog 999999999 <", MAX), Ok(Next::TooLong { number: 7, command, length: 999_999_999, used: 19 }));
    assert_eq!(next(b"7 syslog 1000 <", MAX), Ok(Next::More(1_015)));
}

#[test]
fn numbers_begin_again() {
    assert_eq!([following(1), following(999_999_998), following(999_999_999)], [2, 999_999_999, 1]);
}

#[test]
fn offers() {
    let (said, open) = accept(b"\nrelp_version=0\nrelp_software=librelp,1.11.0,http://librelp.adiscon.com\ncommands=syslog");
    assert!(open && said.starts_with("200 OK\nrelp_version=0\nrelp_software=tamis,"), "{said}");
    assert!(said.ends_with("\ncommands=syslog\n"), "{said}");
    assert!(accept(b"relp_version=7\ncommands=eventlog,syslog").0.contains("relp_version=1\n"));
    for bad in [b"".as_slice(), b"commands=syslog", b"relp_version=x\ncommands=syslog", b"relp_version=1", b"relp_version=1\ncommands=\xff"]
    {
        let (said, open) = accept(bad);
        assert!(!open && said.starts_with("500 ") && !said.contains('\n'), "{said}");
    }
}
