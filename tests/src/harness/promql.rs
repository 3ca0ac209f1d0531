//! The names in a PromQL expression: enough of the grammar to know which metrics and labels it asks for.

use std::collections::BTreeSet;

/// A metric that an expression asks for, with the labels that it is selected by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selector {
    /// The metric's name.
    pub metric: String,
    /// Labels in its braces.
    pub labels: BTreeSet<String>,
}

/// What an expression names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Names {
    /// Metrics, in their order.
    pub selectors: Vec<Selector>,
    /// Labels after `by`, `without`, `on`, `ignoring`, `group_left` and `group_right`.
    pub grouping: BTreeSet<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Name(String),
    Mark(char),
}

const GROUPING: [&str; 6] = ["by", "without", "on", "ignoring", "group_left", "group_right"];
const OPERATORS: [&str; 7] = ["and", "or", "unless", "bool", "offset", "inf", "nan"];

/// Reads an expression. Names before `(` are functions or operators, those in the braces after a metric are its labels.
pub fn names(expression: &str) -> Names {
    let tokens = tokens(expression);
    let mut names = Names::default();
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        at += 1;
        let Token::Name(name) = token else { continue };
        let next = tokens.get(at);
        if GROUPING.contains(&name.as_str()) {
            let inside = tokens[at..].iter().skip(1).take_while(|token| **token != Token::Mark(')'));
            let labels = inside.filter_map(|token| match token {
                Token::Name(label) => Some(label.clone()),
                Token::Mark(_) => None,
            });
            if next == Some(&Token::Mark('(')) {
                names.grouping.extend(labels);
                at += tokens[at..].iter().position(|token| *token == Token::Mark(')')).expect("a closing parenthesis");
            }
        } else if next != Some(&Token::Mark('(')) && !is_aggregation(&tokens, at) && !OPERATORS.contains(&name.as_str()) {
            let mut labels = BTreeSet::new();
            if next == Some(&Token::Mark('{')) {
                let length = tokens[at..].iter().position(|token| *token == Token::Mark('}')).expect("a closing brace");
                labels.extend(tokens[at..at + length].iter().filter_map(|token| match token {
                    Token::Name(label) => Some(label.clone()),
                    Token::Mark(_) => None,
                }));
                at += length;
            }
            names.selectors.push(Selector { metric: name.clone(), labels });
        }
    }
    names
}

/// Whether `by (…)` follows, as after `sum`.
fn is_aggregation(tokens: &[Token], at: usize) -> bool {
    matches!(tokens.get(at), Some(Token::Name(name)) if ["by", "without"].contains(&name.as_str()))
}

/// Names and marks; strings, durations, numbers and comments are passed over.
fn tokens(expression: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = expression;
    while let Some(first) = rest.chars().next() {
        let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
        let length = match first {
            '"' | '\'' | '`' => {
                let mut escaped = false;
                let end = rest[1..].find(|c| {
                    let ends = c == first && !escaped;
                    escaped = c == '\\' && !escaped && first != '`';
                    ends
                });
                end.expect("the end of a string") + 2
            }
            '[' => rest.find(']').expect("the end of a range") + 1,
            '#' => rest.find('\n').unwrap_or(rest.len()),
            c if c.is_ascii_digit() => rest.find(|c| !is_part(c) && c != '.').unwrap_or(rest.len()),
            c if is_part(c) => {
                let end = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
                tokens.push(Token::Name(rest[..end].to_owned()));
                end
            }
            c => {
                if !c.is_whitespace() {
                    tokens.push(Token::Mark(c));
                }
                c.len_utf8()
            }
        };
        rest = &rest[length..];
    }
    tokens
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(expression: &str) -> (Vec<(String, Vec<String>)>, Vec<String>) {
        let names = names(expression);
        let selectors = names.selectors.into_iter().map(|s| (s.metric, s.labels.into_iter().collect()));
        (selectors.collect(), names.grouping.into_iter().collect())
    }

    fn selector(metric: &str, labels: &[&str]) -> (String, Vec<String>) {
        (metric.to_owned(), labels.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn metrics_and_labels_are_found_and_nothing_else() {
        assert_eq!(read("up == 0"), (vec![selector("up", &[])], vec![]));
        let (selectors, grouping) =
            read("histogram_quantile(0.99, sum by (le, step) (rate(a_bucket{b=~\"x{}(y)\",c!=\"\\\"\"}[5m] offset 1h))) > 0.08");
        assert_eq!((selectors, grouping), (vec![selector("a_bucket", &["b", "c"])], vec!["le".into(), "step".into()]));
        let (selectors, grouping) = read("sum(a) by (x) > bool 0 unless on (y) job:b:rate5m{r=\"1\"} / ignoring(z) group_left c # d\n");
        assert_eq!(selectors, [selector("a", &[]), selector("job:b:rate5m", &["r"]), selector("c", &[])]);
        assert_eq!(grouping, ["x", "y", "z"]);
        assert_eq!(read("time() - 3e5 * 1.5").0, []);
    }
}
