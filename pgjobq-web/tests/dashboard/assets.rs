//! The style sheet, the script and the icon.

use axum::http::StatusCode;
use pgjobq_web::{User, router};

use crate::browser::Browser;
use crate::stage::Stage;

#[tokio::test]
async fn assets_are_kept_forever_and_need_no_user() {
    Stage::run(async |stage| {
        let open = Browser::new(router(&stage.client).open_to_everyone());
        let closed =
            Browser::new(router(&stage.client).auth(async |_| Err::<User, _>(StatusCode::UNAUTHORIZED)));
        let page = open.get("overview").await;
        let links = page.attributes("href").into_iter().chain(page.attributes("src"));
        let assets: Vec<_> = links.filter(|link| link.starts_with("assets/")).collect();
        assert_eq!(assets.len(), 3);
        for path in assets {
            let asset = closed.get(&path).await;
            assert_eq!(asset.status, StatusCode::OK, "{path}");
            assert_eq!(asset.header("cache-control"), "public, max-age=31536000, immutable");
            assert!(!asset.body.is_empty() && !asset.header("content-type").is_empty());
        }
        for path in ["assets/style.css", "assets/..%2FCargo.toml", "assets/"] {
            let status = closed.get(path).await.status;
            assert!([StatusCode::NOT_FOUND, StatusCode::UNAUTHORIZED].contains(&status), "{path}: {status}");
        }
    })
    .await;
}
