//! The choice of the side that goes next: every order of the steps of some sides, each once; or random orders.

/// One order, as far as it is fixed. The rest is chosen during the run, the first side first.
#[derive(Default)]
pub(crate) struct Schedule {
    choices: Vec<Choice>,
    /// The number of choices that the current run has reached.
    at: usize,
    /// True if the sides do the same, so that it does not matter which goes first.
    symmetric: bool,
    /// The source of random choices, for a random order.
    dice: Option<Dice>,
}

struct Choice {
    side: usize,
    /// The sides that could have gone, and have not been tried.
    open: Vec<usize>,
}

struct Dice(u64);

impl Schedule {
    /// The first order, of sides that do the same or of different ones.
    pub(crate) fn first(symmetric: bool) -> Self {
        Self { symmetric, ..Self::default() }
    }

    /// A random order with this seed.
    pub(crate) fn drawn(seed: u64) -> Self {
        Self { dice: Some(Dice(seed)), ..Self::default() }
    }

    /// Chooses the side that goes next, of those that can.
    pub(crate) fn choose(&mut self, can_go: &[bool]) -> usize {
        let fixed = self.choices.get(self.at).map(|choice| choice.side);
        self.at += 1;
        match fixed {
            Some(side) if can_go[side] => side,
            // After a deadlock the server decides which side remains; then the rest of the order is chosen anew.
            _ => {
                self.choices.truncate(self.at - 1);
                let mut sides: Vec<_> = (0..can_go.len()).filter(|side| can_go[*side]).rev().collect();
                let drawn = self.dice.as_mut().map_or(sides.len() - 1, |dice| dice.below(sides.len()));
                let side = sides.remove(drawn);
                let open = if self.symmetric && self.at == 1 { Vec::new() } else { sides };
                self.choices.push(Choice { side, open });
                side
            }
        }
    }

    /// The next order, if there is one: the last open choice is made differently.
    pub(crate) fn next(mut self) -> Option<Self> {
        while let Some(mut last) = self.choices.pop() {
            if let Some(side) = last.open.pop() {
                self.choices.push(Choice { side, open: last.open });
                return Some(Self { at: 0, ..self });
            }
        }
        None
    }

    /// The sides in the order in which they went.
    pub(crate) fn sides(&self) -> Vec<usize> {
        self.choices.iter().take(self.at).map(|choice| choice.side).collect()
    }
}

impl Dice {
    /// Returns a random number below this one.
    fn below(&mut self, bound: usize) -> usize {
        // SplitMix64: the same orders on every machine.
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((bits ^ (bits >> 31)) % bound as u64) as usize
    }
}

#[test]
fn every_order_of_some_sequences_is_tried_once() {
    assert_eq!(orders(Schedule::first(false), &[3, 4]), 35);
    assert_eq!(orders(Schedule::first(true), &[3, 3]), 10);
    assert_eq!(orders(Schedule::first(false), &[2, 2, 2]), 90);
}

#[test]
fn drawn_orders_differ() {
    let drawn: std::collections::BTreeSet<_> =
        (0..500).map(|seed| go(&mut Schedule::drawn(seed), &[2, 2, 2])).collect();
    assert!(drawn.len() > 80, "{} of 90", drawn.len());
}

#[cfg(test)]
fn orders(first: Schedule, steps: &[usize]) -> usize {
    let mut seen = std::collections::BTreeSet::new();
    let mut schedule = Some(first);
    while let Some(mut order) = schedule {
        assert!(seen.insert(go(&mut order, steps)));
        schedule = order.next();
    }
    seen.len()
}

#[cfg(test)]
fn go(order: &mut Schedule, steps: &[usize]) -> Vec<usize> {
    let mut left = steps.to_vec();
    while left.iter().any(|left| *left > 0) {
        let can_go: Vec<_> = left.iter().map(|left| *left > 0).collect();
        left[order.choose(&can_go)] -= 1;
    }
    order.sides()
}
