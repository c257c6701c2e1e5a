use std::sync::mpsc;

use super::*;

/// An item as large as a full queue.
const LARGE: u32 = 7;

/// Receives numbers, waits for a permit before each, and panics at 13.
struct Slow {
    permits: Mutex<mpsc::Receiver<()>>,
    seen: mpsc::Sender<Result<u32, u64>>,
}

impl Sink<u32> for Slow {
    fn deliver(&self, item: &u32) {
        let _ = lock(&self.permits).recv();
        assert_ne!(*item, 13, "an unlucky number");
        let _ = self.seen.send(Ok(*item));
    }

    fn size(item: &u32) -> usize {
        if *item == LARGE { MOST_WAITING } else { 1 }
    }

    fn dropped(&self, count: u64) {
        let _ = self.seen.send(Err(count));
    }
}

fn slow() -> (Delivery<u32>, mpsc::Sender<()>, mpsc::Receiver<Result<u32, u64>>) {
    let ((permit, permits), (seen, receiver)) = (mpsc::channel(), mpsc::channel());
    (Delivery::start("slow", vec![Slow { permits: Mutex::new(permits), seen }]), permit, receiver)
}

#[tokio::test]
async fn panic_of_a_receiver_costs_one_item() {
    let (delivery, permit, seen) = slow();
    drop(permit);
    delivery.push(vec![12, 13, 14]);
    delivery.delivered().await;
    assert_eq!(Vec::from_iter(seen.try_iter()), [Ok(12), Ok(14)]);
}

/// Returns when the thread has taken what was pushed.
fn until_taken(delivery: &Delivery<u32>) {
    let is_taken = |state: &State<u32>| state.fresh.is_empty() && state.queues[0].waiting.is_empty();
    while !is_taken(&lock(&delivery.0.state)) {
        thread::yield_now();
    }
}

/// The receiver blocks on the first item until the queue is full: pushes do not wait for it.
#[tokio::test]
async fn blocked_receiver_drops_and_counts() {
    let (delivery, permit, seen) = slow();
    delivery.push_one(0);
    until_taken(&delivery);
    delivery.push(vec![1; MOST_WAITING]);
    delivery.push(vec![2; BATCH_SIZE]);
    assert!(seen.try_iter().next().is_none(), "it blocks");
    drop(permit);
    delivery.delivered().await;
    delivery.push_one(3);
    delivery.delivered().await;
    let seen = Vec::from_iter(seen.try_iter());
    assert_eq!(seen.len(), 1 + MOST_WAITING + 1 + 1);
    assert_eq!(seen[seen.len() - 2..], [Err(BATCH_SIZE as u64), Ok(3)]);
}

#[tokio::test]
async fn large_item_fills_the_queue() {
    let (delivery, permit, seen) = slow();
    delivery.push_one(0);
    until_taken(&delivery);
    delivery.push_one(LARGE);
    delivery.push(vec![1; BATCH_SIZE]);
    drop(permit);
    delivery.delivered().await;
    assert_eq!(Vec::from_iter(seen.try_iter()), [Ok(0), Ok(LARGE), Err(BATCH_SIZE as u64)]);
}

#[tokio::test]
async fn blocked_receiver_keeps_nothing_from_another_one() {
    let ((permit, permits), (seen, blocked)) = (mpsc::channel::<()>(), mpsc::channel());
    let first = Slow { permits: Mutex::new(permits), seen };
    let (seen, free) = mpsc::channel();
    let second = Slow { permits: Mutex::new(mpsc::channel().1), seen }; // Its sender is gone: it waits for nothing.
    let delivery = Delivery::start("slow", vec![first, second]);
    let some = MOST_WAITING as u32 / BATCH_SIZE as u32 * 3;
    for number in 0..some {
        delivery.push(vec![20 + number; BATCH_SIZE]);
        while !lock(&delivery.0.state).queues[1].waiting.is_empty() {
            thread::yield_now();
        }
    }
    drop((permit, delivery));
    assert_eq!(free.iter().flatten().count(), some as usize * BATCH_SIZE);
    let missed: u64 = blocked.iter().filter_map(Result::err).sum();
    assert!(missed > 0 && missed <= (some as usize * BATCH_SIZE - MOST_WAITING) as u64, "{missed}");
}

#[test]
fn dropped_delivery_delivers_the_rest_and_ends() {
    let (delivery, permit, seen) = slow();
    delivery.push(vec![1, 2]);
    drop((delivery, permit));
    assert_eq!(Vec::from_iter(seen.iter()), [Ok(1), Ok(2)], "until the thread has dropped its sender");
}
