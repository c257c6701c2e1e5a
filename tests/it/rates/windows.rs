//! The arithmetic of sliding windows, against a ledger that remembers every start.

use fastrand::Rng;
use sqlx::AssertSqlSafe;

use crate::harness::TestDb;

/// Starts jobs one after the other, each at a time and with a weight, if there is room; returns which of them started. It checks
/// that a job without room has it at the time that `room_at` gives, and not a microsecond before.
const PLAY: &str = "
    create function public.play(p_rates pgjobq.rate[], p_now bigint[], p_weight int[]) returns boolean[]
    language plpgsql as $$
    declare
        at bigint[] := '{}'; weights int[] := '{}'; started boolean[]; v_next bigint; v_fits boolean;
        v_now bigint; v_weight int;
    begin
        for n in 1..cardinality(p_now) loop
            v_now := p_now[n]; v_weight := p_weight[n];
            -- As a look does: starts in the future move to the present.
            select h.at, h.weights into at, weights from pgjobq.add_start(p_rates, v_now, 0, at, weights) h;
            v_fits := pgjobq.fitting(p_rates, pgjobq.used_of(p_rates, at, weights, v_now), array[v_weight]) = 1;
            v_next := pgjobq.room_at(p_rates, at, weights, v_now, 0, v_weight);
            assert v_fits = (v_next = v_now), format('step %s: room at %s, now %s', n, v_next, v_now);
            assert v_next >= v_now and v_next <= v_now + (select max(span) from unnest(p_rates)), 'in one span';
            if not v_fits then
                assert pgjobq.fitting(p_rates, pgjobq.used_of(p_rates, at, weights, v_next), array[v_weight]) = 1,
                    format('step %s: no room at %s', n, v_next);
                assert pgjobq.fitting(p_rates, pgjobq.used_of(p_rates, at, weights, v_next - 1),
                                      array[v_weight]) = 0, format('step %s: room before %s', n, v_next);
            else
                select h.at, h.weights into at, weights
                  from pgjobq.add_start(p_rates, v_now, v_weight, at, weights) h;
            end if;
            assert cardinality(at) <= 66 * cardinality(p_rates) + 1, format('%s starts', cardinality(at));
            started[n] := v_fits;
        end loop;
        return started;
    end $$";

/// A number of starts in a window of microseconds.
#[derive(Clone, Copy, Debug)]
struct Window {
    most: i64,
    span: i64,
}

/// An attempt to start a job: the true time, the time of the database's clock, and the weight.
#[derive(Clone, Copy, Debug)]
struct Try {
    at: i64,
    clock: i64,
    weight: i64,
}

/// The behaviour of the database's clock in a game.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Clock {
    Right,
    SetBack,
}

fn windows(dice: &mut Rng) -> Vec<Window> {
    let window = |dice: &mut Rng| {
        let span = [1_000, 64_000, 1_000_000, 60_000_000][dice.usize(..4)];
        Window { most: [1, 2, 5, 10, 64, 100, 300][dice.usize(..7)], span }
    };
    (0..dice.usize(1..=3)).map(|_| window(dice)).collect()
}

/// Draws tries: in bursts, evenly, and exactly where a window ends.
fn tries(dice: &mut Rng, windows: &[Window], clock: Clock) -> Vec<Try> {
    let mut times: Vec<i64> = vec![1_700_000_000_000_000];
    let (mut tries, mut offset) = (Vec::new(), 0);
    let most = windows.iter().map(|window| window.most).min().unwrap();
    let burst = dice.u32(1..30);
    while tries.len() < 1_200 {
        let window = windows[dice.usize(..windows.len())];
        let last = *times.last().unwrap();
        let even = window.span / window.most.max(1);
        let at = match dice.u32(..burst + 4) {
            0 => last + dice.i64(0..=window.span),
            1 => last + even,
            2 => (times[dice.usize(..times.len())] + window.span).max(last),
            3 => (times[dice.usize(..times.len())] + window.span - 1).max(last),
            _ => last + dice.i64(0..=even.min(50)),
        };
        if clock == Clock::SetBack && dice.u32(..300) == 0 {
            offset -= dice.i64(1..=3 * window.span);
        }
        let weight = if dice.u32(..4) == 0 { dice.i64(1..=most) } else { 1 };
        times.push(at);
        tries.push(Try { at, clock: at + offset, weight });
    }
    tries
}

/// The weight that started in the last `span` before a try, by the true time.
fn started_within(tries: &[Try], started: &[bool], of: usize, span: i64) -> i64 {
    let since = tries[of].at - span;
    let recent = (0..of).rev().take_while(|n| tries[*n].at > since);
    recent.filter(|n| started[*n]).map(|n| tries[n].weight).sum()
}

/// Checks a game: no window above its allowance; and no try refused that has room, but for the width of the cells in which
/// starts become one, and for one window after the clock was set back.
fn judge(windows: &[Window], tries: &[Try], started: &[bool]) {
    let mut set_back_at = i64::MIN / 2;
    for (n, one) in tries.iter().enumerate() {
        if n > 0 && one.clock - tries[n - 1].clock < one.at - tries[n - 1].at {
            set_back_at = one.at;
        }
        let has_room = |window: &Window, slack: i64| {
            started_within(tries, started, n, window.span + slack) + one.weight <= window.most
        };
        if started[n] {
            assert!(windows.iter().all(|window| has_room(window, 0)), "try {n} is one too many: {windows:?}");
        } else {
            let since_set_back = one.at - set_back_at;
            let longest = windows.iter().map(|window| window.span).max().unwrap();
            let is_excused = since_set_back <= longest + longest / 16;
            let is_full = windows.iter().any(|window| !has_room(window, window.span / 32 + 2));
            assert!(is_full || is_excused, "try {n} had room: {windows:?}");
        }
    }
}

async fn play(db: &TestDb, windows: &[Window], tries: &[Try]) -> Vec<bool> {
    let rates: Vec<String> =
        windows.iter().map(|window| format!("row({}, {})::pgjobq.rate", window.most, window.span)).collect();
    let sql = format!("select public.play(array[{}], $1, $2)", rates.join(", "));
    sqlx::query_scalar(AssertSqlSafe(sql))
        .bind(tries.iter().map(|one| one.clock).collect::<Vec<_>>())
        .bind(tries.iter().map(|one| one.weight as i32).collect::<Vec<_>>())
        .fetch_one(&db.pool)
        .await
        .unwrap_or_else(|error| panic!("{windows:?}: {error}"))
}

on_one_shard!(no_window_exceeds_its_allowance);
async fn no_window_exceeds_its_allowance(db: TestDb) {
    db.run(PLAY).await;
    for seed in 0..40 {
        let dice = &mut Rng::with_seed(seed);
        let clock = if seed % 2 == 0 { Clock::Right } else { Clock::SetBack };
        let windows = windows(dice);
        let tries = tries(dice, &windows, clock);
        judge(&windows, &tries, &play(&db, &windows, &tries).await);
    }
}

on_one_shard!(saturated_windows_start_nearly_their_allowance);
async fn saturated_windows_start_nearly_their_allowance(db: TestDb) {
    db.run(PLAY).await;
    // Three tries for each that may start, at random times of 20 windows.
    for (most, span) in [(10, 1_000_000), (100, 1_000_000), (1_000, 60_000_000)] {
        let window = Window { most, span };
        let count = 20 * most * 3;
        let dice = &mut Rng::with_seed(13);
        let mut times: Vec<i64> = (0..count).map(|_| dice.i64(0..20 * span)).collect();
        times.sort_unstable();
        let tries: Vec<Try> = times.into_iter().map(|at| Try { at, clock: at, weight: 1 }).collect();
        let started = play(&db, &[window], &tries).await;
        judge(&[window], &tries, &started);
        let started = started.into_iter().filter(|started| *started).count();
        let share = started as f64 / (20 * most) as f64;
        println!("{most} per {span} us, saturated: {:.1} % of the allowance", share * 100.0);
        assert!((0.95..=1.0).contains(&share), "{share}");
    }
}

on_one_shard!(weight_above_a_lowered_rate_starts_alone);
async fn weight_above_a_lowered_rate_starts_alone(db: TestDb) {
    db.run(PLAY).await;
    let one = |at, weight| Try { at, clock: at, weight };
    let tries = [one(0, 1), one(500, 50), one(1_000, 50), one(1_999, 1), one(2_000, 1)];
    let started = play(&db, &[Window { most: 10, span: 1_000 }], &tries).await;
    assert_eq!(started, [true, false, true, false, true]);
}
