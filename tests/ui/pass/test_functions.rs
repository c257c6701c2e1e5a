//! The body of a test sees the names of its module, and none of the attribute's.
use pgjobq::sqlx::PgPool;
use pgjobq::testing::TestQueue;

fn body() -> u32 {
    7
}

fn run() -> u32 {
    8
}

mod __private {
    pub(super) const TEST: u32 = 9;
}

async fn setup(pool: PgPool) -> Result<(), pgjobq::sqlx::Error> {
    pgjobq::sqlx::query("create table numbers (number int)").execute(&pool).await.map(drop)
}

#[pgjobq::test(setup = setup)]
async fn names_of_the_module_are_its_own(pg: TestQueue) -> Result<(), pgjobq::sqlx::Error> {
    assert_eq!((body(), run(), __private::TEST), (7, 8, 9));
    pgjobq::sqlx::query("insert into numbers values (1)").execute(pg.pool()).await.map(drop)
}
