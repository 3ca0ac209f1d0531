//! Access-log format strings: those of Apache's `LogFormat` and Tomcat's `AccessLogValve` (`%h %l %u %t "%r" %s %b`), and of
//! nginx's `log_format` (`$remote_addr - $remote_user [$time_local] …`).

/// Parts that a format may have.
const PARTS_MAX: usize = 128;

/// A format string, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogFormat {
    parts: Vec<Part>,
}

/// A part of a format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// Text that stands in every line.
    Literal(String),
    /// A field's value.
    Field {
        /// The field.
        name: String,
        /// What may stand there.
        form: Form,
    },
}

/// What may stand where a format has a field. A `-` alone stands for nothing, except in [`Form::Host`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Text without blanks.
    Token,
    /// Text that may hold anything, even nothing.
    Free,
    /// A host's name or address. Never `-`: every request comes from somewhere.
    Host,
    /// A user's name, which may hold blanks but neither `"` nor `[`.
    User,
    /// Addresses, with blanks after the commas between them only.
    Addresses,
    /// A path: text without blanks up to a `?`.
    Path,
    /// The request line `METHOD path PROTOCOL`.
    Request,
    /// `[03/Mar/2025:11:42:07 +0100]`, with or without brackets, or an ISO 8601 time.
    Time,
    /// A whole number.
    Integer,
    /// A number, perhaps with a fraction.
    Number,
}

impl LogFormat {
    /// Takes a format string apart. `Err`: what is wrong with it.
    pub fn new(text: &str) -> Result<Self, String> {
        let mut format = Self { parts: Vec::new() };
        let mut rest = text;
        while let Some(character) = rest.chars().next() {
            rest = match character {
                '%' => format.directive(rest)?,
                '$' => format.variable(rest)?,
                _ => {
                    format.literal(character);
                    rest.get(character.len_utf8()..).unwrap_or_default()
                }
            };
            if format.parts.len() > PARTS_MAX {
                return Err(format!("a format has at most {PARTS_MAX} parts"));
            }
        }
        format.check()?;
        Ok(format)
    }

    /// The parts, in the order of the line.
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    fn literal(&mut self, character: char) {
        match self.parts.last_mut() {
            Some(Part::Literal(text)) => text.push(character),
            _ => self.parts.push(Part::Literal(character.to_string())),
        }
    }

    /// A user's name may hold blanks, unless a header before it may too: then nothing would tell the two apart.
    fn user(&self) -> Form {
        let is_free = |part: &Part| matches!(part, Part::Field { form: Form::Free | Form::Addresses, .. });
        if self.parts.iter().any(is_free) { Form::Token } else { Form::User }
    }

    /// `%x`, `%{name}x`, with Apache's conditions and `<`, `>` between. Gives what follows.
    fn directive<'a>(&mut self, text: &'a str) -> Result<&'a str, String> {
        let behind = text.trim_start_matches('%');
        if text.len() - behind.len() >= 2 {
            self.literal('%');
            return Ok(text.get(2..).unwrap_or_default());
        }
        let mut rest = behind.trim_start_matches(|c: char| c.is_ascii_digit() || matches!(c, '!' | ',' | '<' | '>'));
        let mut argument = None;
        if let Some(inside) = rest.strip_prefix('{') {
            let (name, after) = inside.split_once('}').ok_or("a `%{` has no `}`")?;
            if name.is_empty() {
                return Err("`%{}` names nothing".to_owned());
            }
            argument = Some(name);
            rest = after;
        }
        let Some(letter) = rest.chars().next() else { return Err("it ends with a `%` that nothing follows".to_owned()) };
        let after = rest.get(letter.len_utf8()..).unwrap_or_default();
        let (name, form) = match argument {
            Some(argument) if letter == 'i' && argument.eq_ignore_ascii_case("X-Forwarded-For") => (header(argument), Form::Addresses),
            Some(argument) => match letter {
                'i' => (header(argument), Form::Free),
                'o' => (format!("response-{argument}"), Form::Free),
                'c' | 'C' => (format!("cookie-{argument}"), Form::Free),
                'e' | 'n' | 'r' | 's' => (argument.to_owned(), Form::Free),
                'a' => ("remoteIp".to_owned(), Form::Token),
                'p' => ("port".to_owned(), Form::Integer),
                _ => return Err(format!("`%{{…}}{letter}` is not known; `%{{name}}` may stand before i, o, c, e, n, r, s, a and p")),
            },
            None => {
                let (name, form) = match letter {
                    'a' => ("remoteIp", Form::Token),
                    'A' => ("localIp", Form::Token),
                    'b' | 'B' => ("bytes", Form::Integer),
                    'D' => ("duration", Form::Integer),
                    'f' => ("file", Form::Free),
                    'F' => ("commitMillis", Form::Integer),
                    'h' => ("remoteHost", Form::Host),
                    'H' => ("protocol", Form::Token),
                    'I' => ("thread", Form::Free),
                    'k' => ("keepAlive", Form::Integer),
                    'l' => ("logname", Form::Token),
                    'L' => ("logId", Form::Token),
                    'm' => ("method", Form::Token),
                    'O' => ("bytesOut", Form::Integer),
                    'p' => ("port", Form::Integer),
                    'P' => ("pid", Form::Integer),
                    'q' => ("query", Form::Free),
                    'r' => ("request", Form::Request),
                    's' => ("status", Form::Integer),
                    'S' => ("session", Form::Token),
                    't' => ("time", Form::Time),
                    'T' => ("durationSeconds", Form::Number),
                    'u' => ("user", self.user()),
                    'U' => ("path", Form::Path),
                    'v' | 'V' => ("host", Form::Token),
                    'X' => ("connection", Form::Token),
                    _ => return Err(format!("`%{letter}` is not known")),
                };
                (name.to_owned(), form)
            }
        };
        self.parts.push(Part::Field { name, form });
        Ok(after)
    }

    /// A variable of nginx. Gives what follows.
    fn variable<'a>(&mut self, text: &'a str) -> Result<&'a str, String> {
        let behind = text.trim_start_matches('$');
        let end = behind.find(|c: char| !(c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')).unwrap_or(behind.len());
        let (variable, after) = behind.split_at_checked(end).unwrap_or_default();
        let (name, form) = match variable {
            "" => return Err("a `$` that no variable follows".to_owned()),
            "remote_addr" => ("remoteHost", Form::Host),
            "remote_user" => ("user", self.user()),
            "time_local" | "time_iso8601" => ("time", Form::Time),
            "request" => ("request", Form::Request),
            "status" => ("status", Form::Integer),
            "body_bytes_sent" | "bytes_sent" => ("bytes", Form::Integer),
            "request_length" => ("requestBytes", Form::Integer),
            "request_time" => ("durationSeconds", Form::Number),
            "request_method" => ("method", Form::Token),
            "uri" | "document_uri" => ("path", Form::Path),
            "args" | "query_string" => ("query", Form::Free),
            "server_protocol" => ("protocol", Form::Token),
            "host" | "server_name" | "http_host" => ("host", Form::Token),
            "http_referer" => ("referer", Form::Free),
            "http_user_agent" => ("userAgent", Form::Free),
            "http_x_forwarded_for" => ("forwardedFor", Form::Addresses),
            other => (other, Form::Free),
        };
        self.parts.push(Part::Field { name: name.to_owned(), form });
        Ok(after)
    }

    fn check(&self) -> Result<(), String> {
        let name = |part: &Part| match part {
            Part::Field { name, .. } => Some(name.clone()),
            Part::Literal(_) => None,
        };
        let mut names: Vec<String> = self.parts.iter().filter_map(name).collect();
        if names.is_empty() {
            return Err("it has no field: write for example `%h %l %u %t \"%r\" %s %b`".to_owned());
        }
        names.sort();
        if let Some([twice, _]) = names.windows(2).find_map(|pair| <&[String; 2]>::try_from(pair).ok().filter(|[a, b]| a == b)) {
            return Err(format!("the field `{twice}` stands in it twice"));
        }
        for pair in self.parts.windows(2) {
            if let [Part::Field { form, .. }, Part::Field { name, .. }] = pair
                && !(*form == Form::Path && name == "query")
            {
                return Err(format!("nothing stands before the field `{name}` to tell where the one before it ends"));
            }
        }
        Ok(())
    }
}

/// The field of a request header.
fn header(name: &str) -> String {
    for (known, field) in [("Referer", "referer"), ("User-Agent", "userAgent"), ("X-Forwarded-For", "forwardedFor"), ("Host", "host")] {
        if name.eq_ignore_ascii_case(known) {
            return field.to_owned();
        }
    }
    name.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directives_and_literals() {
        let format = LogFormat::new(r#"%h "%r" 100%% %>s %{activityid}i"#).unwrap();
        let field = |name: &str, form| Part::Field { name: name.to_owned(), form };
        let literal = |text: &str| Part::Literal(text.to_owned());
        let expected = [
            field("remoteHost", Form::Host),
            literal(" \""),
            field("request", Form::Request),
            literal("\" 100% "),
            field("status", Form::Integer),
            literal(" "),
            field("activityid", Form::Free),
        ];
        assert_eq!(format.parts(), expected);
        assert_eq!(LogFormat::new("$remote_addr [$time_local] $request_time").unwrap().parts().len(), 5);
    }

    #[test]
    fn errors_say_what_is_wrong() {
        for (text, part) in [
            ("", "no field"),
            ("%h%u", "nothing stands before"),
            ("%h %", "nothing follows"),
            ("%y", "`%y` is not known"),
            ("%{x", "no `}`"),
            ("%{}i", "names nothing"),
            ("%{%d}t", "is not known"),
            ("%h %h", "twice"),
            ("$ x", "no variable"),
            ("é%é", "not known"),
        ] {
            let error = LogFormat::new(text).unwrap_err();
            assert!(error.contains(part), "{text}: {error}");
        }
        assert!(LogFormat::new(&"%h ".repeat(200)).is_err());
    }
}
