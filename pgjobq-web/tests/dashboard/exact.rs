//! No digit of a number is lost.

use pgjobq_web::router;

use crate::browser::Browser;
use crate::stage::Stage;

#[tokio::test]
async fn numbers_keep_every_digit() {
    Stage::run(async |stage| {
        stage.execute("select pgjobq.create_queue('q')").await;
        let args =
            r#"{"big": 9223372036854775808, "small": -0.10, "long": 123456789012345678901234567890.5}"#;
        let enqueue = format!("select job from pgjobq.enqueue('k', '{args}', 'q')");
        let id = stage.text(&enqueue).await;
        let browser = Browser::new(router(&stage.client).open_to_everyone());
        let page = browser.get(&format!("job?id={id}")).await.text();
        let json = browser.get(&format!("api/job?id={id}")).await.body;
        for number in ["9223372036854775808", "-0.10", "123456789012345678901234567890.5"] {
            assert!(page.contains(number), "{number}: {page}");
            assert!(json.contains(number), "{number}: {json}");
        }
    })
    .await;
}
