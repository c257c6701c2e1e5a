//! Filters: conditions on the attributes of jobs, and on the jobs themselves.
//!
//! A [`Filter`] says which jobs are meant: those that a worker may claim, or those that a bulk action changes. It is a value that is
//! put together from tests, or parsed from a text:
//!
//! ```
//! # use pgjobq_core as pgjobq;
//! use pgjobq::filter::{Filter, attribute, kind};
//!
//! let filter = attribute("tenant").eq(42).and(kind("sync").or(attribute("size").gt(1 << 20)));
//! assert_eq!(filter.to_string(), "tenant = 42 and (kind = 'sync' or size > 1048576)");
//! assert_eq!(filter.to_string().parse::<Filter>()?, filter);
//! // The operators of Rust do the same: `!` before `&` before `|`.
//! let same = attribute("tenant").eq(42) & (kind("sync") | attribute("size").gt(1 << 20));
//! assert_eq!(same, filter);
//! # Ok::<_, pgjobq::filter::FilterError>(())
//! ```
//!
//! # Every test is true or false
//!
//! There is no third value, and no filter fails because of a job. A comparison is false if the job lacks the attribute, or has a value
//! of another type there: `attribute("size").gt(3)` is false for the text `"9"`. That is so for `ne`, too: it is true only for another
//! value of the same type. [`not`](Filter::not) is the exact opposite, so that a filter and its negation divide all jobs between them:
//!
//! | `tenant` of the job | `tenant = 42` | `tenant != 42` | `not tenant = 42` | `tenant is null` | `tenant exists` |
//! |---|---|---|---|---|---|
//! | `42` or `42.0` | true | false | false | false | true |
//! | `7` | false | true | true | false | true |
//! | `"42"` | false | false | true | false | true |
//! | null | false | false | true | true | true |
//! | not there | false | false | true | false | false |
//!
//! Integers and floats are one type, compared exactly. Texts are compared character by character, by the numbers of the characters,
//! whatever the collation of the database is.
//!
//! # The text form
//!
//! `tenant = 42 and not region like 'eu-%'`: tests, connected by `and`, `or`, `not` and parentheses.
//!
//! | test | |
//! |---|---|
//! | `=` `!=` `<` `<=` `>` `>=` | with a number, `true`, `false`, or a text: `'it''s'` |
//! | `in (1, 2)` | equal to one of them |
//! | `like 'eu-%'` | `%` is any text, `_` any character, and a backslash before either of them takes that meaning away |
//! | `is null` | the attribute is there, and null; or the job has no key |
//! | `exists` | the attribute is there, null or not |
//! | `all` | every job |
//!
//! These names are of the job itself: `kind`, `queue`, `key`, `id`, `state`, `priority` (`'low'`, `'normal'`, `'high'`, `'critical'`),
//! `created_at` (`'2027-01-31T12:00:00Z'`), `attempts` (how many have ended), and `error` (`error contains 'timeout'`). Every other name
//! is that of an attribute. One that is not a plain word is quoted, and so is one that would mean something else: `"unit price" > 5`,
//! `"kind" = 'x'`.
//!
//! The text form says more of the job itself than the functions do: `"kind like 'mail.%' and priority >= 'high'".parse()`. A parsed
//! filter and one that is put together are joined like any two.

mod check;
mod column;
mod compile;
mod error;
pub(crate) mod evaluate;
mod expression;
pub(crate) mod instant;
mod like;
mod narrow;
mod operators;
mod parse;
mod subject;
mod text;
mod tokens;
mod tree;

pub use compile::Compiled;
pub use error::{FilterError, FilterProblem};
pub use expression::Filter;
pub use narrow::Narrow;
pub use subject::{
    Operand, all, attempts, attribute, created_after, created_before, error_contains, id, ids, key, kind,
    kinds, no_key, priority, queue, queues, state, states,
};
