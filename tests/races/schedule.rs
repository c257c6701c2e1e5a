//! The choice of the side that goes next: every order of the steps of some sides with few switches, each once; or random orders.

/// How often an order leaves a side that could go on, unless `PGJOBQ_RACES` is `all`. Two long sides have thousands of orders, and most
/// of them only interrupt more often. Each planted bug is found within this limit.
const SWITCHES: usize = 2;

/// One order, as far as it is fixed. The rest is chosen during the run, the first side first.
pub(crate) struct Schedule {
    choices: Vec<Choice>,
    /// The number of choices that the current run has reached.
    at: usize,
    /// True if the sides do the same, so that it does not matter which goes first.
    symmetric: bool,
    /// How often a side may be left that could go on.
    switches: usize,
    /// The source of random choices, for a random order.
    dice: Option<Dice>,
}

struct Choice {
    side: usize,
    /// The side that went before, if it could go on.
    before: Option<usize>,
    /// The sides that could have gone, and have not been tried.
    open: Vec<usize>,
}

struct Dice(u64);

impl Schedule {
    /// The first order, of sides that do the same or of different ones.
    pub(crate) fn first(symmetric: bool) -> Self {
        Self::with_switches(symmetric, if every_order_is_wanted() { usize::MAX } else { SWITCHES })
    }

    fn with_switches(symmetric: bool, switches: usize) -> Self {
        Self { choices: Vec::new(), at: 0, symmetric, switches, dice: None }
    }

    /// A random order with this seed.
    pub(crate) fn drawn(seed: u64) -> Self {
        Self { dice: Some(Dice(seed)), ..Self::with_switches(false, usize::MAX) }
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
                let before = self.choices.last().map(|choice| choice.side).filter(|side| can_go[*side]);
                let mut sides = match before {
                    Some(side) if self.has_switched() >= self.switches => vec![side],
                    _ => (0..can_go.len()).filter(|side| can_go[*side]).rev().collect(),
                };
                let drawn = self.dice.as_mut().map_or(sides.len() - 1, |dice| dice.below(sides.len()));
                let side = sides.remove(drawn);
                let open = if self.symmetric && self.at == 1 { Vec::new() } else { sides };
                self.choices.push(Choice { side, before, open });
                side
            }
        }
    }

    /// How often a side was left that could go on.
    fn has_switched(&self) -> usize {
        self.choices.iter().filter(|choice| choice.before.is_some_and(|side| side != choice.side)).count()
    }

    /// The next order, if there is one: the last open choice is made differently.
    pub(crate) fn next(mut self) -> Option<Self> {
        while let Some(mut last) = self.choices.pop() {
            if let Some(side) = last.open.pop() {
                self.choices.push(Choice { side, ..last });
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

/// True if every order is to be run, which takes much longer.
pub(crate) fn every_order_is_wanted() -> bool {
    std::env::var("PGJOBQ_RACES").is_ok_and(|orders| orders == "all")
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
    assert_eq!(orders(Schedule::with_switches(false, usize::MAX), &[3, 4]), 35);
    assert_eq!(orders(Schedule::with_switches(true, usize::MAX), &[3, 3]), 10);
    assert_eq!(orders(Schedule::with_switches(false, usize::MAX), &[2, 2, 2]), 90);
}

#[test]
fn orders_with_few_switches_are_tried_once() {
    assert_eq!(orders(Schedule::with_switches(false, 0), &[3, 4]), 2);
    assert_eq!(orders(Schedule::with_switches(false, 1), &[3, 4]), 2 + 2 + 3); // Three parts, the middle one of the other side.
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
