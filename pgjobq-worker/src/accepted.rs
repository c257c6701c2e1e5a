//! Finds filters that match no job which their worker could run.

use pgjobq_core::filter::Filter;
use pgjobq_core::worker_api::Registry;

/// Explains why a worker of these queues would run nothing with this filter; `None` if it may run something.
pub(crate) fn nothing_to_run(filter: &Filter, served: &[&str], registry: &Registry) -> Option<String> {
    let narrow = filter.compile().ok()?.narrow;
    let no_kind = narrow.kinds.filter(|kinds| kinds.iter().all(|kind| registry.get(kind).is_none()));
    let no_queue =
        narrow.queues.filter(|queues| queues.iter().all(|queue| !served.contains(&queue.as_str())));
    let cause = match (no_kind, no_queue) {
        (Some(kinds), _) => {
            format!(
                "it asks for {}, and no job function of this program has that kind",
                one_of("kind", &kinds)
            )
        }
        (None, Some(queues)) => {
            let served: Vec<_> = served.iter().map(|name| format!("`{name}`")).collect();
            format!("it asks for {}, and the worker serves {}", one_of("queue", &queues), served.join(", "))
        }
        (None, None) => return None,
    };
    Some(format!("the filter of this worker matches no job that it can run: {filter}: {cause}"))
}

fn one_of(what: &str, names: &[String]) -> String {
    match names {
        [] => format!("two {what}s at once"),
        [name] => format!("the {what} `{name}`"),
        names => format!("one of the {what}s `{}`", names.join("`, `")),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn filter_that_admits_nothing_of_the_worker_is_explained() {
        let explained =
            |filter: &str| nothing_to_run(&filter.parse().unwrap(), &["mail", "post"], &Registry::default());
        for (filter, cause) in [
            ("kind in ('a', 'b') and x = 1", "it asks for one of the kinds `a`, `b`, and no job function"),
            ("queue = 'mial'", "it asks for the queue `mial`, and the worker serves `mail`, `post`"),
            ("queue = 'mail' and queue = 'post'", "it asks for two queues at once"),
        ] {
            let found = explained(filter).unwrap();
            assert!(found.contains(cause) && found.contains(filter), "{found}");
        }
        for filter in ["queue = 'mail'", "queue = 'mial' or x = 1", "not kind = 'a'", "all"] {
            assert_eq!(explained(filter), None, "{filter}");
        }
    }
}
