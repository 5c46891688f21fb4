//! Checked values of all parameters of a workload, and how its own struct is read from them: once, by serde, so that a
//! name that no parameter has is an error and not a value.

use std::collections::BTreeMap;

use serde::de::value::{Error, MapDeserializer, SeqDeserializer};
use serde::de::{DeserializeOwned, Deserializer, Error as _, IntoDeserializer, Visitor};
use serde::forward_to_deserialize_any;

use super::Param;
use crate::record::WorkloadError;

/// Checked values of all parameters of a workload.
#[derive(Clone, Debug, Default)]
pub struct Params {
    values: BTreeMap<&'static str, String>,
    declared: &'static [Param],
}

impl Params {
    /// Reads `key=value` texts.
    ///
    /// # Errors
    /// One line that names the text and says what would be right.
    pub fn parse(declared: &'static [Param], texts: &[String]) -> Result<Self, String> {
        let mut values: BTreeMap<_, _> = declared.iter().map(|p| (p.key, p.default.to_owned())).collect();
        for text in texts {
            let Some((key, value)) = text.split_once('=') else {
                return Err(format!("«{text}» is not of the form key=value"));
            };
            let (key, value) = (key.trim(), value.trim());
            let Some(param) = declared.iter().find(|p| p.key == key) else {
                let known: Vec<_> = declared.iter().map(|p| p.key).collect();
                return Err(format!("there is no parameter «{key}»; known: {}", known.join(", ")));
            };
            if let Some(problem) = param.problem(value) {
                return Err(problem);
            }
            values.insert(param.key, value.to_owned());
        }
        Ok(Self { values, declared })
    }

    /// All parameters that have a value, defaults as well: another version may have other ones.
    pub fn stated(&self) -> impl Iterator<Item = (&Param, &str)> {
        let value = |key| self.values.get(key).map_or("", String::as_str);
        self.declared.iter().map(move |p| (p, value(p.key))).filter(|(_, value)| !value.is_empty())
    }

    /// The values as a workload's own struct, whose fields have the names of parameters. It may leave out some.
    ///
    /// # Errors
    /// A field that no parameter is called by, or whose type is another one.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, WorkloadError> {
        let values = self.values.iter().map(|(&key, value)| (key, Text(value)));
        T::deserialize(MapDeserializer::<_, Error>::new(values))
            .map_err(|e| WorkloadError::Failed(format!("the parameters are not those of this workload: {e}")))
    }
}

/// A value as it was written.
#[derive(Clone, Copy)]
struct Text<'a>(&'a str);

impl<'de> IntoDeserializer<'de, Error> for Text<'_> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

macro_rules! parsed {
    ($($method:ident $visit:ident,)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            visitor.$visit(self.0.parse().map_err(|e| Error::custom(format!("«{}»: {e}", self.0)))?)
        }
    )*};
}

impl<'de> Deserializer<'de> for Text<'_> {
    type Error = Error;

    parsed! {
        deserialize_bool visit_bool, deserialize_f64 visit_f64, deserialize_i64 visit_i64,
        deserialize_u16 visit_u16, deserialize_u32 visit_u32, deserialize_u64 visit_u64,
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_str(self.0)
    }

    /// Values with commas between them; none of an empty text.
    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let values = self.0.split(',').map(str::trim).filter(|value| !value.is_empty());
        visitor.visit_seq(SeqDeserializer::new(values.map(Text)))
    }

    forward_to_deserialize_any! {
        i8 i16 i32 i128 u8 u128 f32 char str string bytes byte_buf option unit unit_struct newtype_struct tuple
        tuple_struct map struct enum identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::super::{WORKLOADS, asyncio};
    use super::*;
    use crate::record::Workload;

    fn parse(texts: &[&str]) -> Result<Params, String> {
        let texts: Vec<String> = texts.iter().map(ToString::to_string).collect();
        Params::parse(asyncio::Asyncio.params(), &texts)
    }

    #[test]
    fn parameters_are_checked_and_errors_say_what_would_be_right() {
        let params = parse(&["scale=0.5", " users = 3"]).unwrap();
        let stated: Vec<_> = params.stated().map(|(p, v)| (p.key, v)).collect();
        assert_eq!(stated, [("scale", "0.5"), ("users", "3"), ("fault", "false")]);
        assert_eq!(parse(&["users=0"]).unwrap_err(), "users=0: Users is a whole number from 1 to 1000");
        assert_eq!(parse(&["fault=yes"]).unwrap_err(), "fault=yes: Fault is true or false");
        assert!(parse(&["scale=NaN"]).is_err());
        assert!(parse(&["speed=1"]).unwrap_err().starts_with("there is no parameter «speed»; known: scale,"));
        assert!(parse(&["scale"]).unwrap_err().contains("key=value"));
    }

    #[test]
    fn a_workloads_struct_has_the_values_and_a_wrong_name_is_an_error() {
        #[derive(Deserialize, Debug, PartialEq)]
        struct Right {
            scale: f64,
            users: usize,
            fault: bool,
        }
        #[derive(Deserialize, Debug)]
        struct Wrong {
            #[expect(dead_code, reason = "never read")]
            user: usize,
        }
        let params = parse(&["scale=0.5", "users=3"]).unwrap();
        assert_eq!(params.read::<Right>().unwrap(), Right { scale: 0.5, users: 3, fault: false });
        assert!(params.read::<Wrong>().unwrap_err().to_string().contains("missing field `user`"));
    }

    #[test]
    fn lists_and_words_are_read() {
        #[derive(Deserialize, Debug)]
        struct Some {
            sweep: Vec<usize>,
            mode: String,
        }
        let service = WORKLOADS.iter().find(|w| w.id() == "service").unwrap();
        let read = |texts: &[String]| Params::parse(service.params(), texts).unwrap().read::<Some>().unwrap();
        let some = read(&["sweep=1, 2,4".into()]);
        assert_eq!((some.sweep, some.mode.as_str()), (vec![1, 2, 4], "fixed"));
        assert!(read(&[]).sweep.is_empty());
    }
}
