//! Args and results arrive exactly as they were sent, bit by bit.

use std::collections::BTreeMap;

use pgjobq::prelude::*;
use pgjobq_core::worker_api::{printed_bytes, serde_json};
use serde::{Deserialize, Serialize};
use sqlx::Row;

use crate::harness::TestDb;
use crate::probe::end_of;

/// Floats with their bits as integers, which the same bug cannot change.
#[derive(Serialize, Deserialize, Default)]
struct Floats {
    doubles: Vec<f64>,
    double_bits: Vec<u64>,
    singles: Vec<f32>,
    single_bits: Vec<u32>,
}

impl Floats {
    fn add(&mut self, double: f64) {
        self.doubles.push(double);
        self.double_bits.push(double.to_bits());
    }

    fn add_single(&mut self, single: f32) {
        self.singles.push(single);
        self.single_bits.push(single.to_bits());
    }

    /// Returns the floats whose bits have changed.
    fn changed(&self) -> Vec<String> {
        assert_eq!(
            (self.doubles.len(), self.singles.len()),
            (self.double_bits.len(), self.single_bits.len())
        );
        let doubles = self.doubles.iter().zip(&self.double_bits).filter(|(is, bits)| is.to_bits() != **bits);
        let singles = self.singles.iter().zip(&self.single_bits).filter(|(is, bits)| is.to_bits() != **bits);
        doubles
            .map(|(is, bits)| format!("{:e} became {is:e}", f64::from_bits(*bits)))
            .chain(singles.map(|(is, bits)| format!("{:e} became {is:e}", f32::from_bits(*bits))))
            .collect()
    }
}

#[job(retries = 0)]
async fn return_floats(floats: Floats) -> Result<Floats> {
    match floats.changed() {
        changed if changed.is_empty() => Ok(floats),
        changed => Err(JobError::from(format!("{} changed: {:?}", changed.len(), changed.first()))),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn floats_arrive_and_return_bit_by_bit() {
    let db = TestDb::new(1).await;
    let worker = db.worker().build().await.unwrap().start();
    let mut random = fastrand::Rng::with_seed(7);
    let mut edges = Floats::default();
    for double in [
        0.0,
        0.1 + 0.2,
        1.0 / 3.0,
        f64::MAX,
        f64::MIN_POSITIVE,
        f64::from_bits(1),
        f64::EPSILON,
        1.7e308,
        1e16,
        1e21,
        1e22,
        9_007_199_254_740_993.0,
        5e-324,
        2.225_073_858_507_201e-308,
        f64::MIN_POSITIVE / 3.0,
    ] {
        edges.add(double);
        edges.add(-double);
    }
    for single in
        [0.0, 0.1, f32::MAX, f32::MIN_POSITIVE, f32::from_bits(1), 16_777_217.0, 1e10, 3.4e38, 8.589_973e9]
    {
        edges.add_single(single);
        edges.add_single(-single);
    }
    let mut sent = vec![edges];
    let ranges: [fn(&mut fastrand::Rng) -> f64; 4] = [
        |random| random.f64(),
        |random| random.f64() * 1e-12,
        |random| 1e20 + random.f64() * 1e30,
        |random| loop {
            let any = f64::from_bits(random.u64(..));
            if any.is_finite() {
                return any;
            }
        },
    ];
    for range in ranges {
        let mut floats = Floats::default();
        for _ in 0..1000 {
            floats.add(range(&mut random));
            let single = f32::from_bits(random.u32(..));
            floats.add_single(if single.is_finite() { single } else { 1.5 });
        }
        sent.push(floats);
    }
    for floats in sent {
        let returned = return_floats::call(&db.client, floats).await.unwrap();
        assert_eq!(returned.changed(), Vec::<String>::new());
    }
    worker.shutdown().await.unwrap();
}

#[derive(Serialize, Deserialize, Clone, PartialEq, Debug, Default)]
struct Exact {
    signed: Vec<i64>,
    unsigned: Vec<u64>,
    wide: Vec<i128>,
    wide_unsigned: Vec<u128>,
    characters: Vec<char>,
    text: String,
    map: BTreeMap<String, Option<i8>>,
}

#[job(retries = 0)]
async fn return_exact(exact: Exact) -> Result<Exact> {
    Ok(exact)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn integers_and_texts_arrive_exactly() {
    let db = TestDb::new(1).await;
    let worker = db.worker().build().await.unwrap().start();
    let mut random = fastrand::Rng::with_seed(8);
    let mut sent = vec![Exact {
        signed: vec![i64::MIN, -1, 0, i64::MAX],
        unsigned: vec![0, u64::MAX, 1 << 53, (1 << 53) + 1],
        wide: vec![i128::MIN, i128::MAX],
        wide_unsigned: vec![u128::MAX],
        characters: vec![
            '\u{1}',
            '\u{7f}',
            '\u{80}',
            '\u{d7ff}',
            '\u{e000}',
            '\u{fffd}',
            '\u{ffff}',
            '\u{10ffff}',
            '"',
            '\\',
            '/',
        ],
        text: "\\u0000 \u{2028} \u{feff} e\u{301} \u{1f469}\u{200d}\u{1f4bb}\r\n\t\u{8}\u{c}\u{1f}"
            .to_owned(),
        map: BTreeMap::from([
            (String::new(), None),
            ("null".into(), Some(-128)),
            ("\u{1}\"".into(), Some(127)),
        ]),
    }];
    for _ in 0..20 {
        let characters: Vec<char> = (0..200).map(|_| random.char('\u{1}'..)).collect();
        sent.push(Exact {
            signed: (0..50).map(|_| random.i64(..)).collect(),
            unsigned: (0..50).map(|_| random.u64(..)).collect(),
            wide: (0..50).map(|_| random.i128(..)).collect(),
            wide_unsigned: (0..50).map(|_| random.u128(..)).collect(),
            text: characters.iter().collect(),
            map: characters.iter().map(|key| (key.to_string(), None)).collect(),
            characters,
        });
    }
    for exact in sent {
        assert_eq!(return_exact::call(&db.client, exact.clone()).await.unwrap(), exact);
    }
    worker.shutdown().await.unwrap();
}

#[job(retries = 0)]
async fn return_maybe(float: Option<f64>) -> Result<Option<f64>> {
    Ok(float.map(|float| if float > 1.0 { float / 0.0 } else { float }))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn returned_nan_makes_a_job_dead_with_the_reason() {
    let db = TestDb::new(1).await;
    let worker = db.worker().build().await.unwrap().start();
    assert_eq!(return_maybe::call(&db.client, None).await.unwrap(), None);
    let infinite = return_maybe::enqueue(&db.client, Some(2.0)).await.unwrap();
    let Outcome::Dead(failure) = end_of(&db.client, &infinite).await else { panic!("the job is not dead") };
    assert!(failure.message().contains("infinite"), "{failure}");
    assert_eq!(failure.attempts, 1);
    worker.shutdown().await.unwrap();
}

/// A random number in any notation that JSON allows.
fn number(random: &mut fastrand::Rng) -> String {
    let digits = |random: &mut fastrand::Rng, most: usize| -> String {
        (0..random.usize(1..=most)).map(|_| if random.bool() { '0' } else { random.digit(10) }).collect()
    };
    let whole = digits(random, 12);
    let whole = whole.trim_start_matches('0');
    let mut number =
        format!("{}{}", if random.bool() { "-" } else { "" }, if whole.is_empty() { "0" } else { whole });
    if random.bool() {
        number += &format!(".{}", digits(random, 12));
    }
    if random.bool() {
        let sign = *random.choice(&["", "+", "-"]).unwrap();
        let size = match random.u8(..20) {
            0 => random.u32(16_370..16_390),
            1 => random.u32(131_060..131_080),
            2 => random.u32(..),
            _ => random.u32(..30),
        };
        number += &format!("{}{sign}{size}", random.choice(['e', 'E']).unwrap());
    }
    number
}

/// A random JSON text in any notation. No object has a key twice.
fn json(random: &mut fastrand::Rng, depth: u8) -> String {
    let string = |random: &mut fastrand::Rng| {
        let parts = [
            "a",
            "é",
            "€",
            "😀",
            r"\n",
            r"\/",
            r"\u0041",
            r"\u00e9",
            r"\u20ac",
            r"\ud83d\ude00",
            r"\u0001",
            r"\u000a",
            r"\u007f",
            r#"\""#,
            r"\\",
            " ",
        ];
        (0..random.usize(0..9)).map(|_| *random.choice(&parts).unwrap()).collect::<String>()
    };
    let space = *random.choice(&["", "", " ", "\n\t"]).unwrap();
    match random.u8(..if depth > 3 { 5 } else { 8 }) {
        0 => ["null", "true", "false"][random.usize(..3)].to_owned(),
        1 | 2 => format!("\"{}\"", string(random)),
        3 | 4 => number(random),
        5 | 6 => {
            let items: Vec<String> = (0..random.usize(..5)).map(|_| json(random, depth + 1)).collect();
            format!("[{space}{}]", items.join(&format!("{space},{space}")))
        }
        _ => {
            let items = 0..random.usize(..5);
            let item = |n| format!("\"{n}{}\"{space}:{}", string(random), json(random, depth + 1));
            format!("{{{}{space}}}", items.map(item).collect::<Vec<_>>().join(","))
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn printed_length_agrees_with_postgres() {
    let db = TestDb::new(1).await;
    db.run(
        "create function printed(texts text[]) returns setof int language plpgsql as $$
         declare t text; begin
            foreach t in array texts loop
                begin return next octet_length(t::jsonb::text); exception when others then return next -1; end;
            end loop;
         end $$",
    )
    .await;
    let mut random = fastrand::Rng::with_seed(9);
    let mut texts: Vec<String> = (0..2000).map(|_| number(&mut random)).collect();
    texts.extend((0..2000).map(|_| json(&mut random, 0)));
    let rows = sqlx::query("select * from printed($1)").bind(&texts).fetch_all(&db.pool).await.unwrap();
    let mut refused = 0;
    for (text, row) in texts.iter().zip(rows) {
        serde_json::from_str::<&serde_json::value::RawValue>(text)
            .unwrap_or_else(|error| panic!("{text}: {error}"));
        let printed = usize::try_from(row.get::<i32, _>(0)).ok();
        assert_eq!(printed_bytes(text).ok(), printed, "{text}");
        refused += usize::from(printed.is_none());
    }
    assert!(refused > 50, "some were at the limits: {refused}");
}
