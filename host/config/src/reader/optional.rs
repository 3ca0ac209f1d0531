//! Values that may be missing: `null`, or nothing behind the colon, is as if the key were not there.

use std::time::Duration;

use serde::Deserialize;
use serde::de::Deserializer;

use super::parts::{bytes_between, duration_between};
use crate::model::Bytes;

/// A type that a function reads, for [`optional`].
macro_rules! reads {
    ($name:ident($inner:ty), $read:expr) => {
        struct $name($inner);

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                $read(deserializer).map($name)
            }
        }

        impl $crate::reader::parts::Reads for $name {
            type Inner = $inner;

            fn inner(self) -> $inner {
                self.0
            }
        }
    };
}
pub(crate) use reads;

/// A value, if one is given.
pub(crate) fn optional<'de, D: Deserializer<'de>, T: Reads + Deserialize<'de>>(deserializer: D) -> Result<Option<T::Inner>, D::Error> {
    Ok(Option::<T>::deserialize(deserializer)?.map(T::inner))
}

/// A type that a function reads.
pub(crate) trait Reads {
    /// What is read.
    type Inner;

    /// What was read.
    fn inner(self) -> Self::Inner;
}

/// A duration of `MIN` to `MAX` milliseconds, if one is given.
pub(crate) fn duration_between_option<'de, D: Deserializer<'de>, const MIN: u64, const MAX: u64>(
    deserializer: D,
) -> Result<Option<Duration>, D::Error> {
    struct Between<const MIN: u64, const MAX: u64>(Duration);
    impl<'de, const MIN: u64, const MAX: u64> Deserialize<'de> for Between<MIN, MAX> {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            duration_between::<D, MIN, MAX>(deserializer).map(Self)
        }
    }
    Ok(Option::<Between<MIN, MAX>>::deserialize(deserializer)?.map(|Between(time)| time))
}

/// A size of `MIN` to `MAX` bytes, if one is given.
pub(crate) fn bytes_between_option<'de, D: Deserializer<'de>, const MIN: u64, const MAX: u64>(
    deserializer: D,
) -> Result<Option<Bytes>, D::Error> {
    struct Between<const MIN: u64, const MAX: u64>(Bytes);
    impl<'de, const MIN: u64, const MAX: u64> Deserialize<'de> for Between<MIN, MAX> {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            bytes_between::<D, MIN, MAX>(deserializer).map(Self)
        }
    }
    Ok(Option::<Between<MIN, MAX>>::deserialize(deserializer)?.map(|Between(size)| size))
}
