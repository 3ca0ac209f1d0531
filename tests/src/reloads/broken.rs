//! Configurations that must not take over, whatever they would have replaced.

/// The `number`th broken configuration, made of a sound one; with the status and words that the answer must have.
pub(super) fn configuration(sound: &str, number: u64) -> (String, u16, &'static str) {
    let component = |name: &str| {
        let lines = sound.lines().map(|line| match line.split_once("component: stamp-") {
            Some((before, rest)) => {
                let after = rest.split_once(".wasm").map_or("", |(_, after)| after);
                format!("{before}component: {name}{after}\n")
            }
            None => format!("{line}\n"),
        });
        lines.collect::<String>()
    };
    match number % 6 {
        0 => (sound.replace("vrl:", "vlr:"), 422, "vlr"),
        1 => (component("stamp-greedy.wasm"), 422, "asks to read `AppliOwner`"),
        2 => (component("stamp-damaged.wasm"), 422, "stamp"),
        3 => (sound.replace("type: stdout", "type: file, path: tamis.yaml/out"), 409, "tamis.yaml/out"),
        4 => (sound.replace("lanes: 2", "lanes: 1"), 422, "settings.lanes"),
        _ => ("sources: [".into(), 422, "yaml"),
    }
}
