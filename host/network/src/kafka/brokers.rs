//! librdkafka's own cluster of brokers for tests.
#![allow(clippy::unwrap_used)]

use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;

pub(super) type Brokers = MockCluster<'static, DefaultProducerContext>;

/// Three brokers with the topic `logs` of four partitions.
pub(super) fn brokers() -> Brokers {
    let brokers = MockCluster::new(3).unwrap();
    brokers.create_topic("logs", 4, 3).unwrap();
    brokers
}
