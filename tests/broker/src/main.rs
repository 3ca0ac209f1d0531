//! Tansu's broker: LISTENER ADVERTISED STORAGE [authentication]. With `authentication` it wants SASL; users are made before, without it.

use rsasl as _;
use std::error::Error;
use tansu_broker::broker::Broker;
use tansu_broker::coordinator::group::administrator::Controller;
use tansu_storage::StorageContainer;
use tokio::time::Instant;
use url::Url;
use uuid::Uuid;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let mut url = |what| arguments.next().ok_or(what).map(|text| Url::parse(&text));
    let (listener, advertised, storage) = (url("a listener")??, url("an advertised listener")??, url("a storage engine")??);
    let broker = Broker::<Controller<StorageContainer>, StorageContainer>::builder()
        .node_id(111)
        .cluster_id("tests")
        .incarnation_id(Uuid::nil())
        .advertised_listener(advertised)
        .schema_registry(None)
        .storage(storage)
        .listener(listener)
        .authentication(arguments.next().is_some())
        .silent(true);
    broker.build().await?.main(Instant::now()).await?;
    Ok(())
}
