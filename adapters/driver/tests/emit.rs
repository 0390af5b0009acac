//! Messages with a name.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod world;

use std::collections::BTreeMap;

use steadfast::protocol::json::Json;
use steadfast_driver::NotEmitted;
use world::{World, online_with};

#[test]
fn a_name_and_a_value_become_a_message() {
    let world = World::new();
    let (client, _events, mut driver) = online_with(&world, world.builder().protocol_with(Json::new));
    client.emit("order", BTreeMap::from([("table", 4)])).unwrap();
    assert!(driver.run().is_pending());
    let left = world.left(0).pop().unwrap();
    assert!(left.contains(r#""type":"order""#) && left.contains(r#""data":{"table":4}"#), "{left}");
}

#[test]
fn what_cannot_be_json_is_refused() {
    let world = World::new();
    let (client, _events, _driver) = online_with(&world, world.builder().protocol_with(Json::new));
    let unnamed = BTreeMap::from([((1, 2), 3)]);
    assert!(matches!(client.emit("order", unnamed), Err(NotEmitted::Content(_))));
}
