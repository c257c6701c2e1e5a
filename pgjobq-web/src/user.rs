//! The users of the dashboard, and what they may do.

use std::fmt;

/// A user of the dashboard: from the hook of [`RouterWithoutAuth::auth`](crate::RouterWithoutAuth::auth).
///
/// Every user sees all screens. Each action needs its [`Permission`], which the server checks for each request.
///
/// ```
/// use pgjobq_web::{Permission, User};
///
/// let ada = User::viewer("ada").allow(Permission::Retry);
/// assert!(ada.may(Permission::Retry) && !ada.may(Permission::Delete));
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct User {
    name: String,
    permissions: u8,
}

/// Something that not every user may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Permission {
    /// Sees the arguments and results of jobs. They may be personal data.
    SeeArguments,
    /// Puts ended jobs back in line, lets scheduled ones run at once, retries workflows, and runs schedules now.
    Retry,
    /// Cancels jobs and workflows, and stops actions.
    Cancel,
    /// Pauses and resumes queues, kinds and schedules.
    Pause,
    /// Changes the priority and the queue of waiting jobs.
    Change,
    /// Deletes ended jobs, and schedules that were set by name, for good.
    Delete,
}

impl Permission {
    /// All permissions.
    pub const ALL: [Self; 6] =
        [Self::SeeArguments, Self::Retry, Self::Cancel, Self::Pause, Self::Change, Self::Delete];

    /// The word for it, as the JSON of `api/session` has it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SeeArguments => "see_arguments",
            Self::Retry => "retry",
            Self::Cancel => "cancel",
            Self::Pause => "pause",
            Self::Change => "change",
            Self::Delete => "delete",
        }
    }

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(self.as_str())
    }
}

impl User {
    /// Returns a user who sees all screens, without the arguments and results of jobs, and changes nothing.
    #[must_use]
    pub fn viewer(name: impl Into<String>) -> Self {
        Self { name: name.into(), permissions: 0 }
    }

    /// Returns a user who sees everything, and retries, cancels and pauses.
    #[must_use]
    pub fn operator(name: impl Into<String>) -> Self {
        use Permission::{Cancel, Pause, Retry, SeeArguments};
        [SeeArguments, Retry, Cancel, Pause].into_iter().fold(Self::viewer(name), Self::allow)
    }

    /// Returns a user who may do everything.
    #[must_use]
    pub fn administrator(name: impl Into<String>) -> Self {
        Permission::ALL.into_iter().fold(Self::viewer(name), Self::allow)
    }

    /// Adds a permission.
    #[must_use]
    pub fn allow(mut self, permission: Permission) -> Self {
        self.permissions |= permission.bit();
        self
    }

    /// The name, as the audit trail shows it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns whether the user has this permission.
    #[must_use]
    pub fn may(&self, permission: Permission) -> bool {
        self.permissions & permission.bit() != 0
    }

    /// Returns the permissions of the user.
    pub fn permissions(&self) -> impl Iterator<Item = Permission> {
        Permission::ALL.into_iter().filter(|permission| self.may(*permission))
    }
}

impl fmt::Debug for User {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let permissions: Vec<_> = self.permissions().collect();
        out.debug_struct("User").field("name", &self.name).field("permissions", &permissions).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_permission_is_separate() {
        for permission in Permission::ALL {
            let user = User::viewer("ada").allow(permission);
            assert_eq!(user.permissions().collect::<Vec<_>>(), [permission]);
        }
        assert_eq!(User::administrator("ada").permissions().count(), Permission::ALL.len());
        assert_eq!(User::viewer("ada").permissions().count(), 0);
    }
}
