//! Checks of the schedules of a job, where several keys, or the arguments, must fit together.

use quote::{quote, quote_spanned};
use syn::ext::IdentExt;

use crate::diagnostics::Diagnostics;
use crate::model::Job;
use crate::schedule::Schedule;

/// The keys that do nothing without `schedule`.
const OPTIONS: [&str; 6] = ["timezone", "missed", "overlap", "jitter", "starts", "ends"];

impl Job {
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
        if self.keys.schedules.is_empty() {
            return; // Its mistake is reported.
        }
        let (kind, options) = (self.kind(), &self.keys.schedule_options);
        let declared = self.keys.schedules.iter().map(|Schedule { name, text }| {
            let name = name.as_ref().map_or_else(|| kind.clone(), |name| format!("{kind}/{}", name.unraw()));
            quote_spanned!(text.span()=> __pgjobq::DeclaredSchedule::new(#name, #text) #(#options)*)
        });
        let declared = quote!(.schedules(const { &[#(#declared),*] }));
        self.keys.policy.push(declared);
    }
}
