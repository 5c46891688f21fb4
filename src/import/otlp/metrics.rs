//! Metrics as values over time: gauges and sums as they are, of distributions the count and the sum.
//!
//! A sum that is told as increments becomes the sum so far, so that both kinds look alike. Buckets of distributions are kept
//! by [`super::distributions`]. Lost: quantiles of summaries, exemplars.

use std::collections::HashMap;

use serde_json::Value;

use super::super::read::protobuf::Message;
use super::super::read::value::{count, items, real, text};
use super::distributions::{Distributions, Told, Which};
use super::proto::{self, fields};
use super::row::{attributes, field, opaque, time};
use crate::model::Unit;

/// Series that are kept.
pub(super) const MOST_SERIES: usize = 2000;
/// Letters of the name of one.
const LONGEST_NAME: usize = 200;

/// A value of a metric at a time.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::import) struct Point {
    /// Metric, part and attributes.
    name: String,
    unit: String,
    /// Unix ns.
    time: i64,
    value: f64,
    /// It is what was added since the last one.
    is_increment: bool,
}

/// What a metric tells.
#[derive(Default)]
pub(in crate::import) struct Found {
    points: Vec<Point>,
    distributions: Vec<(Which, Told)>,
}

impl Found {
    /// Adds what another metric tells.
    pub(super) fn extend(&mut self, other: Self) {
        self.points.extend(other.points);
        self.distributions.extend(other.distributions);
    }
}

/// One metric with one set of attributes.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::import) struct Series {
    pub(super) resource: u32,
    pub(super) name: String,
    pub(super) unit: String,
    pub(super) points: Vec<(i64, f64)>,
    is_increment: bool,
    sum: f64,
}

/// All series, and all distributions.
#[derive(Clone, Debug, Default)]
pub(in crate::import) struct SeriesSet {
    pub(super) list: Vec<Series>,
    pub(super) distributions: Distributions,
    index: HashMap<(u32, String), usize>,
    /// Points of series that are too many.
    pub(super) left_out: u64,
}

impl SeriesSet {
    /// Takes what metrics of a resource tell.
    pub(super) fn take(&mut self, resource: u32, found: &mut Found) {
        for point in found.points.drain(..) {
            self.add(resource, point);
        }
        for (which, told) in found.distributions.drain(..) {
            self.distributions.add(resource, which, told);
        }
    }

    fn add(&mut self, resource: u32, point: Point) {
        let Point { name, unit, time, value, is_increment } = point;
        if let Some(series) = self.place((resource, name), unit, is_increment) {
            series.push(time, value);
        }
    }

    fn place(
        &mut self,
        (resource, name): (u32, String),
        unit: String,
        is_increment: bool,
    ) -> Option<&mut Series> {
        let key = (resource, name);
        let at = match self.index.get(&key) {
            Some(at) => *at,
            None if self.list.len() >= MOST_SERIES => {
                self.left_out += 1;
                return None;
            }
            None => {
                let name = key.1.clone();
                self.list.push(Series { resource, name, unit, points: Vec::new(), is_increment, sum: 0.0 });
                self.index.insert(key, self.list.len() - 1);
                self.list.len() - 1
            }
        };
        self.list.get_mut(at)
    }

    /// Adds all points of another set, whose resources have other numbers here.
    #[cfg(feature = "workloads")]
    pub(super) fn absorb(&mut self, other: Self, resource: impl Fn(u32) -> u32 + Copy) {
        self.left_out += other.left_out;
        for series in other.list {
            let Series { resource: of, name, unit, points, is_increment, .. } = series;
            let Some(own) = self.place((resource(of), name), unit, is_increment) else {
                self.left_out += (points.len() as u64).saturating_sub(1);
                continue;
            };
            let mut before = 0.0;
            for (time, value) in points {
                // What came as increments is a sum already, from this batch's begin on.
                let value = if is_increment { value - std::mem::replace(&mut before, value) } else { value };
                own.push(time, value);
            }
        }
        self.distributions.absorb(other.distributions, resource);
    }

    /// Bytes of points.
    #[cfg(feature = "workloads")]
    pub(super) fn bytes(&self) -> usize {
        let of =
            |s: &Series| size_of::<Series>() + s.name.len() * 2 + s.points.len() * size_of::<(i64, f64)>();
        self.list.iter().map(of).sum::<usize>() + self.distributions.bytes()
    }

    /// Leaves out the older half of the points; gives their number.
    #[cfg(feature = "workloads")]
    pub(super) fn halve(&mut self) -> u64 {
        let mut gone = 0;
        for series in &mut self.list {
            let half = series.points.len() / 2;
            gone += half as u64;
            series.points.drain(..half);
        }
        gone
    }

    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }
}

impl Series {
    fn push(&mut self, time: i64, value: f64) {
        self.sum = if self.is_increment { self.sum + value } else { value };
        self.points.push((time, self.sum));
    }

    /// The unit of its counter, and what values are multiplied by.
    pub(super) fn unit(&self) -> (Unit, f64) {
        unit_of(&self.name, &self.unit)
    }
}

/// A unit by its name in metrics, and what values are multiplied by.
pub(super) fn unit_of(metric: &str, unit: &str) -> (Unit, f64) {
    let is_share = ["utilization", "ratio", "usage_perc"].iter().any(|word| metric.contains(word));
    match unit {
        "s" => (Unit::Nanoseconds, 1e9),
        "ms" => (Unit::Nanoseconds, 1e6),
        "us" | "µs" => (Unit::Nanoseconds, 1e3),
        "ns" => (Unit::Nanoseconds, 1.0),
        "By" => (Unit::Bytes, 1.0),
        "KiBy" => (Unit::Bytes, 1024.0),
        "MiBy" => (Unit::Bytes, 1024.0 * 1024.0),
        "%" => (Unit::MilliPercent, 1000.0),
        "1" if is_share => (Unit::MilliPercent, 1e5),
        "{token}" | "{tokens}" | "token" | "tokens" => (Unit::Tokens, 1.0),
        unit if unit == "1" || unit.starts_with('{') => (Unit::Count, 1.0),
        _ => (Unit::None, 1.0),
    }
}

/// Name, part and attributes as one text.
fn name_of(metric: &str, part: &str, attributes: &[(String, Value)]) -> String {
    let mut name = metric.to_owned();
    if !part.is_empty() {
        name = format!("{name} {part}");
    }
    if !attributes.is_empty() {
        let shown = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let pairs: Vec<String> =
            attributes.iter().map(|(key, value)| format!("{key}={}", shown(value))).collect();
        name = format!("{name} {{{}}}", pairs.join(", "));
    }
    // What is cut must still tell two series apart.
    match name.char_indices().nth(LONGEST_NAME) {
        Some((end, _)) => format!("{}… #{:08x}", &name[..end], opaque(&name) as u32),
        None => name,
    }
}

/// What a metric's points have in common.
#[derive(Default)]
struct Head {
    name: String,
    unit: String,
}

impl Head {
    fn point(
        &self,
        part: &str,
        attributes: &[(String, Value)],
        (time, value): (i64, f64),
        is_increment: bool,
    ) -> Point {
        let unit = if part == "count" { "{count}" } else { &self.unit };
        let name = name_of(&self.name, part, attributes);
        Point { name, unit: unit.to_owned(), time, value, is_increment }
    }

    /// The distribution of a point with these attributes.
    fn which(&self, attributes: &[(String, Value)], is_increment: bool) -> Which {
        let tokens = attributes.iter().find(|(key, _)| key == "gen_ai.token.type");
        Which {
            name: name_of(&self.name, "", attributes),
            metric: self.name.clone(),
            tokens: tokens.and_then(|(_, kind)| kind.as_str()).unwrap_or_default().to_owned(),
            unit: self.unit.clone(),
            is_increment,
        }
    }
}

const NO_POINT: &str = "metric without a name (left out)";

/// The points of a metric of OTLP's JSON; what is wrong with it otherwise.
pub(super) fn of_json(value: &Value) -> Result<Found, &'static str> {
    let head = Head { name: text(value, &["name"]).to_owned(), unit: text(value, &["unit"]).to_owned() };
    if head.name.is_empty() {
        return Err(NO_POINT);
    }
    let mut found = Found::default();
    for (kind, snake) in [
        ("gauge", "gauge"),
        ("sum", "sum"),
        ("histogram", "histogram"),
        ("exponentialHistogram", "exponential_histogram"),
        ("summary", "summary"),
    ] {
        let Some(data) = value.as_object().and_then(|map| field(map, kind, snake)).and_then(Value::as_object)
        else {
            continue;
        };
        let temporality = field(data, "aggregationTemporality", "aggregation_temporality");
        let is_increment = temporality
            .is_some_and(|t| count(t) == Some(1) || t.as_str().is_some_and(|t| t.ends_with("DELTA")));
        for point in items(field(data, "dataPoints", "data_points")).filter_map(Value::as_object) {
            let Some(at) = time(field(point, "timeUnixNano", "time_unix_nano")) else { continue };
            let labels = attributes(point.get("attributes"));
            let plain = field(point, "asDouble", "as_double").or_else(|| field(point, "asInt", "as_int"));
            let parts = [
                ("", plain.and_then(real)),
                ("count", point.get("count").and_then(real)),
                ("sum", point.get("sum").and_then(real)),
            ];
            let known = parts.into_iter().filter_map(|(part, value)| Some((part, value?)));
            found
                .points
                .extend(known.map(|(part, value)| head.point(part, &labels, (at, value), is_increment)));
            if kind.to_ascii_lowercase().ends_with("histogram") {
                found.distributions.push((head.which(&labels, is_increment), Told::of_json(point)));
            }
        }
    }
    Ok(found)
}

/// The same of protobuf.
pub(super) fn of_protobuf(bytes: &[u8]) -> Result<Found, &'static str> {
    let mut head = Head::default();
    let mut data: Vec<(u32, &[u8])> = Vec::new();
    let mut message = Message::new(bytes);
    while let Some((field, value)) = message.next().map_err(|_| "metric that is cut short (left out)")? {
        match field {
            1 => head.name = String::from_utf8_lossy(value.bytes()).into_owned(),
            3 => head.unit = String::from_utf8_lossy(value.bytes()).into_owned(),
            5 | 7 | 9 | 10 | 11 => data.push((field, value.bytes())),
            _ => {}
        }
    }
    if head.name.is_empty() {
        return Err(NO_POINT);
    }
    let mut found = Found::default();
    for (kind, data) in data {
        let is_increment = fields(data).any(|(field, value)| field == 2 && value.number() == 1);
        for (_, value) in fields(data).filter(|(field, _)| *field == 1) {
            points_of(&head, kind, value.bytes(), is_increment, &mut found);
        }
    }
    Ok(found)
}

/// What one data point says: a number, or count and sum of a distribution.
fn points_of(head: &Head, kind: u32, bytes: &[u8], is_increment: bool, found: &mut Found) {
    let is_number = matches!(kind, 5 | 7);
    // Each kind has its attributes in a place of its own.
    let of_attributes = match kind {
        10 => 1,
        9 => 9,
        _ => 7,
    };
    let mut labels: Vec<(String, Value)> = Vec::new();
    let (mut at, mut parts) = (None, [None; 3]);
    for (field, value) in fields(bytes) {
        let real = f64::from_bits(value.number());
        match field {
            _ if field == of_attributes => {
                labels.extend(proto::pair(value.bytes(), 0).filter(|(_, value)| !value.is_null()));
            }
            3 => at = proto::time(value.number()),
            4 if is_number => parts[0] = Some(real),
            6 if is_number => parts[0] = Some(value.signed() as f64),
            4 => parts[1] = Some(value.number() as f64),
            5 if !is_number => parts[2] = Some(real),
            _ => {}
        }
    }
    let Some(at) = at else { return };
    if matches!(kind, 9 | 10) {
        found.distributions.push((head.which(&labels, is_increment), Told::of_protobuf(bytes, kind == 10)));
    }
    let known = parts.into_iter().zip(["", "count", "sum"]);
    let known = known.filter_map(|(value, part)| Some((part, value.filter(|v| v.is_finite())?)));
    found.points.extend(known.map(|(part, value)| head.point(part, &labels, (at, value), is_increment)));
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn points(metric: &Value) -> Vec<(String, f64)> {
        of_json(metric).unwrap().points.into_iter().map(|p| (p.name, p.value)).collect()
    }

    #[test]
    fn gauges_sums_and_distributions_become_values() {
        let at = |value: Value| {
            let mut point =
                json!({"timeUnixNano": "5", "attributes": [{"key": "model", "value": {"stringValue": "m"}}]});
            point.as_object_mut().unwrap().extend(value.as_object().unwrap().clone());
            json!({"dataPoints": [point]})
        };
        let gauge = json!({"name": "g", "gauge": at(json!({"asInt": "3"}))});
        assert_eq!(points(&gauge), [("g {model=m}".to_owned(), 3.0)]);
        let histogram = json!({"name": "h", "unit": "s", "histogram": at(json!({"count": "2", "sum": 1.5}))});
        assert_eq!(
            points(&histogram),
            [("h count {model=m}".to_owned(), 2.0), ("h sum {model=m}".to_owned(), 1.5)]
        );
        assert_eq!(of_json(&json!({"gauge": {}})).err(), Some(NO_POINT));
    }

    #[test]
    fn increments_become_the_sum_so_far() {
        let mut set = SeriesSet::default();
        for (time, value) in [(1, 2.0), (2, 3.0)] {
            let point = Point { name: "n".into(), time, value, is_increment: true, ..Point::default() };
            set.add(0, point);
        }
        assert_eq!(set.list[0].points, [(1, 2.0), (2, 5.0)]);
    }
}
