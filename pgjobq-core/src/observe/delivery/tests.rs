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
    (Delivery::start("slow", Slow { permits: Mutex::new(permits), seen }), permit, receiver)
}

#[tokio::test]
async fn panic_of_a_receiver_costs_one_item() {
    let (delivery, permit, seen) = slow();
    drop(permit);
    delivery.push(&Arc::from([12, 13, 14]));
    delivery.delivered().await;
    assert_eq!(Vec::from_iter(seen.try_iter()), [Ok(12), Ok(14)]);
}

/// The receiver blocks on the first item until the queue is full: pushes do not wait for it.
#[tokio::test]
async fn blocked_receiver_drops_and_counts() {
    let (delivery, permit, seen) = slow();
    delivery.push(&Arc::from([0]));
    while !lock(&delivery.shared.queue).waiting.is_empty() {
        thread::yield_now();
    }
    let full: Arc<[u32]> = (0..MOST_WAITING as u32).map(|_| 1).collect();
    delivery.push(&full);
    delivery.push(&Arc::from([2, 2, 2]));
    assert!(seen.try_iter().next().is_none(), "it blocks");
    drop(permit);
    delivery.delivered().await;
    delivery.push(&Arc::from([3]));
    delivery.delivered().await;
    let seen = Vec::from_iter(seen.try_iter());
    assert_eq!(seen.len(), 1 + MOST_WAITING + 1 + 1);
    assert_eq!(seen[seen.len() - 2..], [Err(3), Ok(3)]);
}

#[tokio::test]
async fn large_item_fills_the_queue() {
    let (delivery, permit, seen) = slow();
    delivery.push(&Arc::from([0]));
    while !lock(&delivery.shared.queue).waiting.is_empty() {
        thread::yield_now();
    }
    delivery.push(&Arc::from([LARGE]));
    delivery.push(&Arc::from([1]));
    drop(permit);
    delivery.delivered().await;
    assert_eq!(Vec::from_iter(seen.try_iter()), [Ok(0), Ok(LARGE), Err(1)]);
}

#[test]
fn dropped_delivery_delivers_the_rest_and_ends() {
    let (delivery, permit, seen) = slow();
    delivery.push(&Arc::from([1, 2]));
    drop((delivery, permit));
    assert_eq!(Vec::from_iter(seen.iter()), [Ok(1), Ok(2)], "until the thread has dropped its sender");
}
