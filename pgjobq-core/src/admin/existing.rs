//! The names of queues and kinds that exist, for an error about one that does not.

use sqlx::Row as _;

use crate::DatabaseError;
use crate::admin::limit_scope::LimitScope;
use crate::client::Client;

impl Client {
    /// Returns the first names of queues or kinds, in alphabetical order.
    pub(super) async fn existing(&self, scope: LimitScope) -> Result<Vec<String>, DatabaseError> {
        let shared = self.shared();
        let rows = shared.read(&shared.sql.existing, &[&scope.as_str()]).await?;
        rows.iter().map(|row| row.try_get("name")).collect::<Result<_, _>>().map_err(DatabaseError::Refused)
    }
}

/// Returns the names as a part of a message: "; there are `a` and `b`".
pub(super) fn listed(names: &[String]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    match &quoted[..] {
        [] => String::new(),
        [one] => format!("; there is {one}"),
        [first @ .., last] => format!("; there are {} and {last}", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_listed_as_a_sentence() {
        let names = ["a", "b", "c"].map(str::to_owned);
        assert_eq!(listed(&[]), "");
        assert_eq!(listed(&names[..1]), "; there is `a`");
        assert_eq!(listed(&names), "; there are `a`, `b` and `c`");
    }
}
