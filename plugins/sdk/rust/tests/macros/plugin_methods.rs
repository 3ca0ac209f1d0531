//! A plugin without what it has to say.
use tamis_plugin::{NoConfig, Plugin, Verdict};

struct Forgetful;

impl Plugin for Forgetful {
    type Config = NoConfig;
    type In<'a> = ();
    type Out = String;

    fn record(&mut self, _: (), _: &mut String) -> Verdict {
        Verdict::Keep
    }
}

fn main() {}
