//! The sequence of the tickets was set back, by a failover or by a person: every guess is too high, and two jobs may have the
//! same ticket.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::dice::{Dice, rounds};
use crate::harness::TestDb;
use crate::hostile::simulate;
use crate::world::World;

on_one_and_eight_shards!(invariant_12_sequence_reset_hides_and_doubles_no_job);
async fn invariant_12_sequence_reset_hides_and_doubles_no_job(db: TestDb) {
    let world = World::new(db).await;
    let mut dice = Dice::new();
    for _ in 0..rounds() {
        world.tickets_collide.store(true, Ordering::Release);
        let set_back = tokio::spawn(set_back_again_and_again(Arc::clone(&world), dice.fork()));
        simulate(&world, &mut dice).await;
        set_back.abort();
    }
}

/// Sets the sequence back while jobs live that have drawn from it.
async fn set_back_again_and_again(world: Arc<World>, mut dice: Dice) {
    loop {
        let far = dice.pick(&[1, 10, 100, 1000]);
        let sql = format!(
            "select setval('pgjobq.ticket', greatest(1, (select last_value - {far} from pgjobq.ticket)))"
        );
        world.db.run(&sql).await;
        tokio::time::sleep(Duration::from_millis(1) + dice.millis(20)).await;
    }
}
