//! Tests of the expansion against `golden/*.rs`, which are read in review. `BLESS=1` rewrites them.

use std::{env, fs, path::Path};

use proc_macro2::TokenStream;
use quote::quote;

use crate::{duration, expand, names, rate};

#[track_caller]
fn check(name: &str, attribute: TokenStream, item: TokenStream) {
    let expanded = expand::job(attribute, item);
    let pretty = prettyplease::unparse(&syn::parse2(expanded).unwrap());
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden").join(name).with_extension("rs");
    if env::var_os("BLESS").is_some() {
        fs::write(&path, &pretty).unwrap();
    }
    let golden = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        golden == pretty,
        "{} is out of date; BLESS=1 rewrites it. The macro writes:\n{pretty}",
        path.display()
    );
}

#[test]
fn job_without_arguments_expands() {
    check("tick", quote!(), quote! { async fn tick() {} });
}

#[test]
fn job_with_every_kind_of_argument_expands() {
    let attribute = quote!(queue = "images", retries = 5);
    let item = quote! {
        /// Draws a thumbnail.
        #[cfg(feature = "images")]
        #[tracing::instrument]
        pub(crate) async fn thumbnail(
            image_id: i64,
            ctx: JobContext,
            mut width: Option<u32>,
            store: State<Store>,
        ) -> Result<Thumbnail, ImageError> {
            store.draw(image_id, width.take(), ctx.attempt()).await
        }
    };
    check("thumbnail", attribute, item);
}

#[test]
fn job_with_every_key_expands() {
    let attribute = quote!(
        queue = "billing",
        retries = 0,
        kind = "billing/charge",
        aliases = ["charge", "pay"],
        priority = "critical",
        timeout = "1500ms",
        backoff = "30s",
        max_crashes = 1,
        retain = "0s",
        attributes(r#type, "charge.size" = size.max(1), version = 3),
        crate = app::jobs::pgjobq,
    );
    check(
        "charge",
        attribute,
        quote! { async fn r#charge(r#type: u8, size: u64, note: String) -> Outcome { body() } },
    );
}

#[test]
fn job_with_limits_expands() {
    let attribute = quote!(
        key = format!("{tenant}/{region}"),
        concurrency = 2,
        on_conflict = "cancel_waiting",
        on_retry = "let_pass",
        rate = ["100 per minute", "10 per second"],
        weight = pages,
        unique = (tenant, region.code()),
        unique_while = "1h",
        on_duplicate = "debounce 5s",
    );
    check("import", attribute, quote! { async fn import(tenant: u64, region: Region, pages: u32) {} });
}

#[test]
fn job_with_older_versions_expands() {
    let attribute = quote!(version = 4, upcast_from = [old::SendV2, SendV3]);
    check("send_mail", attribute, quote! { pub async fn send_mail(to: Vec<String>, ctx: JobContext) {} });
}

#[test]
fn job_with_a_batch_expands() {
    let attribute = quote!(batch = 500, within = "200ms", key = docs.tenant, batch_by = key);
    let item = quote! {
        async fn index(docs: Batch<Document>, engine: State<Engine>) -> BatchResult {
            engine.index(docs).await
        }
    };
    check("index", attribute, item);
}

#[test]
fn job_with_schedules_expands() {
    let schedules =
        quote!(schedule = [often = "every 10m", nightly = "30 3 * * *"], timezone = "Europe/Berlin");
    check("tidy", schedules, quote! { async fn tidy() {} });
}

#[test]
fn rate_is_a_number_per_unit() {
    let rate = |text| rate::parse(text).map(|rate| (rate.count, rate.window.as_secs()));
    assert_eq!(rate("100 per minute"), Some((100, 60)));
    assert_eq!(rate("1 per day"), Some((1, 86_400)));
    for wrong in ["", "100", "0 per second", "1000001 per day", "100 per fortnight", "-1 per day", "1 a day"]
    {
        assert_eq!(rate(wrong), None, "{wrong}");
    }
}

#[test]
fn wrong_attribute_keeps_the_functions_of_the_job() {
    check("mistaken_attribute", quote!(retries = -1, queue = "mail"), quote! { async fn send(user: i64) {} });
}

#[test]
fn wrong_signature_keeps_the_function() {
    check("mistaken_signature", quote!(), quote! { fn send(user: &str) {} });
}

#[test]
fn body_may_be_wrong() {
    let item = quote! { async fn broken() { let = ; } };
    let expanded = expand::job(quote!(), item.clone()).to_string();
    assert!(expanded.contains(&item.to_string()), "{expanded}");
    assert!(!expanded.contains("compile_error"), "{expanded}");
}

#[test]
fn duration_is_a_number_and_a_unit() {
    let seconds = |text| duration::parse(text).map(|duration| duration.as_secs_f64());
    assert_eq!(seconds("500ms"), Some(0.5));
    assert_eq!(seconds("30s"), Some(30.0));
    assert_eq!(seconds("5m"), Some(300.0));
    assert_eq!(seconds("2h"), Some(7200.0));
    assert_eq!(seconds("7d"), Some(604_800.0));
    assert_eq!(seconds("0s"), Some(0.0));
    for wrong in ["", "s", "5", "5 s", " 5s", "5S", "-5s", "+5s", "1.5s", "5s5", "1h30m", "٣s", "5min"] {
        assert_eq!(seconds(wrong), None, "{wrong}");
    }
    assert!(
        duration::parse("99999999999999999999999999s").is_some_and(|longest| longest.as_secs() > 1 << 50)
    );
}

#[test]
fn names_are_plain_and_short() {
    for right in ["a", "send_mail", "a-z_A.Z:0/9", &"x".repeat(100)] {
        assert_eq!(names::mistake(right), None, "{right}");
    }
    for wrong in ["", "two words", "größe", "a\0", "a\"b", "a,b", &"x".repeat(101)] {
        assert!(names::mistake(wrong).is_some(), "{wrong}");
    }
}

#[test]
fn mistyped_key_is_recognized() {
    let nearest = |word| names::nearest(word, ["queue", "retries", "retain", "crate"].into_iter());
    assert_eq!(nearest("que"), Some("queue"));
    assert_eq!(nearest("retry"), Some("retries"));
    assert_eq!(nearest("max_retries"), Some("retries"));
    assert_eq!(nearest("retian"), Some("retain"));
    assert_eq!(nearest("color"), None);
}
