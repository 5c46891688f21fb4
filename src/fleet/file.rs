//! Frames as Parquet files. The only place that names the crate.
//!
//! Columns are plain: `INT64`, `DOUBLE`, UTF-8 `BYTE_ARRAY`, and one `MAP` of texts, each value packed with zstd. Nothing in a
//! file depends on when or where it was written, so equal rows make equal bytes.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::{ByteArray, ByteArrayType, DataType, DoubleType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::file::statistics::Statistics;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;
use parquet::schema::types::ColumnPath;
use rustc_hash::FxHashMap;

use super::frame::{Data, Frame, Labels, Texts, Values};
use super::schema::{Column, Kind, SCHEMA, Table};

/// Most rows of a row group: what a reader skips or takes at once.
pub const GROUP_ROWS: usize = 1 << 17;

/// The note of the tables' version in a file.
const VERSION_KEY: &str = "inferscope.fleet";

fn other(e: ParquetError) -> io::Error {
    match e {
        ParquetError::External(e) => match e.downcast::<io::Error>() {
            Ok(e) => *e,
            Err(e) => io::Error::other(e),
        },
        e => io::Error::other(e),
    }
}

/// The table as Parquet's language of schemas says it.
fn message(table: &Table) -> String {
    let column = |c: &Column| {
        let need = if c.nulls { "OPTIONAL" } else { "REQUIRED" };
        match c.kind {
            Kind::Int => format!("{need} INT64 {};\n", c.name),
            Kind::Id => format!("{need} INT64 {} (INTEGER(64,false));\n", c.name),
            Kind::Float => format!("{need} DOUBLE {};\n", c.name),
            Kind::Text => format!("{need} BYTE_ARRAY {} (STRING);\n", c.name),
            Kind::Labels => format!(
                "REQUIRED group {} (MAP) {{ REPEATED group key_value {{ REQUIRED BYTE_ARRAY key (STRING); OPTIONAL BYTE_ARRAY \
                 value (STRING); }} }}\n",
                c.name
            ),
        }
    };
    format!("message {} {{\n{}}}", table.name, table.columns.iter().map(column).collect::<String>())
}

fn properties(table: &Table) -> io::Result<WriterProperties> {
    let level = ZstdLevel::try_new(3).map_err(other)?;
    let mut properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(level))
        .set_created_by(format!("inferscope {}", env!("CARGO_PKG_VERSION")))
        .set_key_value_metadata(Some(vec![KeyValue::new(VERSION_KEY.to_owned(), SCHEMA.to_owned())]))
        .set_statistics_enabled(EnabledStatistics::Chunk);
    // Times grow: their differences are small, and no two are alike.
    for column in table.columns.iter().filter(|c| c.name == "start_ns") {
        let path = ColumnPath::from(column.name);
        properties = properties
            .set_column_dictionary_enabled(path.clone(), false)
            .set_column_encoding(path, Encoding::DELTA_BINARY_PACKED);
    }
    Ok(properties.build())
}

/// Writes rows of one table, group by group.
pub struct Writer<W: Write + Send> {
    table: &'static Table,
    file: SerializedFileWriter<W>,
}

impl<W: Write + Send> Writer<W> {
    /// The table.
    pub fn table(&self) -> &'static Table {
        self.table
    }

    /// Begins a file.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn new(table: &'static Table, to: W) -> io::Result<Self> {
        let schema = Arc::new(parse_message_type(&message(table)).map_err(other)?);
        let file = SerializedFileWriter::new(to, schema, Arc::new(properties(table)?)).map_err(other)?;
        Ok(Self { table, file })
    }

    /// Adds rows, in groups of at most [`GROUP_ROWS`].
    ///
    /// # Errors
    /// When the system refuses.
    pub fn add(&mut self, frame: &Frame) -> io::Result<()> {
        if frame.rows <= GROUP_ROWS {
            return self.group(frame);
        }
        let starts = (0..frame.rows).step_by(GROUP_ROWS);
        starts
            .map(|from| frame.part(from..(from + GROUP_ROWS).min(frame.rows)))
            .try_for_each(|part| self.group(&part))
    }

    fn group(&mut self, frame: &Frame) -> io::Result<()> {
        if frame.rows == 0 {
            return Ok(());
        }
        let mut group = self.file.next_row_group().map_err(other)?;
        for (column, data) in self.table.columns.iter().zip(&frame.columns) {
            write_column(&mut group, column, data)?;
        }
        group.close().map_err(other)?;
        Ok(())
    }

    /// Ends the file, and gives back what it was written to.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn finish(self) -> io::Result<W> {
        self.file.into_inner().map_err(other)
    }
}

fn write_column<W: Write + Send>(
    group: &mut SerializedRowGroupWriter<'_, W>,
    column: &Column,
    data: &Data,
) -> io::Result<()> {
    let levels: Option<Vec<i16>> = column.nulls.then(|| match data.known.is_empty() {
        true => vec![1; rows(&data.values)],
        false => data.known.iter().map(|&known| i16::from(known)).collect(),
    });
    let levels = levels.as_deref();
    match &data.values {
        Values::Int(all) => one::<_, Int64Type>(group, &there(all, &data.known), levels, None),
        Values::Float(all) => one::<_, DoubleType>(group, &there(all, &data.known), levels, None),
        Values::Text(all, texts) => {
            let bytes: Vec<ByteArray> = texts.all.iter().map(|text| ByteArray::from(&**text)).collect();
            let rows: Vec<ByteArray> =
                there(all, &data.known).iter().map(|&place| bytes[place as usize].clone()).collect();
            one::<_, ByteArrayType>(group, &rows, levels, None)
        }
        Values::Labels(all) => {
            let (mut keys, mut values) = (Vec::new(), Vec::new());
            let (mut of_keys, mut of_values, mut repeats) = (Vec::new(), Vec::new(), Vec::new());
            for labels in all {
                if labels.is_empty() {
                    of_keys.push(0);
                    of_values.push(0);
                    repeats.push(0);
                }
                for (i, (key, value)) in labels.iter().enumerate() {
                    keys.push(ByteArray::from(key.as_str()));
                    values.push(ByteArray::from(value.as_str()));
                    of_keys.push(1);
                    of_values.push(2);
                    repeats.push(i16::from(i > 0));
                }
            }
            one::<_, ByteArrayType>(group, &keys, Some(&of_keys), Some(&repeats))?;
            one::<_, ByteArrayType>(group, &values, Some(&of_values), Some(&repeats))
        }
    }
}

fn rows(values: &Values) -> usize {
    match values {
        Values::Int(all) => all.len(),
        Values::Float(all) => all.len(),
        Values::Text(all, _) => all.len(),
        Values::Labels(all) => all.len(),
    }
}

/// The known ones: what is unknown has no value in a file.
fn there<'a, T: Copy>(all: &'a [T], known: &[bool]) -> std::borrow::Cow<'a, [T]> {
    if known.is_empty() {
        return all.into();
    }
    all.iter().zip(known).filter(|(_, known)| **known).map(|(v, _)| *v).collect::<Vec<_>>().into()
}

fn one<W: Write + Send, T: DataType>(
    group: &mut SerializedRowGroupWriter<'_, W>,
    values: &[T::T],
    levels: Option<&[i16]>,
    repeats: Option<&[i16]>,
) -> io::Result<()> {
    let missing = || io::Error::other("a table has more columns than its file");
    let mut column = group.next_column().map_err(other)?.ok_or_else(missing)?;
    column.typed::<T>().write_batch(values, levels, repeats).map_err(other)?;
    column.close().map_err(other)
}

/// Which rows of a table are wanted: groups of rows without any are not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Only<'a> {
    /// A column of whole numbers from one value to another.
    Number(&'a str, i64, i64),
    /// A column of texts with this one.
    Text(&'a str, &'a str),
}

/// A file that was opened to be read.
pub struct Reader {
    file: SerializedFileReader<File>,
}

impl Reader {
    /// Opens a file; its rows are not read.
    ///
    /// # Errors
    /// When the system refuses, or the file is none of a dataset.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = SerializedFileReader::new(File::open(path)?)
            .map_err(|e| io::Error::new(io::ErrorKind::InvalidData, format!("{}: {e}", path.display())))?;
        let notes = file.metadata().file_metadata().key_value_metadata();
        let version = notes.into_iter().flatten().find(|note| note.key == VERSION_KEY);
        match version.and_then(|note| note.value.as_deref()) {
            Some(SCHEMA) => Ok(Self { file }),
            found => Err(io::Error::new(
                io::ErrorKind::InvalidData,
                match found {
                    Some(version) => format!(
                        "{}: was written by another version of inferscope (tables {version}, this one reads {SCHEMA})",
                        path.display()
                    ),
                    None => format!("{}: is no table of inferscope", path.display()),
                },
            )),
        }
    }

    /// Number of row groups.
    #[must_use]
    pub fn groups(&self) -> usize {
        self.file.num_row_groups()
    }

    /// False when no row of a group can be one of those that are wanted, by what the file says of its columns.
    #[must_use]
    pub fn may_hold(&self, table: &Table, group: usize, only: &Only<'_>) -> bool {
        let group = self.file.metadata().row_group(group);
        let of = |name: &str| {
            // Labels are two columns in a file; nobody looks for them.
            let plain = table.columns.iter().all(|c| c.kind != Kind::Labels);
            table.place(name).filter(|_| plain).and_then(|leaf| group.column(leaf).statistics())
        };
        match *only {
            Only::Number(name, from, to) => match of(name) {
                Some(Statistics::Int64(known)) => {
                    let ends = known.min_opt().zip(known.max_opt());
                    ends.is_none_or(|(least, most)| *least <= to && from <= *most)
                }
                _ => true,
            },
            Only::Text(name, text) => {
                let known = of(name);
                let ends = known.and_then(|k| k.min_bytes_opt().zip(k.max_bytes_opt()));
                ends.is_none_or(|(least, most)| least <= text.as_bytes() && text.as_bytes() <= most)
            }
        }
    }

    /// The named columns of a row group.
    ///
    /// # Errors
    /// When the file is broken.
    pub fn group(&self, table: &'static Table, group: usize, names: &[&str]) -> io::Result<Frame> {
        let group = self.file.get_row_group(group).map_err(other)?;
        let rows = group.metadata().num_rows().try_into().unwrap_or(0);
        let mut frame = Frame::new(table);
        frame.rows = rows;
        let mut leaf = 0;
        for (column, data) in table.columns.iter().zip(&mut frame.columns) {
            let labels = column.kind == Kind::Labels;
            if names.contains(&column.name) {
                *data = match group.get_column_reader(leaf).map_err(other)? {
                    ColumnReader::Int64ColumnReader(reader) => {
                        let (values, known) = values(reader, column, rows)?;
                        Data { values: Values::Int(spread(values, &known)), known }
                    }
                    ColumnReader::DoubleColumnReader(reader) => {
                        let (values, known) = values(reader, column, rows)?;
                        Data { values: Values::Float(spread(values, &known)), known }
                    }
                    ColumnReader::ByteArrayColumnReader(keys) if labels => {
                        let ColumnReader::ByteArrayColumnReader(values) =
                            group.get_column_reader(leaf + 1).map_err(other)?
                        else {
                            return Err(other_kind(column));
                        };
                        Data { values: Values::Labels(read_labels(keys, values, rows)?), known: Vec::new() }
                    }
                    ColumnReader::ByteArrayColumnReader(reader) => {
                        let (values, known) = values(reader, column, rows)?;
                        let (places, texts) = distinct(&values)?;
                        Data { values: Values::Text(spread(places, &known), texts), known }
                    }
                    _ => return Err(other_kind(column)),
                };
            }
            leaf += if labels { 2 } else { 1 };
        }
        Ok(frame)
    }
}

fn other_kind(column: &Column) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("the column {} is of another kind", column.name))
}

/// All known values of a column, and which rows have one.
fn values<T: DataType>(
    mut reader: ColumnReaderImpl<T>,
    column: &Column,
    rows: usize,
) -> io::Result<(Vec<T::T>, Vec<bool>)> {
    let (mut values, mut levels) = (Vec::with_capacity(rows), Vec::new());
    let mut read = 0;
    while read < rows {
        let wanted = column.nulls.then_some(&mut levels);
        let (records, ..) = reader.read_records(rows - read, wanted, None, &mut values).map_err(other)?;
        if records == 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "a column is shorter than its table"));
        }
        read += records;
    }
    let all = levels.iter().all(|&level| level == 1);
    Ok((values, if all { Vec::new() } else { levels.iter().map(|&level| level == 1).collect() }))
}

/// A value for each row.
fn spread<T: Default>(values: Vec<T>, known: &[bool]) -> Vec<T> {
    if known.is_empty() {
        return values;
    }
    let mut values = values.into_iter();
    known.iter().map(|&known| if known { values.next().unwrap_or_default() } else { T::default() }).collect()
}

/// The texts of a column: values that share their bytes, as those of a dictionary do, are looked at once.
fn distinct(values: &[ByteArray]) -> io::Result<(Vec<u32>, Texts)> {
    let mut texts = Texts::default();
    // Place 0 stands for what is unknown.
    texts.push("");
    let mut seen: FxHashMap<(*const u8, usize), u32> = FxHashMap::default();
    let mut last = (std::ptr::null(), 0, 0);
    let mut places = Vec::with_capacity(values.len());
    for value in values {
        let bytes = value.data();
        let at = (bytes.as_ptr(), bytes.len());
        if (last.0, last.1) != at {
            let place = match seen.get(&at) {
                Some(&place) => place,
                None => {
                    let text = std::str::from_utf8(bytes)
                        .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "a text is no UTF-8"))?;
                    let place = texts.push(text);
                    seen.insert(at, place);
                    place
                }
            };
            last = (at.0, at.1, place);
        }
        places.push(last.2);
    }
    Ok((places, texts))
}

fn read_labels(
    mut keys: ColumnReaderImpl<ByteArrayType>,
    mut values: ColumnReaderImpl<ByteArrayType>,
    rows: usize,
) -> io::Result<Vec<Labels>> {
    let read = |reader: &mut ColumnReaderImpl<ByteArrayType>| {
        let (mut all, mut levels, mut repeats) = (Vec::new(), Vec::new(), Vec::new());
        let mut done = 0;
        while done < rows {
            let left = rows - done;
            let (records, ..) =
                reader.read_records(left, Some(&mut levels), Some(&mut repeats), &mut all).map_err(other)?;
            if records == 0 {
                break;
            }
            done += records;
        }
        let texts = all.iter().map(|bytes| String::from_utf8_lossy(bytes.data()).into_owned());
        Ok::<_, io::Error>((texts.collect::<Vec<_>>(), levels, repeats))
    };
    let (key_texts, levels, repeats) = read(&mut keys)?;
    let (value_texts, value_levels, _) = read(&mut values)?;
    let (mut key_texts, mut value_texts) = (key_texts.into_iter(), value_texts.into_iter());
    let mut all: Vec<Labels> = Vec::with_capacity(rows);
    for ((level, repeat), value) in levels.iter().zip(&repeats).zip(&value_levels) {
        if *repeat == 0 {
            all.push(Labels::new());
        }
        if let (Some(row), true, Some(key)) =
            (all.last_mut(), *level > 0, if *level > 0 { key_texts.next() } else { None })
        {
            let value = if *value == 2 { value_texts.next() } else { None };
            row.push((key, value.unwrap_or_default()));
        }
    }
    all.resize(rows, Labels::new());
    Ok(all)
}
