//! One request of one user: what pages and actions need to know of it.

use std::sync::Arc;

use crate::assets::{ICON, SCRIPT, STYLE};
use crate::board::Board;
use crate::problem::Problem;
use crate::said::Said;
use crate::show::prose::prose;
use crate::user::{Permission, User};

/// One request of one user.
#[derive(Clone)]
pub(crate) struct Visit(Arc<Inner>);

struct Inner {
    board: Arc<Board>,
    user: User,
    token: String,
    path: String,
    said: Option<Said>,
}

impl Visit {
    pub(crate) fn new(
        board: Arc<Board>,
        user: User,
        token: String,
        path: String,
        said: Option<Said>,
    ) -> Self {
        Self(Arc::new(Inner { board, user, token, path, said }))
    }

    pub(crate) fn board(&self) -> &Board {
        &self.0.board
    }

    pub(crate) fn user(&self) -> &User {
        &self.0.user
    }

    /// The token that a form must carry.
    pub(crate) fn token(&self) -> &str {
        &self.0.token
    }

    /// Returns whether the answer is JSON.
    pub(crate) fn is_json(&self) -> bool {
        self.0.path.starts_with("/api/")
    }

    /// The outcome of the action that has led to this page.
    pub(crate) fn said(&self) -> Option<&str> {
        self.0.said.as_ref().map(|Said(said)| &**said)
    }

    /// Returns whether the user may see arguments and results, or do this. Nothing is done where all is read-only.
    pub(crate) fn may(&self, permission: Permission) -> bool {
        self.0.user.may(permission) && (permission == Permission::SeeArguments || !self.0.board.read_only)
    }

    /// Returns the sentence of a problem, as the user may know it.
    pub(crate) fn told(&self, problem: &Problem) -> String {
        if self.may_do_something() { problem.to_string() } else { problem.without_details() }
    }

    /// Returns whether the user may do anything but look.
    pub(crate) fn may_do_something(&self) -> bool {
        let mut acts =
            Permission::ALL.into_iter().filter(|permission| *permission != Permission::SeeArguments);
        acts.any(|permission| self.may(permission))
    }
}

/// For templates.
impl Visit {
    pub(crate) fn name(&self) -> &str {
        self.0.user.name()
    }

    pub(crate) fn site(&self) -> &str {
        &self.0.board.title
    }

    pub(crate) fn read_only(&self) -> bool {
        self.0.board.read_only
    }

    /// Returns a sentence as HTML, with the names between backticks as code. It has nothing left to escape.
    pub(crate) fn prose(&self, text: impl AsRef<str>) -> String {
        prose(text.as_ref())
    }

    /// Returns whether the user is on one of these screens, whose names have spaces between them.
    pub(crate) fn is_at(&self, paths: &str) -> bool {
        paths.split(' ').any(|path| self.0.path.trim_start_matches('/') == path.trim_start_matches('/'))
    }

    pub(crate) fn may_retry(&self) -> bool {
        self.may(Permission::Retry)
    }

    pub(crate) fn may_cancel(&self) -> bool {
        self.may(Permission::Cancel)
    }

    pub(crate) fn may_pause(&self) -> bool {
        self.may(Permission::Pause)
    }

    pub(crate) fn may_change(&self) -> bool {
        self.may(Permission::Change)
    }

    pub(crate) fn may_delete(&self) -> bool {
        self.may(Permission::Delete)
    }

    pub(crate) fn may_act(&self) -> bool {
        self.may_retry() || self.may_cancel() || self.may_change() || self.may_delete()
    }

    pub(crate) fn style(&self) -> &str {
        &STYLE.name
    }

    pub(crate) fn script(&self) -> &str {
        &SCRIPT.name
    }

    pub(crate) fn icon(&self) -> &str {
        &ICON.name
    }
}
