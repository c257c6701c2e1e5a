use super::*;

#[test]
fn invariant_11_pauses_grow_up_to_a_limit_with_jitter() {
    let (mut one, mut other) = (Pause::new(), Pause::new());
    let pauses: Vec<_> = (0..20).map(|_| one.after_error()).collect();
    assert!(pauses[0] <= Pause::FIRST * 6 / 5, "{:?}", pauses[0]);
    assert!(pauses[..5].is_sorted(), "each is longer by more than chance: {pauses:?}");
    assert!(pauses[19] >= Pause::MOST * 4 / 5, "{:?}", pauses[19]);
    assert!(pauses.iter().all(|pause| *pause <= Pause::MOST * 6 / 5), "{pauses:?}");
    assert_ne!(pauses, (0..20).map(|_| other.after_error()).collect::<Vec<_>>());
    one.reset();
    assert!(one.after_error() <= Pause::FIRST * 6 / 5);
}
