//! An action on a group of dead jobs says that its filter may admit others.

use pgjobq_web::router;

use crate::browser::Browser;
use crate::jobs::seed;
use crate::stage::Stage;

const WIDER: &str = "The filter stands for the group, and is wider";

#[tokio::test]
async fn preview_of_a_group_says_that_its_filter_is_wider() {
    Stage::run(async |stage| {
        let seeds = seed(stage, "lorem").await;
        let browser = Browser::new(router(&stage.client).open_to_everyone());
        let links = browser.get("dead").await.attributes("href");
        let previews: Vec<_> = links.into_iter().filter(|link| link.starts_with("preview?")).collect();
        assert_eq!(previews.len(), 4, "two groups, each with two actions: {previews:?}");
        for link in previews {
            let page = browser.get(&link).await.text();
            assert!(page.contains(WIDER), "{link}: {page}");
            assert_eq!(browser.json(&link).await["of_group"], true, "{link}");
        }
        let page = browser.get(&format!("preview?action=delete&id={}", seeds.dead)).await.text();
        assert!(!page.contains(WIDER), "{page}");
    })
    .await;
}
