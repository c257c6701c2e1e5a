//! The type of filters, and how they are put together.

use super::check;
use super::tree::{Node, Test};

/// The limits of a filter. A job is tested while the line of its queue is locked.
pub(super) const MOST_TERMS: usize = 1000;
pub(super) const MOST_LEVELS: usize = 64;
/// PostgreSQL keeps 32 compiled patterns, and would compile more of them anew for each job.
pub(super) const MOST_PATTERNS: usize = 30;

/// A condition on jobs: [the module](crate::filter) explains it.
///
/// ```
/// # use pgjobq_core as pgjobq;
/// use pgjobq::filter::{Filter, attribute, kind};
///
/// let of_tenant = attribute("tenant").eq(42);
/// let slow = kind("export").or(attribute("rows").gt(1_000_000));
/// let filter: Filter = of_tenant.and(slow.not());
/// assert_eq!(filter.to_string(), "tenant = 42 and not (kind = 'export' or rows > 1000000)");
///
/// let error = "tenant = 'eu".parse::<Filter>().unwrap_err();
/// assert_eq!(error.column, Some(10));
/// # Ok::<_, pgjobq::filter::FilterError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[must_use = "a filter does nothing until it is used"]
pub struct Filter {
    /// `All` if the filter exceeds a limit: then only its size is kept, for the error.
    pub(super) root: Node,
    pub(super) terms: usize,
    pub(super) levels: usize,
}

impl Filter {
    pub(super) fn all() -> Self {
        Self { root: Node::All, terms: 0, levels: 0 }
    }

    pub(super) fn test(test: Test) -> Self {
        Self { terms: test.terms(), levels: 1, root: Node::Test(test) }.within_limits()
    }

    /// Matches the jobs that both filters match.
    pub fn and(self, other: Self) -> Self {
        match (&self.root, &other.root) {
            (Node::All, _) if self.terms == 0 => other,
            (_, Node::All) if other.terms == 0 => self,
            _ => self.joined(other, Node::And, |node| match node {
                Node::And(nodes) => Ok(nodes),
                node => Err(node),
            }),
        }
    }

    /// Matches the jobs that at least one of the filters matches.
    pub fn or(self, other: Self) -> Self {
        match (&self.root, &other.root) {
            (Node::All, _) if self.terms == 0 => self,
            (_, Node::All) if other.terms == 0 => other,
            _ => self.joined(other, Node::Or, |node| match node {
                Node::Or(nodes) => Ok(nodes),
                node => Err(node),
            }),
        }
    }

    /// Matches exactly the jobs that the filter does not match.
    #[allow(clippy::should_implement_trait)] // `attribute("a").eq(1).not()` reads on from left to right.
    pub fn not(self) -> Self {
        let (terms, levels) = (self.terms, self.levels);
        match self.root {
            Node::Not(node) => Self { root: *node, terms, levels: levels - 1 },
            root => Self { root: Node::Not(Box::new(root)), terms, levels: levels + 1 }.within_limits(),
        }
    }

    /// Returns whether it matches every job.
    #[doc(hidden)]
    #[must_use]
    pub fn is_all(&self) -> bool {
        self.root == Node::All && !self.exceeds_limits()
    }

    /// Returns a column that it tests although that means nothing for the jobs that a worker claims.
    pub(crate) fn column_not_at_claim(&self) -> Option<&'static str> {
        let columns = self.root.columns();
        columns.iter().find(|column| !column.tells_ready_jobs_apart()).map(|column| column.name())
    }

    pub(super) fn exceeds_limits(&self) -> bool {
        self.terms > MOST_TERMS || self.levels > MOST_LEVELS
    }

    /// Joins two filters. `split` returns the nodes of one that is joined in the same way, so that the result is flat.
    fn joined(
        self,
        other: Self,
        join: fn(Vec<Node>) -> Node,
        split: fn(Node) -> Result<Vec<Node>, Node>,
    ) -> Self {
        let terms = self.terms + other.terms;
        let (mut nodes, mut levels) = (Vec::new(), 0);
        for filter in [self, other] {
            let (more, below) = match split(filter.root) {
                Ok(more) => (more, filter.levels - 1),
                Err(node) => (vec![node], filter.levels),
            };
            nodes = if nodes.is_empty() { more } else { nodes.into_iter().chain(more).collect() };
            levels = levels.max(below + 1);
        }
        Self { root: join(nodes), terms, levels }.within_limits()
    }

    /// Drops the nodes of a filter that exceeds a limit, so that its memory is bounded, too.
    fn within_limits(self) -> Self {
        if self.exceeds_limits() { Self { root: Node::All, ..self } } else { self }
    }

    /// Returns the mistake in the filter, if there is one.
    pub(super) fn check(&self) -> Result<(), super::FilterProblem> {
        if self.terms > MOST_TERMS {
            return Err(super::FilterProblem::TooManyTerms(self.terms));
        }
        if self.levels > MOST_LEVELS {
            return Err(super::FilterProblem::TooDeep(self.levels));
        }
        let mut patterns = 0;
        self.root.visit(&mut |test| {
            patterns += usize::from(check::is_pattern(&test.operation));
            check::test(test)
        })?;
        if patterns > MOST_PATTERNS {
            return Err(super::FilterProblem::TooManyPatterns(patterns));
        }
        Ok(())
    }
}
