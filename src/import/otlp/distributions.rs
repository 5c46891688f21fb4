//! Distributions that metrics tell as counts by buckets, with bounds or exponential.
//!
//! Specification: opentelemetry.io/docs/specs/otel/metrics/data-model. Of several points the last one counts, of increments all
//! together. Lost: exemplars, least and largest value, quantiles of summaries.

use std::collections::HashMap;

use rustc_hash::FxHashMap;
use serde_json::{Map, Value};

use super::super::read::distribution::{self, Buckets};
use super::super::read::protobuf::Value as Field;
use super::super::read::value::{count, items, real};
use super::metrics::{MOST_SERIES, unit_of};
use super::proto::fields;
use super::read::Reading;
use super::row::field;
use crate::model::{ProfileBuilder, Unit};

/// Buckets of one distribution.
const MOST_BUCKETS: usize = 4096;

/// What a metric tells of a distribution at a time.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::import) struct Told {
    /// How many values.
    pub count: Option<f64>,
    /// Their sum.
    pub sum: Option<f64>,
    /// Upper edges of buckets, with how many values are in each.
    inside: Vec<(f64, f64)>,
}

/// A distribution of a metric with one set of attributes.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::import) struct Distribution {
    pub(super) resource: u32,
    /// Metric and attributes.
    pub(super) name: String,
    pub(super) metric: String,
    /// The kind of the tokens that it counts; empty for none.
    pub(super) tokens: String,
    pub(super) unit: String,
    is_increment: bool,
    count: Option<f64>,
    sum: Option<f64>,
    /// How many values are in a bucket, by the bits of its upper edge.
    inside: FxHashMap<u64, f64>,
}

/// What tells distributions apart, and what they are of.
pub(super) struct Which {
    pub name: String,
    pub metric: String,
    pub tokens: String,
    pub unit: String,
    pub is_increment: bool,
}

/// All distributions.
#[derive(Clone, Debug, Default)]
pub(in crate::import) struct Distributions {
    pub(super) list: Vec<Distribution>,
    index: HashMap<(u32, String), usize>,
}

impl Told {
    /// From the fields of a data point of OTLP's JSON.
    pub fn of_json(point: &Map<String, Value>) -> Self {
        let numbers =
            |value: Option<&Value>| items(value).map(|v| real(v).unwrap_or(0.0)).collect::<Vec<_>>();
        let list = |of: &Map<String, Value>, name, snake| numbers(field(of, name, snake));
        let mut told = Self {
            count: point.get("count").and_then(real),
            sum: point.get("sum").and_then(real),
            inside: Vec::new(),
        };
        let counts = list(point, "bucketCounts", "bucket_counts");
        if !counts.is_empty() {
            told.bounded(&list(point, "explicitBounds", "explicit_bounds"), &counts);
            return told;
        }
        let Some(scale) = point.get("scale").and_then(real) else { return told };
        let zero = field(point, "zeroCount", "zero_count").and_then(count).unwrap_or(0);
        told.put(0.0, zero as f64);
        for (side, is_negative) in [("positive", false), ("negative", true)] {
            let Some(side) = point.get(side).and_then(Value::as_object) else { continue };
            let offset = side.get("offset").and_then(real).unwrap_or(0.0);
            told.exponential(scale, offset, &list(side, "bucketCounts", "bucket_counts"), is_negative);
        }
        told
    }

    /// From a data point of protobuf: of a histogram, or of an exponential one.
    pub fn of_protobuf(point: &[u8], is_exponential: bool) -> Self {
        let mut told = Self::default();
        let (mut counts, mut bounds) = (Vec::new(), Vec::new());
        let (mut scale, mut zero, mut sides) = (0, 0, Vec::new());
        for (number, value) in fields(point) {
            match (number, is_exponential) {
                (4, _) => told.count = Some(value.number() as f64),
                (5, _) => told.sum = Some(f64::from_bits(value.number())).filter(|sum| sum.is_finite()),
                (6, false) => counts.extend(eights(value).map(|n| n as f64)),
                (7, false) => bounds.extend(eights(value).map(f64::from_bits)),
                (6, true) => scale = zigzag(value),
                (7, true) => zero = value.number(),
                (8 | 9, true) => sides.push((value.bytes(), number == 9)),
                _ => {}
            }
        }
        if !is_exponential {
            told.bounded(&bounds, &counts);
            return told;
        }
        told.put(0.0, zero as f64);
        for (side, is_negative) in sides {
            let (mut offset, mut counts) = (0, Vec::new());
            for (number, value) in fields(side) {
                match number {
                    1 => offset = zigzag(value),
                    // What is broken off ends the list.
                    2 => drop(value.numbers(&mut counts)),
                    _ => {}
                }
            }
            let counts: Vec<f64> = counts.into_iter().map(|n| n as f64).collect();
            told.exponential(scale as f64, offset as f64, &counts, is_negative);
        }
        told
    }

    /// Buckets between bounds: the first one is below all of them, the last one above.
    fn bounded(&mut self, bounds: &[f64], counts: &[f64]) {
        for (i, count) in counts.iter().enumerate() {
            self.put(bounds.get(i).copied().unwrap_or(f64::INFINITY), *count);
        }
    }

    /// Buckets each of which ends at a power of 2^(2^−scale).
    fn exponential(&mut self, scale: f64, offset: f64, counts: &[f64], is_negative: bool) {
        for (i, count) in counts.iter().enumerate() {
            let power = |at: f64| ((offset + at) * (-scale).exp2()).exp2();
            let edge = if is_negative { -power(i as f64) } else { power(i as f64 + 1.0) };
            self.put(edge, *count);
        }
    }

    fn put(&mut self, edge: f64, count: f64) {
        let is_one = count > 0.0 && count.is_finite() && !edge.is_nan();
        if is_one && self.inside.len() < MOST_BUCKETS {
            self.inside.push((edge + 0.0, count));
        }
    }
}

/// Numbers of eight bytes of a repeated field, packed or single.
fn eights(value: Field<'_>) -> impl Iterator<Item = u64> {
    let single = matches!(value, Field::Fixed64(_)).then(|| value.number());
    let packed =
        value.bytes().chunks_exact(8).filter_map(|eight| Some(u64::from_le_bytes(eight.try_into().ok()?)));
    single.into_iter().chain(packed)
}

/// A number as `sint32` is.
fn zigzag(value: Field<'_>) -> i64 {
    let n = value.number();
    (n >> 1) as i64 ^ -((n & 1) as i64)
}

impl Distributions {
    /// Takes what a metric of a resource tells.
    pub(super) fn add(&mut self, resource: u32, which: Which, told: Told) {
        let Which { name, metric, tokens, unit, is_increment } = which;
        let new =
            Distribution { resource, name, metric, tokens, unit, is_increment, ..Distribution::default() };
        let Some(known) = self.place(new) else { return };
        if !is_increment {
            (known.count, known.sum) = (None, None);
            known.inside.clear();
        }
        let more =
            |sum: &mut Option<f64>, n: Option<f64>| *sum = (*sum).into_iter().chain(n).reduce(|a, b| a + b);
        more(&mut known.count, told.count);
        more(&mut known.sum, told.sum);
        for (edge, count) in told.inside {
            if known.inside.len() < MOST_BUCKETS || known.inside.contains_key(&edge.to_bits()) {
                *known.inside.entry(edge.to_bits()).or_default() += count;
            }
        }
    }

    /// Adds those of another set, whose resources have other numbers here.
    #[cfg(feature = "workloads")]
    pub(super) fn absorb(&mut self, other: Self, resource: impl Fn(u32) -> u32) {
        for d in other.list {
            let Distribution { resource: of, name, metric, tokens, unit, is_increment, count, sum, inside } =
                d;
            let inside = inside.into_iter().map(|(edge, n)| (f64::from_bits(edge), n)).collect();
            self.add(
                resource(of),
                Which { name, metric, tokens, unit, is_increment },
                Told { count, sum, inside },
            );
        }
    }

    /// Bytes of all of them.
    #[cfg(feature = "workloads")]
    pub(super) fn bytes(&self) -> usize {
        let of = |d: &Distribution| size_of::<Distribution>() + d.name.len() * 2 + d.inside.len() * 16;
        self.list.iter().map(of).sum()
    }

    /// The one of this name; without its values where it is new. `None` when there are too many.
    fn place(&mut self, new: Distribution) -> Option<&mut Distribution> {
        let key = (new.resource, new.name.clone());
        let at = match self.index.get(&key) {
            Some(at) => *at,
            None if self.list.len() >= MOST_SERIES => return None,
            None => {
                self.index.insert(key, self.list.len());
                self.list.push(new);
                self.list.len() - 1
            }
        };
        self.list.get_mut(at)
    }
}

impl Distribution {
    /// How many values are up to which edge.
    pub(super) fn buckets(&self) -> Buckets {
        let mut inside: Vec<_> = self.inside.iter().map(|(edge, n)| (f64::from_bits(*edge), *n)).collect();
        inside.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut buckets = Buckets::default();
        (buckets.sum, buckets.count) = (self.sum, self.count);
        let mut all = 0.0;
        for (edge, n) in inside {
            all += n;
            buckets.set(edge, all);
        }
        buckets
    }

    /// How many values, and their sum.
    pub(super) fn sums(&self) -> (Option<f64>, Option<f64>) {
        (self.count, self.sum)
    }
}

/// Adds the table of what metrics tell, and what calls of language models add up to.
pub(super) fn tell(reading: &Reading, b: &mut ProfileBuilder) {
    let distributions = &reading.series.distributions.list;
    let several = distributions
        .iter()
        .any(|d| reading.service_of(d.resource) != reading.service_of(distributions[0].resource));
    let all: Vec<_> = distributions
        .iter()
        .map(|d| {
            let service = reading.service_of(d.resource);
            let name = if several && !service.is_empty() {
                format!("{service}: {}", d.name)
            } else {
                d.name.clone()
            };
            (name, unit_of(&d.metric, &d.unit), d.buckets())
        })
        .collect();
    let since = "As of the last export.";
    let all = all.iter().map(|(name, unit, buckets)| (name.clone(), *unit, buckets));
    b.meta.tables.extend(distribution::table(all, since));
    sums_of_calls(distributions, b);
}

/// What calls of language models add up to by the metrics of OpenTelemetry's conventions for them.
fn sums_of_calls(distributions: &[Distribution], b: &mut ProfileBuilder) {
    // A client and its server count the same calls: one of them counts.
    let sum = |metrics: &[&str], tokens: &str, of: fn(&Distribution) -> Option<f64>| {
        metrics.iter().find_map(|metric| {
            let all = distributions.iter().filter(|d| d.metric == *metric && d.tokens == tokens);
            all.filter_map(of).reduce(|a, b| a + b)
        })
    };
    const TOKENS: [&str; 2] = ["gen_ai.client.token.usage", "gen_ai.server.token.usage"];
    const CALLS: [&str; 2] = ["gen_ai.client.operation.duration", "gen_ai.server.request.duration"];
    for (name, found, unit) in [
        ("Calls", sum(&CALLS, "", |d| d.sums().0), Unit::Count),
        ("Input tokens", sum(&TOKENS, "input", |d| d.sums().1), Unit::Tokens),
        ("Output tokens", sum(&TOKENS, "output", |d| d.sums().1), Unit::Tokens),
    ] {
        if let Some(value) = found {
            b.meta.result(name, (value.round() as i64, unit));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::import::testing::open_bytes;
    use crate::model::Profile;
    use serde_json::json;

    fn open(metrics: &Value) -> Profile {
        let scopes = json!([{"scope": {"name": "s"}, "metrics": metrics}]);
        let text = json!({"resourceMetrics": [{"resource": {}, "scopeMetrics": scopes}]}).to_string();
        open_bytes(text.as_bytes()).unwrap()
    }

    fn point(fields: &Value, labels: &[(&str, &str)]) -> Value {
        let labels: Vec<_> =
            labels.iter().map(|(key, value)| json!({"key": key, "value": {"stringValue": value}})).collect();
        let mut point = json!({"timeUnixNano": "1700000000000000000", "attributes": labels});
        point.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        point
    }

    #[test]
    fn histograms_of_calls_are_a_table_and_sums() {
        let lengths =
            json!({"count": "10", "sum": 2.0, "explicitBounds": [0.1, 0.5], "bucketCounts": ["6", 3, "1"]});
        let tokens = |sum: f64| json!({"count": 10, "sum": sum, "explicitBounds": [], "bucketCounts": [10]});
        let p = open(&json!([
            {"name": "gen_ai.client.operation.duration", "unit": "s", "histogram": {"aggregationTemporality": 2,
             "dataPoints": [point(&lengths, &[("gen_ai.request.model", "m")])]}},
            {"name": "gen_ai.client.token.usage", "unit": "{token}", "histogram": {"aggregationTemporality": 2,
             "dataPoints": [point(&tokens(1200.0), &[("gen_ai.token.type", "input")]),
                            point(&tokens(350.0), &[("gen_ai.token.type", "output")])]}}
        ]));
        let rows: Vec<String> = p.meta.tables[0].rows.iter().map(|row| row.join(" | ")).collect();
        assert_eq!(
            rows,
            [
                "gen_ai.client.operation.duration {gen_ai.request.model=m} | 10 | 200 ms | 83.3 ms | > 500 ms | > 500 ms",
                "gen_ai.client.token.usage {gen_ai.token.type=input} | 10 | 120 | – | – | –",
                "gen_ai.client.token.usage {gen_ai.token.type=output} | 10 | 35 | – | – | –",
            ]
        );
        let fact = |name| p.meta.fact(name).cloned();
        assert_eq!(fact("Calls"), Some((10, Unit::Count).into()));
        assert_eq!(fact("Input tokens"), Some((1200, Unit::Tokens).into()));
        assert_eq!(fact("Output tokens"), Some((350, Unit::Tokens).into()));
    }

    #[test]
    fn increments_add_up_and_the_last_of_sums_counts() {
        let of =
            |n: u64| json!({"count": n, "sum": n as f64, "explicitBounds": [1.0], "bucketCounts": [n, 0]});
        let both = |temporality: u32| {
            let points = [point(&of(3), &[]), point(&of(5), &[])];
            let p = open(&json!([{"name": "h", "histogram":
                {"aggregationTemporality": temporality, "dataPoints": points}}]));
            p.meta.tables[0].rows[0][1].clone()
        };
        assert_eq!((both(1), both(2)), ("8".to_owned(), "5".to_owned()));
    }

    #[test]
    fn exponential_buckets_are_powers_and_alike_in_both_encodings() {
        let json = point(
            &json!({"count": 7, "sum": 9.0, "scale": 1, "zeroCount": "2",
                    "positive": {"offset": 1, "bucketCounts": ["3", "1"]},
                    "negative": {"offset": 0, "bucketCounts": [1]}}),
            &[],
        );
        let told = Told::of_json(json.as_object().unwrap());
        // The base is √2: buckets end at 2^1 and 2^1.5, the negative one at −1.
        assert_eq!(told.inside, [(0.0, 2.0), (2.0, 3.0), (1.5f64.exp2(), 1.0), (-1.0, 1.0)]);
        let mut bytes = vec![0x21];
        bytes.extend(7u64.to_le_bytes());
        bytes.push(0x29);
        bytes.extend(9f64.to_le_bytes());
        bytes.extend([0x30, 2, 0x39]);
        bytes.extend(2u64.to_le_bytes());
        bytes.extend([0x42, 6, 0x08, 2, 0x12, 2, 3, 1, 0x4a, 5, 0x08, 0, 0x12, 1, 1]);
        assert_eq!(Told::of_protobuf(&bytes, true), told);
    }

    #[test]
    fn bounded_buckets_are_alike_in_both_encodings() {
        let json =
            point(&json!({"count": 3, "sum": 1.5, "explicitBounds": [0.5], "bucketCounts": [2, 1]}), &[]);
        let mut bytes = vec![0x21];
        bytes.extend(3u64.to_le_bytes());
        bytes.push(0x29);
        bytes.extend(1.5f64.to_le_bytes());
        bytes.extend([0x32, 16]);
        bytes.extend([2u64, 1].iter().flat_map(|n| n.to_le_bytes()));
        bytes.extend([0x3a, 8]);
        bytes.extend(0.5f64.to_le_bytes());
        assert_eq!(Told::of_protobuf(&bytes, false), Told::of_json(json.as_object().unwrap()));
    }
}
