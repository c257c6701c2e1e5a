//! The numbers that identify things of the protocol, each of a type of its own, so that no two of them can be confused.

use std::fmt;
use std::num::ParseIntError;
use std::str::FromStr;

use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::postgres::{PgArgumentBuffer, PgHasArrayType, PgTypeInfo, PgValueRef};
use sqlx::{Decode, Encode, Postgres, Type};

macro_rules! ids {
    ($($(#[$about:meta])* $name:ident($number:ty);)*) => {$(
        $(#[$about])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[doc(hidden)]
        pub struct $name(pub $number);

        impl fmt::Display for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(out)
            }
        }

        impl FromStr for $name {
            type Err = ParseIntError;

            fn from_str(text: &str) -> Result<Self, ParseIntError> {
                text.parse().map(Self)
            }
        }

        impl Type<Postgres> for $name {
            fn type_info() -> PgTypeInfo {
                <$number as Type<Postgres>>::type_info()
            }
        }

        impl PgHasArrayType for $name {
            fn array_type_info() -> PgTypeInfo {
                <$number as PgHasArrayType>::array_type_info()
            }
        }

        impl Encode<'_, Postgres> for $name {
            fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
                <$number as Encode<'_, Postgres>>::encode_by_ref(&self.0, buffer)
            }
        }

        impl Decode<'_, Postgres> for $name {
            fn decode(value: PgValueRef<'_>) -> Result<Self, BoxDynError> {
                <$number as Decode<'_, Postgres>>::decode(value).map(Self)
            }
        }
    )*};
}

ids! {
    /// A worker. It is made at random for each start, and again after other workers have given the worker up.
    WorkerId(i64);
    /// The leases of one claim. The worker makes it at random before it sends the claim.
    LeaseId(i64);
    /// The position of a waiting job in line. A job that becomes claimable again draws a new one.
    Ticket(i64);
    /// A part of every queue, by which its rows can be distributed.
    Shard(i16);
    /// The row of a queue. A queue that is recreated has a new one.
    QueueId(i32);
}
