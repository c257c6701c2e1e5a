//! Links and filters. Names stand in queries, never in paths, where `..`, `/` and `%2F` do not survive browsers and proxies.

use pgjobq::JobId;
use pgjobq::filter::{Filter, id};

/// Returns a relative link to a screen with these parameters.
pub(crate) fn link(screen: &str, params: &[(&str, &str)]) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    params.iter().for_each(|(name, value)| {
        query.append_pair(name, value);
    });
    let query = query.finish();
    if query.is_empty() { screen.to_owned() } else { format!("{screen}?{query}") }
}

/// Returns a link to the jobs that match a filter.
pub(crate) fn jobs(filter: &Filter) -> String {
    link("jobs", &[("filter", &filter.to_string())])
}

/// Returns a link to the preview of an action on the jobs that match a filter.
pub(crate) fn preview(action: &str, filter: &str) -> String {
    link("preview", &[("action", action), ("filter", filter)])
}

/// Returns the filter of one job.
pub(crate) fn only(job: JobId) -> String {
    id(job).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stand_in_queries() {
        let name = "a/../%2F#&\"<ü ";
        let link = link("queue", &[("name", name)]);
        assert_eq!(link, "queue?name=a%2F..%2F%252F%23%26%22%3C%C3%BC+");
        assert_eq!(form_urlencoded::parse(&link.as_bytes()[6..]).next(), Some(("name".into(), name.into())));
    }
}
