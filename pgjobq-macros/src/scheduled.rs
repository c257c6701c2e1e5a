//! Checks of the schedules of a job, where several keys, or the arguments, must fit together.

use quote::{quote, quote_spanned};
use syn::ext::IdentExt;

use crate::computed::Of;
use crate::diagnostics::Diagnostics;
use crate::model::Job;
use crate::names;
use crate::schedule::Schedule;

/// The keys that do nothing without `schedule`.
const OPTIONS: [&str; 6] = ["timezone", "missed", "overlap", "jitter", "starts", "ends"];

impl Job {
    /// Returns whether the code has schedules of it. One with arguments has a mistake.
    pub(crate) fn is_scheduled(&self) -> bool {
        !self.keys.schedules.is_empty() && self.names().next().is_none()
    }

    /// Checks the schedules, and adds them to the policy: the keys that say more of them may stand before or behind.
    pub(crate) fn check_schedules(&mut self, diagnostics: &mut Diagnostics) {
        let Some(key) = self.keys.given("schedule") else {
            for option in OPTIONS.iter().filter_map(|option| self.keys.given(option)) {
                let message =
                    format!("`{option}` does nothing without `schedule`: add `schedule = \"0 9 * * *\"`");
                diagnostics.error(option, message);
            }
            return;
        };
        let arguments: Vec<_> = self.names().map(|name| format!("`{}`", name.unraw())).collect();
        if !arguments.is_empty() {
            let (job, list) = (self.name.unraw(), arguments.join(", "));
            let message = format!(
                "a schedule in the code passes no arguments, and the job takes {list}: set the schedule in your program, with \
                 `client.schedules().upsert(\"…\", {job}::schedule(\"…\", …))`"
            );
            diagnostics.error(key, message);
            return;
        }
        self.check_overlap(diagnostics);
        if self.keys.schedules.is_empty() {
            return; // Its mistake is reported.
        }
        self.check_zone(diagnostics);
        let (kind, options) = (self.kind(), &self.keys.schedule_options);
        let declared = self.keys.schedules.iter().map(|schedule| {
            let Schedule { name: own, text } = schedule;
            let zone = self.keys.timezone.as_ref().filter(|_| !schedule.is_interval());
            let zone = zone.map(|zone| quote!(.timezone(#zone)));
            let name = own.as_ref().map_or_else(|| kind.clone(), |own| format!("{kind}/{}", own.unraw()));
            if let (Some(own), None, Some(mistake)) = (own, names::mistake(&kind), names::mistake(&name)) {
                diagnostics.error(own, format!("the schedule is named `{name}`: {mistake}"));
            }
            quote_spanned!(text.span()=> __pgjobq::DeclaredSchedule::new(#name, #text) #zone #(#options)*)
        });
        let declared = quote!(.schedules(const { &[#(#declared),*] }));
        self.keys.policy.push(declared);
    }

    /// Rejects a time zone of which no schedule has a use. Beside patterns, an interval has none.
    fn check_zone(&self, diagnostics: &mut Diagnostics) {
        let Some(zone) = &self.keys.timezone else { return };
        if self.keys.schedules.iter().all(Schedule::is_interval) {
            let message = "an interval has no time zone: leave out `timezone`, or write a cron pattern, such as `*/10 * * * *`";
            diagnostics.error(zone, message);
        }
    }

    /// Rejects the job of a tick that would have to cancel the holder of its own unique key.
    fn check_overlap(&self, diagnostics: &mut Diagnostics) {
        let keys = &self.keys;
        let cancels = keys.overlap.as_ref().is_some_and(|overlap| overlap == "CancelRunning");
        let is_unique = keys.unique_by_all.is_some()
            || keys.computed.iter().any(|computed| matches!(computed.of, Of::Unique));
        let while_live = keys.unique_while.as_ref().is_none_or(|time| time.to_string() == "Live");
        if let (true, true, true, Some(overlap)) = (cancels, is_unique, while_live, keys.given("overlap")) {
            let message = "`cancel_running` cannot cancel a job that is unique while it lives, because the job of the next tick \
                           would be a duplicate: write `unique_while = \"waiting\"`, or another `overlap`";
            diagnostics.error(overlap, message);
        }
    }
}
