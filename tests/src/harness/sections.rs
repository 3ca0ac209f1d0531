//! Custom sections of a component's outermost level, to be read and changed.

/// Magic, version and layer.
const HEADER_BYTES: usize = 8;

/// The content of the last custom section of that name.
pub fn section(component: &[u8], name: &str) -> Option<Vec<u8>> {
    parts(component).into_iter().rev().find_map(|(found, content, _)| (found.as_deref() == Some(name)).then_some(content))
}

/// The component with this content in the custom section of that name, or without such a section.
pub fn with_section(component: &[u8], name: &str, content: Option<&[u8]>) -> Vec<u8> {
    let mut out = component[..HEADER_BYTES].to_vec();
    for (found, _, whole) in parts(component) {
        if found.as_deref() != Some(name) {
            out.extend_from_slice(whole);
        }
    }
    if let Some(content) = content {
        let mut body = leb(name.len());
        body.extend_from_slice(name.as_bytes());
        body.extend_from_slice(content);
        out.push(0);
        out.extend(leb(body.len()));
        out.extend(body);
    }
    out
}

/// Each section: the name and the content of a custom one, and the whole of it.
fn parts(component: &[u8]) -> Vec<(Option<String>, Vec<u8>, &[u8])> {
    let mut found = Vec::new();
    let mut at = HEADER_BYTES;
    while at < component.len() {
        let (size, from) = read_leb(component, at + 1);
        let content = &component[from..from + size];
        let whole = &component[at..from + size];
        if component[at] == 0 {
            let (length, start) = read_leb(content, 0);
            let name = String::from_utf8_lossy(&content[start..start + length]).into_owned();
            found.push((Some(name), content[start + length..].to_vec(), whole));
        } else {
            found.push((None, Vec::new(), whole));
        }
        at = from + size;
    }
    found
}

fn read_leb(bytes: &[u8], mut at: usize) -> (usize, usize) {
    let (mut value, mut shift) = (0, 0);
    loop {
        value |= usize::from(bytes[at] & 0x7f) << shift;
        at += 1;
        shift += 7;
        if bytes[at - 1] & 0x80 == 0 {
            return (value, at);
        }
    }
}

fn leb(mut value: usize) -> Vec<u8> {
    let mut out = Vec::new();
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
    out
}
