//! The codes of the plan's diagnostics, after those of the configuration. A code keeps its meaning for ever.

macro_rules! codes {
    ($($name:ident = $code:literal, $meaning:literal;)*) => {
        $(#[doc = $meaning] pub const $name: &str = $code;)*

        /// Every code of the plan with its meaning.
        pub const CODES: &[(&str, &str)] = &[$(($code, $meaning)),*];
    };
}

codes! {
    UNKNOWN_NAME = "E201", "A name that refers to nothing.";
    CYCLE = "E202", "Pipelines that feed each other in a circle, or a sink that writes what a source reads.";
    NO_WAY_OUT = "E203", "A pipeline whose default output leads nowhere.";
    SHARED_END = "E204", "Two users of something that only one can use (standard input, a file).";
    SHARED_ADDRESS = "E205", "An address that two would listen at.";
    NO_COMPONENT = "E210", "A component that cannot be loaded.";
    INIT_FAILED = "E211", "A plugin that refuses its configuration or does not start.";
    NOT_GRANTED = "E212", "A plugin asks for more than its grant.";
    BAD_PROGRAM = "E213", "A VRL program or condition that does not compile.";
    KIND_MISMATCH = "E214", "A step reads a field as a kind that an earlier step never writes it as.";
    TOO_LARGE = "E215", "More steps, outputs or fields than a pipeline may have.";
    NOTHING_TO_RUN = "E216", "A configuration without a pipeline.";
    NOT_BLANKABLE = "E217", "`on_failure: blank` on a step that may write the whole record: nothing would be left of it.";
    NOT_ALLOWED = "E218", "A component from a place that `plugins_policy.allow` does not name.";
    NOT_SIGNED = "E219", "A component without the signature that `plugins_policy.require_signature` asks for.";
    TAG_MOVED = "E220", "A tag of a registry that leads elsewhere than when it was locked.";
    NOT_LOCKED = "E221", "A component in a registry that neither a digest nor `tamis.lock` pins.";
    DAMAGED = "E222", "A component whose bytes are not those of its digest.";
    BAD_TEST = "E230", "A test that leaves open which pipeline it tries or whose records they are, or expects what cannot be.";
    UNUSED = "W201", "Something is defined and not used.";
    NOT_PROVIDED = "W202", "A step reads a field that nothing provides.";
    TWO_WRITERS = "W203", "Two steps of a pipeline write the same field.";
    OUTPUT_NOT_MAPPED = "W204", "A step sends records to an output that `to` does not name: they go to the default output.";
    OUTPUT_NEVER_USED = "W205", "`to` names an output that no step sends records to.";
    GRANT_NOT_USED = "W206", "A grant that the plugin does not ask for.";
    PROGRAM_WARNING = "W207", "The VRL compiler warns.";
    LATE_ANSWER = "W208", "A source whose clients wait for delivery, and a sink that gathers records for longer than they wait.";
}
