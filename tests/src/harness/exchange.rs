//! Exchanges with programs of other projects: how many records, and what came of them.

/// Whether the long form was asked for: `NETWORK=long`.
pub fn is_long() -> bool {
    std::env::var_os("NETWORK").is_some_and(|value| value == "long")
}

/// How many records an exchange has.
pub fn records() -> usize {
    if is_long() { 100_000 } else { 5_000 }
}

/// What an exchange came to.
#[derive(Debug)]
pub struct Exchange<'a> {
    /// The source or sink.
    pub of: &'a str,
    /// The program on the other side.
    pub with: &'a str,
    /// Who ended in the middle, and how.
    pub ended: &'a str,
    /// Records that were sent.
    pub sent: usize,
    /// Different ones that arrived.
    pub arrived: usize,
    /// Those that arrived more than once, counted each time after the first.
    pub repeated: usize,
}

impl Exchange<'_> {
    /// Prints it as a row of the table that `make exchanges` shows.
    pub fn show(&self) {
        let Self { of, with, ended, sent, repeated, .. } = self;
        eprintln!("exchange | {of} | {with} | {ended} | {sent} | {} | {repeated} |", self.lost());
    }

    /// The same where nothing may be lost.
    ///
    /// # Panics
    /// When a record is.
    pub fn tell(&self) {
        self.show();
        assert_eq!(self.lost(), 0, "{} with {}", self.of, self.with);
    }

    fn lost(&self) -> usize {
        self.sent - self.arrived
    }
}
