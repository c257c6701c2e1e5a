//! The address of a row in its table, for statements that go straight to a row that the caller has seen.

use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::postgres::types::Oid;
use sqlx::postgres::{PgArgumentBuffer, PgHasArrayType, PgTypeInfo, PgValueFormat, PgValueRef};
use sqlx::{Decode, Encode, Postgres, Type};

/// The types `tid` and `tid[]`, which have these numbers in every PostgreSQL.
const TID: Oid = Oid(27);
const TID_ARRAY: Oid = Oid(1010);

/// The address of a row, which PostgreSQL calls `ctid`: its page, and its place there.
///
/// It is a hint. The row moves when it is updated and when its table is rewritten, and then another row may come to lie
/// there. So a statement that uses it also compares what identifies the row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[doc(hidden)]
pub struct RowAddress {
    page: u32,
    place: u16,
}

impl Type<Postgres> for RowAddress {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(TID)
    }
}

impl PgHasArrayType for RowAddress {
    fn array_type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(TID_ARRAY)
    }
}

impl Encode<'_, Postgres> for RowAddress {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        buffer.extend_from_slice(&self.page.to_be_bytes());
        buffer.extend_from_slice(&self.place.to_be_bytes());
        Ok(IsNull::No)
    }
}

impl Decode<'_, Postgres> for RowAddress {
    fn decode(value: PgValueRef<'_>) -> Result<Self, BoxDynError> {
        let (PgValueFormat::Binary, &[a, b, c, d, e, f]) = (value.format(), value.as_bytes()?) else {
            return Err("a row address has six bytes".into());
        };
        Ok(Self { page: u32::from_be_bytes([a, b, c, d]), place: u16::from_be_bytes([e, f]) })
    }
}
