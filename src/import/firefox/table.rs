//! Tables of numbers: columns by name (processed format), or rows with a schema (Gecko format).

use super::super::ImportError;
use super::super::read::json::Json;

/// Columns that are kept.
const WANTED: [&[u8]; 24] = [
    b"stack",
    b"time",
    b"timeDeltas",
    b"weight",
    b"threadCPUDelta",
    b"prefix",
    b"prefixOffset",
    b"frame",
    b"func",
    b"location",
    b"line",
    b"name",
    b"resource",
    b"fileName",
    b"source",
    b"lineNumber",
    b"lib",
    b"startTime",
    b"endTime",
    b"filename",
    b"count",
    b"phase",
    b"number",
    b"address",
];

/// Numbers by column; what is no number is NaN. Texts are numbers of the string table everywhere.
#[derive(Default)]
pub(super) struct Table {
    columns: Vec<(&'static [u8], Vec<f64>)>,
}

impl Table {
    /// Reads a table; anything else leaves it empty.
    pub fn read(&mut self, json: &mut Json<'_>) -> Result<(), ImportError> {
        self.read_with_type(json).map(drop)
    }

    /// The same; returns its `weightType`.
    pub fn read_with_type(&mut self, json: &mut Json<'_>) -> Result<String, ImportError> {
        let mut weight_type = String::new();
        if !json.enter_object()? {
            return Ok(weight_type);
        }
        let mut schema: Vec<Option<usize>> = Vec::new();
        while json.next_key()? {
            match json.key() {
                b"schema" => schema = self.schema(json)?,
                b"data" if !schema.is_empty() => self.rows(json, &schema)?,
                b"weightType" => json.string_into(&mut weight_type)?,
                // Counters keep their samples one level further down.
                b"samples" => weight_type = self.read_nested(json)?,
                key => {
                    let wanted = WANTED.iter().find(|w| **w == key);
                    match wanted {
                        Some(&name) if json.peek()? == b'[' => {
                            let values = numbers(json)?;
                            self.columns.push((name, values));
                        }
                        _ => json.skip()?,
                    }
                }
            }
        }
        Ok(weight_type)
    }

    fn read_nested(&mut self, json: &mut Json<'_>) -> Result<String, ImportError> {
        let mut inner = Self::default();
        if !json.enter_object()? {
            return Ok(String::new());
        }
        let mut schema = Vec::new();
        while json.next_key()? {
            match json.key() {
                b"schema" => schema = inner.schema(json)?,
                b"data" => inner.rows(json, &schema)?,
                _ => json.skip()?,
            }
        }
        *self = inner;
        Ok(String::new())
    }

    /// Which column each place of a row is.
    fn schema(&mut self, json: &mut Json<'_>) -> Result<Vec<Option<usize>>, ImportError> {
        let mut places = Vec::new();
        if json.enter_object()? {
            while json.next_key()? {
                let wanted = WANTED.iter().find(|w| **w == json.key()).copied();
                let place = json.index()?.filter(|&p| p < 1000);
                if let (Some(name), Some(place)) = (wanted, place) {
                    let place = place as usize;
                    places.resize(places.len().max(place + 1), None);
                    places[place] = Some(self.columns.len());
                    self.columns.push((name, Vec::new()));
                }
            }
        }
        Ok(places)
    }

    fn rows(&mut self, json: &mut Json<'_>, schema: &[Option<usize>]) -> Result<(), ImportError> {
        if !json.enter_array()? {
            return Ok(());
        }
        let mut count = 0;
        while json.next_item()? {
            count += 1;
            if json.enter_array()? {
                let mut place = 0;
                while json.next_item()? {
                    match schema.get(place).copied().flatten() {
                        Some(column) => {
                            let value = json.real()?.unwrap_or(f64::NAN);
                            self.columns[column].1.push(value);
                        }
                        None => json.skip()?,
                    }
                    place += 1;
                }
            }
            // Rows end early where the last fields are unknown.
            for column in schema.iter().flatten() {
                self.columns[*column].1.resize(count, f64::NAN);
            }
        }
        Ok(())
    }

    fn column(&self, name: &str) -> Option<&[f64]> {
        self.columns.iter().find(|c| c.0 == name.as_bytes()).map(|c| &c.1[..])
    }

    /// True when it holds no rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.columns.iter().map(|c| c.1.len()).max().unwrap_or(0)
    }

    /// True when there is such a column.
    pub fn has(&self, name: &str) -> bool {
        self.column(name).is_some()
    }

    /// A number.
    pub fn real(&self, name: &str, row: usize) -> Option<f64> {
        self.column(name)?.get(row).copied().filter(|v| v.is_finite())
    }

    /// A row number of another table.
    pub fn index(&self, name: &str, row: usize) -> Option<usize> {
        let value = self.real(name, row)?;
        (value >= 0.0 && value < f64::from(u32::MAX)).then_some(value as usize)
    }
}

fn numbers(json: &mut Json<'_>) -> Result<Vec<f64>, ImportError> {
    let mut values = Vec::new();
    if json.enter_array()? {
        while json.next_item()? {
            values.push(json.real()?.unwrap_or(f64::NAN));
        }
    }
    Ok(values)
}

/// A list of texts.
pub(super) fn strings(json: &mut Json<'_>) -> Result<Vec<String>, ImportError> {
    let mut texts = Vec::new();
    if json.enter_array()? {
        while json.next_item()? {
            let mut text = String::new();
            json.string_into(&mut text)?;
            texts.push(text);
        }
    }
    Ok(texts)
}
