//! A plugin that misbehaves as told. Its configuration is a JSON string of one or two words: what to do, and `poison` to
//! do it only when a row's text is `poison` (without: always). What is not told otherwise is sound: `a` becomes the text
//! of `message` with `!` at the end.
//!
//! No SDK: the lies are told with the contract's own types.

mod init;
mod process;
mod resources;

use std::cell::RefCell;

wit_bindgen::generate!({ world: "plugin", path: "../../../wit/tamis-plugin" });

use exports::tamis::plugin::transform::Guest;
use tamis::plugin::types::{Batch, Outcome, Signature};

thread_local! {
    static BEHAVIOUR: RefCell<(String, bool)> = RefCell::default();
}

struct Hostile;

impl Guest for Hostile {
    fn init(config: String) -> Result<Signature, String> {
        let config = config.trim().trim_matches('"');
        let (what, when) = config.split_once(' ').unwrap_or((config, ""));
        BEHAVIOUR.set((what.to_owned(), when == "poison"));
        init::answer(what)
    }

    fn process(input: Batch) -> Result<Outcome, String> {
        BEHAVIOUR.with_borrow(|(what, poison_only)| {
            let texts = process::Texts::of(&input);
            let misbehave = !poison_only || (0..input.rows as usize).any(|i| texts.get(i) == b"poison");
            process::answer(if misbehave { what } else { "" }, &input, &texts)
        })
    }
}

export!(Hostile);
