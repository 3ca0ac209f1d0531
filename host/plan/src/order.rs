//! The order of pipelines: each behind those that feed it.

use crate::codes;
use std::collections::{BTreeMap, VecDeque};
use tamis_config::{Config, Diagnostic, Diagnostics};

/// The pipelines in an order in which each comes after those that feed it; says which go round in a circle. Those that cannot
/// be ordered come last, so that what else is wrong with them is found too.
pub(crate) fn order(config: &Config, findings: &mut Diagnostics) -> Vec<String> {
    let feeders: BTreeMap<&str, Vec<&str>> = config.pipelines.keys().map(|name| (name.as_str(), feeders(config, name))).collect();
    let mut order: Vec<&str> = Vec::new();
    let mut left: Vec<&str> = feeders.keys().copied().collect();
    loop {
        let (ready, waiting): (Vec<&str>, Vec<&str>) =
            left.iter().copied().partition(|name| feeders.get(name).is_none_or(|all| all.iter().all(|f| order.contains(f))));
        order.extend(&ready);
        left = waiting;
        if ready.is_empty() {
            break;
        }
    }
    for name in &left {
        // One that only stands behind a circle is not part of it.
        if let (Some(circle), Some(pipeline)) = (circle(name, &feeders), config.pipelines.get(*name)) {
            findings.push(
                Diagnostic::error(codes::CYCLE, format!("pipeline `{name}` is fed by what it feeds itself: {}", circle.join(" → ")))
                    .at(&pipeline.place)
                    .help("take one of the pipelines out of the others' `from`"),
            );
        }
    }
    order.extend(left);
    order.into_iter().map(str::to_string).collect()
}

/// The pipelines that `from` of a pipeline names.
fn feeders<'a>(config: &'a Config, name: &str) -> Vec<&'a str> {
    let from = config.pipelines.get(name).map(|p| p.value.from.as_slice()).unwrap_or_default();
    from.iter()
        .filter(|f| !config.sources.contains_key(&f.value))
        .filter_map(|f| config.pipelines.get_key_value(f.value.split_once('.').map_or(f.value.as_str(), |(name, _)| name)))
        .map(|(feeder, _)| feeder.as_str())
        .collect()
}

/// The shortest way that records go from a pipeline back to it, both ends included; `None` when there is none.
fn circle<'a>(name: &'a str, feeders: &BTreeMap<&'a str, Vec<&'a str>>) -> Option<Vec<&'a str>> {
    // Walked against the flow; `next` says where each goes on towards `name`.
    let mut next: BTreeMap<&str, &str> = BTreeMap::new();
    let mut queue = VecDeque::from([name]);
    while let Some(at) = queue.pop_front() {
        for feeder in feeders.get(at)? {
            if next.contains_key(feeder) {
                continue;
            }
            next.insert(feeder, at);
            if *feeder == name {
                let mut way = vec![name];
                while let Some(step) = next.get(way.last()?) {
                    way.push(step);
                    if *step == name {
                        break;
                    }
                }
                return Some(way);
            }
            queue.push_back(feeder);
        }
    }
    None
}
