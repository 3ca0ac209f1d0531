//! The table of an API's resources as a tree of segments. A word goes before a parameter and that before a rest, segment by
//! segment from the left, so the most specific template is found first.

/// Templates of all APIs together.
pub const TEMPLATES_MAX: usize = 20_000;
/// Segments a template may have.
pub const TEMPLATE_SEGMENTS_MAX: usize = 32;
/// Longest template, in bytes.
pub const TEMPLATE_BYTES_MAX: usize = 512;

/// The templates of one API.
#[derive(Debug, Clone, Default)]
pub struct Templates {
    root: Node,
}

/// What may follow after some segments.
#[derive(Debug, Clone, Default)]
struct Node {
    /// In order, so that a word is found by bisection.
    words: Vec<(Box<[u8]>, Node)>,
    /// Those that say most first.
    parameters: Vec<Parameter>,
    /// The template that takes whatever follows.
    rest: Option<Template>,
    /// The template that ends here.
    end: Option<Template>,
}

/// A segment with a parameter: what stands before and after it, and what may follow.
#[derive(Debug, Clone)]
struct Parameter {
    before: Box<[u8]>,
    after: Box<[u8]>,
    node: Node,
}

/// A template, and how much it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    /// As it is written to records, with a slash in front.
    pub text: Box<str>,
    /// How much it says, to choose between ways to read a path: whether it says how long the path is, and how many words.
    pub says: (bool, usize),
}

impl Templates {
    /// Adds a template: `/orders/{id}/items`, `/files/{name}.pdf`, `/testing/*`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn add(&mut self, template: &str) -> Result<(), String> {
        let wrong = |what: &str| Err(format!("expected a path template such as /orders/{{id}}/items, found `{template}`: {what}"));
        if template.len() > TEMPLATE_BYTES_MAX {
            return wrong("it is longer than 512 bytes");
        }
        if template.contains(['?', '#', ' ']) || template.chars().any(char::is_control) {
            return wrong("a template has no query, fragment, blank or control character");
        }
        let path = template.strip_prefix('/').unwrap_or(template);
        let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
        if segments.len() > TEMPLATE_SEGMENTS_MAX {
            return wrong("it has more than 32 segments");
        }
        let words = segments.iter().filter(|segment| **segment != "*" && !segment.contains('{')).count();
        let stored = |whole: bool| Some(Template { text: format!("/{path}").into(), says: (whole, words) });
        let mut node = &mut self.root;
        for (place, segment) in segments.iter().enumerate() {
            if *segment == "*" {
                if place + 1 != segments.len() {
                    return wrong("`*` stands for the rest and must be the last segment");
                }
                node.rest = stored(false);
                return Ok(());
            }
            node = match parameter(segment) {
                Ok(None) => node.word(segment.as_bytes()),
                Ok(Some((before, after))) => node.parameter(before.as_bytes(), after.as_bytes()),
                Err(what) => return wrong(what),
            };
        }
        node.end = stored(true);
        Ok(())
    }

    /// The most specific template that fits these segments.
    #[must_use]
    pub fn find(&self, segments: &[&[u8]]) -> Option<&Template> {
        self.root.find(segments)
    }
}

impl Node {
    // Both index what they have found or inserted just now, from the configuration alone.

    /// The node behind a word.
    fn word(&mut self, word: &[u8]) -> &mut Node {
        let place = self.words.binary_search_by(|(known, _)| order(known, word)).unwrap_or_else(|place| {
            self.words.insert(place, (word.into(), Node::default()));
            place
        });
        let (_, node) = &mut self.words[place];
        node
    }

    /// The node behind a segment with a parameter.
    fn parameter(&mut self, before: &[u8], after: &[u8]) -> &mut Node {
        let known = self.parameters.iter().position(|known| *known.before == *before && *known.after == *after);
        let place = known.unwrap_or_else(|| {
            let length = before.len() + after.len();
            let place = self.parameters.partition_point(|known| known.before.len() + known.after.len() >= length);
            self.parameters.insert(place, Parameter { before: before.into(), after: after.into(), node: Node::default() });
            place
        });
        &mut self.parameters[place].node
    }

    /// Every node is visited at most once, since it has one way to it, and never deeper than the longest template.
    fn find(&self, segments: &[&[u8]]) -> Option<&Template> {
        let Some((first, others)) = segments.split_first() else {
            return self.end.as_ref().or(self.rest.as_ref());
        };
        let word = self.words.binary_search_by(|(known, _)| order(known, first)).ok().and_then(|place| self.words.get(place));
        word.and_then(|(_, node)| node.find(others))
            .or_else(|| self.parameters.iter().filter(|known| known.fits(first)).find_map(|known| known.node.find(others)))
            .or(self.rest.as_ref())
    }
}

/// The order of words: by length, which is told without a look at the bytes, then by the bytes.
fn order(known: &[u8], word: &[u8]) -> std::cmp::Ordering {
    known.len().cmp(&word.len()).then_with(|| known.cmp(word))
}

impl Parameter {
    /// Whether a segment has something where the parameter stands.
    fn fits(&self, segment: &[u8]) -> bool {
        segment.len() > self.before.len() + self.after.len()
            // Most parameters are a segment of their own, and comparing nothing costs a call too.
            && (self.before.is_empty() || segment.starts_with(&self.before))
            && (self.after.is_empty() || segment.ends_with(&self.after))
    }
}

/// What stands before and after the parameter of a template's segment, if it has one.
fn parameter(segment: &str) -> Result<Option<(&str, &str)>, &'static str> {
    let Some((before, rest)) = segment.split_once('{') else {
        return if segment.contains('}') { Err("`}` closes nothing") } else { Ok(None) };
    };
    let Some((name, after)) = rest.split_once('}') else {
        return Err("`{` is not closed");
    };
    if name.is_empty() || name.contains('{') || before.contains('}') || after.contains(['{', '}']) {
        return Err("a segment has one named parameter");
    }
    Ok(Some((before, after)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn templates(list: &[&str]) -> Templates {
        let mut templates = Templates::default();
        for template in list {
            templates.add(template).expect(template);
        }
        templates
    }

    fn find<'t>(templates: &'t Templates, path: &str) -> Option<&'t str> {
        let segments: Vec<&[u8]> = path.split('/').filter(|segment| !segment.is_empty()).map(str::as_bytes).collect();
        templates.find(&segments).map(|template| &*template.text)
    }

    #[test]
    fn the_most_specific_template_counts() {
        let templates = templates(&[
            "/*",
            "/orders",
            "/orders/{id}",
            "/orders/{id}/items",
            "/orders/latest",
            "/orders/{id}.pdf",
            "/orders/{id}/*",
            "orders/latest/{part}",
            "/a/{b}/c",
            "/a/x/*",
        ]);
        for (path, template) in [
            ("/orders", "/orders"),
            ("/orders/7", "/orders/{id}"),
            ("/orders/latest", "/orders/latest"),
            ("/orders/latest/items", "/orders/latest/{part}"),
            ("/orders/7/items", "/orders/{id}/items"),
            ("/orders/7.pdf", "/orders/{id}.pdf"),
            ("/orders/.pdf", "/orders/{id}"),
            ("/orders/7/x/y", "/orders/{id}/*"),
            ("/orders/latest/a/b", "/orders/{id}/*"),
            ("/a/x/c", "/a/x/*"),
            ("/a/y/c", "/a/{b}/c"),
            ("/a/y/d", "/*"),
            ("", "/*"),
        ] {
            assert_eq!(find(&templates, path), Some(template), "{path}");
        }
    }

    #[test]
    fn what_no_template_fits_is_not_found() {
        let templates = templates(&["/", "/orders/{id}"]);
        assert_eq!(find(&templates, "/"), Some("/"));
        for path in ["/orders", "/orders/7/items", "/Orders/7", "/x"] {
            assert_eq!(find(&templates, path), None, "{path}");
        }
    }

    #[test]
    fn many_parameters_do_not_multiply() {
        let mut deep = Templates::default();
        for bits in 0..512_u32 {
            let template: String = (0..9).map(|bit| if bits >> bit & 1 == 1 { "/{p}" } else { "/a" }).collect();
            deep.add(&format!("{template}/end")).expect("a template");
        }
        // Every combination is tried, each once.
        assert_eq!(find(&deep, &"/a".repeat(9)), None);
        assert!(find(&deep, &format!("{}/end", "/a".repeat(9))).is_some());
    }

    #[test]
    fn what_is_no_template_is_refused() {
        for template in ["/a/*/b", "/{", "/}", "/{}", "/{a}{b}", "/{a{b}}", "/a?b", "/a b", &"/a".repeat(33), &"x".repeat(513)] {
            assert!(Templates::default().add(template).is_err(), "{template}");
        }
    }
}
