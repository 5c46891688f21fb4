//! Labels laid out once and kept: for views that paint thousands of them each frame.
//!
//! A label is asked for by key, font and width. The whole text is kept while it fits; what does not fit is
//! elided for widths in steps of 8 points, so that zooming does not lay out every label in every frame.
//!
//! A function's name that does not fit loses its template arguments and parameters before its end.
//!
//! Kept galleys point into egui's glyph atlas. egui says nowhere that it has started a new one (another
//! scale, another theme, other fonts, or simply full); but then it also forgets its own galleys. So a canary
//! text is asked for in every pass: when it comes back as another object, everything kept is dropped.

use crate::format::search::Pattern;
use crate::format::{escaped, fitting};
use egui::text::{LayoutJob, TextWrapping};
use egui::{Color32, FontId, Galley, Painter, Rect, Shape, pos2};
use rustc_hash::FxHashMap;
use std::borrow::Cow;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// Labels kept before those that the last pass did not use are dropped.
const LIMIT: usize = 16_384;
/// Characters of a text that can be seen at all on one line.
const LONGEST: usize = 400;
/// Widths are rounded down to multiples of this.
const BUCKET: f32 = 8.0;
/// Fewer characters, ellipsis included, say nothing.
const FEWEST: usize = 3;
/// Below this width a label would be an ellipsis and little else.
const NARROWEST: f32 = 20.0;
/// Left and right of a label in a box.
const PADDING: f32 = 4.0;

/// Identity of a text: equal keys must mean equal texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TextKey(u64);

impl TextKey {
    /// The key of the text itself.
    #[must_use]
    pub fn of(text: &str) -> Self {
        Self::new(text)
    }

    /// The key of anything that stands for one text, such as a table's name with an id of that table.
    #[must_use]
    pub fn new(source: impl Hash) -> Self {
        let mut hasher = rustc_hash::FxHasher::default();
        source.hash(&mut hasher);
        Self(hasher.finish())
    }
}

/// Typeface of a label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Face {
    /// Ordinary text.
    Regular,
    /// Emphasis.
    Strong,
    /// Code.
    Mono,
}

impl Face {
    fn font(self, size: f32) -> FontId {
        match self {
            Self::Regular => super::theme::regular(size),
            Self::Strong => super::theme::strong(size),
            Self::Mono => super::theme::mono(size),
        }
    }
}

/// Where a text that does not fit loses characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Elide {
    /// At the end.
    End,
    /// In the middle, the last part of a path kept.
    Middle,
}

/// How a label is set.
#[derive(Clone, Copy, Debug)]
pub struct LabelStyle {
    /// Typeface.
    pub face: Face,
    /// Size in points.
    pub size: f32,
    /// Where it is cut.
    pub elide: Elide,
}

impl LabelStyle {
    /// Ordinary text of `size` points, cut at its end.
    #[must_use]
    pub fn new(size: f32) -> Self {
        Self { face: Face::Regular, size, elide: Elide::End }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Key {
    text: TextKey,
    face: Face,
    elide: Elide,
    /// In tenths of a point.
    size: u16,
    /// Width in buckets; `WHOLE` for the text in full.
    bucket: u16,
}

const WHOLE: u16 = u16::MAX;

struct Kept {
    galley: Arc<Galley>,
    pass: u64,
}

/// The labels of one view.
#[derive(Default)]
pub struct TextCache {
    kept: FxHashMap<Key, Kept>,
    canary: Option<Arc<Galley>>,
    pass: u64,
}

impl TextCache {
    /// Starts a pass. Call once per frame and view, with the painter that will paint.
    pub fn begin<'a>(&'a mut self, painter: &'a Painter) -> Texts<'a> {
        let canary = painter.layout_no_wrap("0".to_owned(), super::theme::small(), Color32::PLACEHOLDER);
        if self.canary.as_ref().is_none_or(|old| !Arc::ptr_eq(old, &canary)) {
            self.kept.clear();
        }
        self.canary = Some(canary);
        if self.kept.len() > LIMIT {
            let last = self.pass;
            self.kept.retain(|_, kept| kept.pass == last);
        }
        self.pass += 1;
        Texts { cache: self, painter }
    }

    /// Number of labels kept.
    #[must_use]
    pub fn len(&self) -> usize {
        self.kept.len()
    }

    /// True when none is kept.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }
}

/// The cache during one pass.
pub struct Texts<'a> {
    cache: &'a mut TextCache,
    painter: &'a Painter,
}

impl Texts<'_> {
    /// The text laid out to at most `width` points, in placeholder colour; `None` where it is too narrow for
    /// a label. `text` is called only when it is not kept.
    pub fn get<'t>(
        &mut self,
        key: TextKey,
        style: LabelStyle,
        width: f32,
        text: impl Fn() -> Cow<'t, str>,
    ) -> Option<Arc<Galley>> {
        let size = (style.size * 10.0).round() as u16;
        let key = Key { text: key, face: style.face, elide: style.elide, size, bucket: WHOLE };
        let whole = self.kept(key, || whole(self.painter, style, &text()));
        if whole.size().x <= width {
            return Some(whole);
        }
        if width < NARROWEST {
            return None;
        }
        let bucket = ((width / BUCKET) as u16).min(WHOLE - 1);
        let width = f32::from(bucket) * BUCKET;
        let galley = self.kept(Key { bucket, ..key }, || elided(self.painter, style, &text(), width));
        let seen = galley.rows.first().map_or(0, |row| row.glyphs.len());
        (seen >= FEWEST).then_some(galley)
    }

    /// A label in `area`: at its left, centred in height, in `color`.
    pub fn label<'t>(
        &mut self,
        area: Rect,
        key: TextKey,
        style: LabelStyle,
        color: Color32,
        text: impl Fn() -> Cow<'t, str>,
    ) -> Option<Shape> {
        let galley = self.get(key, style, area.width() - 2.0 * PADDING, text)?;
        let y = area.center().y - galley.size().y / 2.0;
        Some(Shape::galley(pos2(area.left() + PADDING, y), galley, color))
    }

    /// The same with lines below the letters that a search finds.
    pub fn found_label<'t>(
        &mut self,
        area: Rect,
        key: TextKey,
        (style, found): (LabelStyle, Option<&Pattern>),
        color: Color32,
        text: impl Fn() -> Cow<'t, str>,
    ) -> Vec<Shape> {
        let Some(galley) = self.get(key, style, area.width() - 2.0 * PADDING, text) else {
            return Vec::new();
        };
        let at = pos2(area.left() + PADDING, area.center().y - galley.size().y / 2.0);
        let line = found.map_or_else(Vec::new, |pattern| below(&galley, pattern));
        let line = line.into_iter().map(|(from, to)| {
            let rect = Rect::from_min_max(
                pos2(at.x + from, at.y + galley.size().y - 2.0),
                pos2(at.x + to, at.y + galley.size().y),
            );
            Shape::rect_filled(rect, 0.0, color)
        });
        line.chain([Shape::galley(at, galley.clone(), color)]).collect()
    }

    fn kept(&mut self, key: Key, make: impl FnOnce() -> Arc<Galley>) -> Arc<Galley> {
        let pass = self.cache.pass;
        let kept = self.cache.kept.entry(key).or_insert_with(|| Kept { galley: make(), pass });
        kept.pass = pass;
        kept.galley.clone()
    }
}

/// From where to where the letters stand that a search finds in what is seen of a line.
fn below(galley: &Galley, pattern: &Pattern) -> Vec<(f32, f32)> {
    let text = galley.text();
    let Some(row) = galley.rows.first() else { return Vec::new() };
    let place = |byte: usize| text[..byte].chars().count();
    let span = |range: std::ops::Range<usize>| {
        let (from, to) = (place(range.start), place(range.end).min(row.glyphs.len()));
        let (first, last) = (row.glyphs.get(from)?, row.glyphs.get(to.checked_sub(1)?)?);
        (from < to).then(|| (first.pos.x, last.max_x()))
    };
    pattern.places(text).into_iter().filter_map(span).collect()
}

/// One line, no longer than can be seen, with everything shown that would act on it.
fn line(text: &str) -> String {
    // What cannot be seen need not be looked at.
    let end = text.char_indices().nth(LONGEST + 1).map_or(text.len(), |(end, _)| end);
    let text = escaped(&text[..end]);
    let mut chars = text.chars();
    let mut line: String = chars.by_ref().take(LONGEST).collect();
    if chars.next().is_some() {
        line.push('…');
    }
    line
}

fn whole(painter: &Painter, style: LabelStyle, text: &str) -> Arc<Galley> {
    painter.layout_no_wrap(line(text), style.face.font(style.size), Color32::PLACEHOLDER)
}

fn elided(painter: &Painter, style: LabelStyle, text: &str, width: f32) -> Arc<Galley> {
    let font = style.face.font(style.size);
    let whole = line(text);
    let fits = |text: &str| {
        painter.fonts_mut(|fonts| text.chars().map(|c| fonts.glyph_width(&font, c)).sum::<f32>() <= width)
    };
    let mut text = fitting(&whole, fits).into_owned();
    if style.elide == Elide::Middle {
        text = painter
            .fonts_mut(|fonts| elide_middle(&text, width, |c| fonts.glyph_width(&font, c)).into_owned());
    }
    let mut job = LayoutJob::simple_singleline(text, font, Color32::PLACEHOLDER);
    job.wrap = TextWrapping::truncate_at_width(width);
    painter.layout_job(job)
}

/// `text` without its middle, at most `width` wide by `char_width`. Of a path the last part stays whole while
/// it fits, because it says most.
#[must_use]
pub fn elide_middle(text: &str, width: f32, mut char_width: impl FnMut(char) -> f32) -> Cow<'_, str> {
    let chars: Vec<(usize, f32)> = text.char_indices().map(|(i, c)| (i, char_width(c))).collect();
    let total: f32 = chars.iter().map(|(_, w)| w).sum();
    if total <= width {
        return Cow::Borrowed(text);
    }
    let room = (width - char_width('…')).max(0.0);
    let file_at = text.rfind(['/', '\\']).unwrap_or(text.len());
    let file: f32 = chars.iter().filter(|(i, _)| *i >= file_at).map(|(_, w)| w).sum();
    let tail_room = if file <= room { file.max(room * 0.6) } else { room * 0.6 };
    let mut tail = 0.0;
    let mut tail_at = text.len();
    for (i, w) in chars.iter().rev() {
        // Widths are summed in another order than above, so allow for rounding.
        if tail + w > tail_room + 0.01 {
            break;
        }
        tail += w;
        tail_at = *i;
    }
    let mut head = 0.0;
    let mut head_end = 0;
    for (i, w) in chars.iter().take_while(|(i, _)| *i < tail_at) {
        if head + w + tail > room + 0.01 {
            break;
        }
        head += w;
        head_end = i + text[*i..].chars().next().map_or(0, char::len_utf8);
    }
    Cow::Owned(format!("{}…{}", &text[..head_end], &text[tail_at..]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use egui::{RawInput, vec2};

    fn middle(text: &str, width: usize) -> String {
        elide_middle(text, width as f32, |_| 1.0).into_owned()
    }

    #[test]
    fn the_middle_goes_and_the_file_name_stays() {
        assert_eq!(middle("/home/me/src/model/llama.py", 40), "/home/me/src/model/llama.py");
        assert_eq!(middle("/home/me/src/model/llama.py", 18), "/home/m…l/llama.py");
        assert_eq!(middle("/home/me/a_rather_long_file.py", 25), "/h…/a_rather_long_file.py");
        assert_eq!(middle("abcdefghij", 6), "ab…hij");
        assert_eq!(middle("äöüäöüäöü", 6), "äö…äöü");
        assert_eq!(middle("abc", 0), "…");
        assert_eq!(middle("", 5), "");
    }

    fn pass(ctx: &egui::Context, scale: f32, mut ui: impl FnMut(&Painter)) {
        let screen = Rect::from_min_size(pos2(0.0, 0.0), vec2(400.0, 100.0));
        ctx.set_pixels_per_point(scale);
        let input = RawInput { screen_rect: Some(screen), ..Default::default() };
        ctx.run_ui(input, |u| ui(u.painter())).drop_without_applying_deltas();
    }

    fn context() -> egui::Context {
        let ctx = egui::Context::default();
        crate::ui::theme::install(&ctx);
        ctx
    }

    #[test]
    fn a_label_is_laid_out_once_until_the_scale_changes() {
        let ctx = context();
        let mut cache = TextCache::default();
        let asked = std::cell::Cell::new(0);
        let text = || {
            asked.set(asked.get() + 1);
            Cow::Borrowed("torch.nn.functional.scaled_dot_product_attention")
        };
        for (scale, width, expected) in [
            (1.0, 900.0, 1),
            (1.0, 901.0, 1),
            (1.0, 100.0, 2),
            (1.0, 101.0, 2),
            (1.0, 10.0, 2),
            (2.0, 900.0, 3),
        ] {
            pass(&ctx, scale, |painter| {
                let mut texts = cache.begin(painter);
                let galley = texts.get(TextKey::new(1), LabelStyle::new(12.0), width, text);
                assert_eq!(galley.is_some(), width > 10.0);
                assert!(galley.is_none_or(|g| g.size().x <= width && g.rows.len() == 1));
            });
            assert_eq!(asked.get(), expected, "scale {scale}, width {width}");
        }
    }

    #[test]
    fn labels_are_dropped_when_the_glyph_atlas_starts_over() {
        let ctx = context();
        let mut cache = TextCache::default();
        let mut put = |ctx: &egui::Context| {
            let mut kept = 0;
            pass(ctx, 1.0, |painter| {
                let mut texts = cache.begin(painter);
                kept = texts.cache.len();
                texts.get(TextKey::of("a"), LabelStyle::new(12.0), 99.0, || Cow::Borrowed("a"));
            });
            kept
        };
        assert_eq!([put(&ctx), put(&ctx), put(&ctx)], [0, 1, 1]);
        ctx.set_theme(egui::Theme::Light);
        assert_eq!(put(&ctx).min(put(&ctx)), 0, "another theme blends glyphs differently");
    }

    #[test]
    fn the_cache_is_bounded_and_keeps_what_is_seen() {
        let ctx = context();
        let mut cache = TextCache::default();
        for round in 0..4 {
            pass(&ctx, 1.0, |painter| {
                let mut texts = cache.begin(painter);
                for i in 0..6000 {
                    let text = || Cow::Owned(format!("{i}"));
                    texts.get(TextKey::new((round, i)), LabelStyle::new(11.0), 99.0, text);
                }
            });
        }
        assert!(cache.len() <= LIMIT + 6000, "{}", cache.len());
    }

    #[test]
    fn monstrous_texts_become_one_short_line() {
        let ctx = context();
        let mut cache = TextCache::default();
        pass(&ctx, 1.0, |painter| {
            let text = || Cow::Owned("x\n\t".repeat(100_000));
            for elide in [Elide::End, Elide::Middle] {
                let style = LabelStyle { elide, ..LabelStyle::new(12.0) };
                let galley = cache.begin(painter).get(TextKey::new(elide), style, 200.0, text).unwrap();
                assert_eq!(galley.rows.len(), 1);
                assert!(galley.size().x <= 200.0 && galley.size().x > 100.0);
            }
        });
    }
}
