//! A plugin's own configuration: any value, as JSON.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::problem::Carried;
use crate::diagnostic::codes::NOT_JSON;

/// Any value, as JSON.
pub(crate) fn json<'de, D: Deserializer<'de>>(deserializer: D) -> Result<serde_json::Value, D::Error> {
    let Json(value) = Json::deserialize(deserializer)?;
    Ok(if value.is_null() { empty_object() } else { value })
}

/// `{}`.
pub(crate) fn empty_object() -> serde_json::Value {
    serde_json::Value::Object(serde_json::Map::new())
}

/// `serde_json::Value`'s own reader turns infinite numbers into `null`.
pub(super) struct Json(pub(super) serde_json::Value);

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnyJson;
        impl<'de> Visitor<'de> for AnyJson {
            type Value = Json;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value")
            }

            fn visit_unit<E: Error>(self) -> Result<Json, E> {
                Ok(Json(serde_json::Value::Null))
            }

            fn visit_bool<E: Error>(self, value: bool) -> Result<Json, E> {
                Ok(Json(value.into()))
            }

            fn visit_u64<E: Error>(self, value: u64) -> Result<Json, E> {
                Ok(Json(value.into()))
            }

            fn visit_i64<E: Error>(self, value: i64) -> Result<Json, E> {
                Ok(Json(value.into()))
            }

            fn visit_f64<E: Error>(self, value: f64) -> Result<Json, E> {
                match serde_json::Number::from_f64(value) {
                    Some(number) => Ok(Json(number.into())),
                    None => Err(E::custom(Carried {
                        code: NOT_JSON,
                        text: "a finite number, as JSON has no other",
                        said: false,
                        help: "put it in quotes to make it text",
                    })),
                }
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Json, E> {
                Ok(Json(text.into()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Json, A::Error> {
                let mut all = Vec::new();
                while let Some(Json(value)) = list.next_element()? {
                    all.push(value);
                }
                Ok(Json(all.into()))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Json, A::Error> {
                let mut all = serde_json::Map::new();
                while let Some(key) = map.next_key::<String>()? {
                    let Json(value) = map.next_value()?;
                    all.insert(key, value);
                }
                Ok(Json(all.into()))
            }
        }
        deserializer.deserialize_any(AnyJson)
    }
}
