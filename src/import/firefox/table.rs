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

/// Rows of the Gecko format while they are read.
#[derive(Default)]
struct Rows {
    /// The column of each place of a row.
    schema: Option<Vec<Option<usize>>>,
    /// Rows that came before the schema.
    early: Vec<Vec<f64>>,
}

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
        let mut rows = Rows::default();
        while json.next_key()? {
            match json.key() {
                b"schema" => rows.schema = Some(self.schema(json)?),
                b"data" => self.rows(json, &mut rows)?,
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
        self.late(rows);
        Ok(weight_type)
    }

    fn read_nested(&mut self, json: &mut Json<'_>) -> Result<String, ImportError> {
        let mut inner = Self::default();
        if !json.enter_object()? {
            return Ok(String::new());
        }
        let mut rows = Rows::default();
        while json.next_key()? {
            match json.key() {
                b"schema" => rows.schema = Some(inner.schema(json)?),
                b"data" => inner.rows(json, &mut rows)?,
                _ => json.skip()?,
            }
        }
        inner.late(rows);
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

    fn rows(&mut self, json: &mut Json<'_>, rows: &mut Rows) -> Result<(), ImportError> {
        if !json.enter_array()? {
            return Ok(());
        }
        let mut cells = Vec::new();
        while json.next_item()? {
            cells.clear();
            if json.enter_array()? {
                while json.next_item()? {
                    let wanted =
                        rows.schema.as_ref().is_none_or(|s| s.get(cells.len()).is_some_and(Option::is_some));
                    let cell = if wanted { json.real()? } else { json.skip().map(|()| None)? };
                    cells.push(cell.unwrap_or(f64::NAN));
                }
            }
            match &rows.schema {
                Some(schema) => self.row(schema, &cells),
                None => rows.early.push(cells.clone()),
            }
        }
        Ok(())
    }

    /// Rows end early where the last fields are unknown.
    fn row(&mut self, schema: &[Option<usize>], cells: &[f64]) {
        for (place, column) in schema.iter().enumerate() {
            if let Some(column) = column {
                self.columns[*column].1.push(cells.get(place).copied().unwrap_or(f64::NAN));
            }
        }
    }

    /// Adds rows that stood before their schema.
    fn late(&mut self, rows: Rows) {
        let Some(schema) = rows.schema else { return };
        rows.early.iter().for_each(|cells| self.row(&schema, cells));
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
