//! One frame of the chart: pinned lanes, the others in their scroll area, marks over all, and what the
//! pointer does there.

use super::*;

impl Timeline {
    pub(super) fn chart(
        &mut self,
        cx: &mut ViewCx<'_>,
        ui: &mut Ui,
        parts: &Parts<'_>,
        areas: &Areas,
        (fixed, free): (Vec<Placed>, Vec<Placed>),
        (axis, response, gesture): (&TimeAxis, &egui::Response, &Gesture),
    ) {
        let palette = Palette::of(ui);
        let Some(colors) = self.colors.take() else { return };
        let counters: Vec<CounterId> = visible(&fixed, 0.0, areas.pinned.height())
            .chain(visible(&free, self.scroll, areas.lanes.height()))
            .filter_map(|p| match parts.lanes[p.lane].of {
                LaneOf::Counter(id) => Some(id),
                _ => None,
            })
            .collect();
        let lod = CounterLod {
            counters,
            from: axis.t0.floor() as i64,
            to: axis.t1.ceil() as i64,
            columns: (axis.x.span().max(1.0) as u32).min(MAX_COLUMNS),
        };
        let scene = Scene {
            profile: parts.profile,
            rows: parts.rows.as_deref(),
            colors: &colors.3,
            phases: parts.phases.as_deref(),
            lod: cx.ask(&lod, 0).value().cloned(),
            figures: cx.ask(&CounterFigures(None), 0).value().cloned().unwrap_or_default(),
            packing: cx.ask(&RequestRows, 0).value().cloned(),
            transformed: !cx.interaction.scope.transforms.is_empty(),
            axis,
            palette,
        };
        let mut hits = Hits::default();
        let chart_of = |area: Rect| area.with_min_x(areas.ruler.left());
        {
            let painter = ui.painter().clone();
            let mut texts = self.texts.begin(&painter);
            if let Some(phases) = &scene.phases {
                time::phase_names(&mut texts, &painter, areas.band, axis, phases, parts.profile, palette);
            }
            let mut draw = |ui: &mut Ui, placed: &Placed, top: f32, hits: &mut Hits| {
                let lane = &parts.lanes[placed.lane];
                let y = Rangef::new(top, top + placed.height);
                let area = chart_of(Rect::from_x_y_ranges(areas.ruler.x_range(), y));
                let few = self.arrangement.height(lane, parts.profile.tracks.len());
                scene.lane(cx, ui, &mut texts, (lane, few, area), hits);
                let label = Rect::from_x_y_ranges(areas.labels, y);
                let pinned = self.arrangement.pinned.contains(&lane.key);
                labels::show(cx, ui, &scene, lane, label, labels::Look { height: few, pinned })
            };
            let mut wishes: Vec<(usize, labels::Wish)> = Vec::new();
            let whole = |area: Rect| area.with_min_x(areas.labels.min);
            scene.background(ui.painter(), areas.pinned);
            ui.scope_builder(UiBuilder::new().max_rect(whole(areas.pinned)).id_salt("pinned"), |ui| {
                ui.set_clip_rect(whole(areas.pinned).intersect(ui.clip_rect()));
                for placed in visible(&fixed, 0.0, areas.pinned.height()) {
                    let wish = draw(ui, placed, areas.pinned.top() + placed.top, &mut hits);
                    wishes.extend(wish.map(|w| (placed.lane, w)));
                }
            });
            if !fixed.is_empty() {
                let y = areas.pinned.bottom() + 1.0;
                let stroke = egui::Stroke::new(2.0, palette.line);
                ui.painter().hline(whole(areas.pinned).x_range(), y, stroke);
            }
            scene.background(ui.painter(), areas.lanes);
            ui.scope_builder(UiBuilder::new().max_rect(whole(areas.lanes)).id_salt("lanes"), |ui| {
                let scroll = ScrollArea::vertical()
                    .id_salt("lanes")
                    .auto_shrink(false)
                    .vertical_scroll_offset(self.scroll.min((bottom(&free) - areas.lanes.height()).max(0.0)));
                let out = scroll.show_viewport(ui, |ui, view| {
                    ui.set_height(bottom(&free));
                    let top = ui.min_rect().top();
                    for placed in visible(&free, view.top(), view.height()) {
                        let wish = draw(ui, placed, top + placed.top, &mut hits);
                        wishes.extend(wish.map(|w| (placed.lane, w)));
                    }
                });
                self.scroll = out.state.clamped_offset().y;
            });
            for (lane, wish) in wishes {
                self.grant(cx, ui, parts, lane, wish, (&fixed, &free, areas));
            }
        }
        links::show(cx, ui, &scene, &hits, parts.lanes, areas, (&fixed, &free, self.scroll));
        Self::overlay(cx, ui, areas, axis);
        self.pointed(cx, ui, &scene, &hits, (response, gesture));
        self.colors = Some(colors);
        if let Answer::Working { progress, stale: None } = parts.answer {
            let text = progress.map_or_else(
                || "Laying out spans …".to_owned(),
                |p| format!("Laying out spans … {}", format::percent(f64::from(p))),
            );
            let at = areas.lanes.left_top() + vec2(space::MEDIUM, space::MEDIUM);
            ui.painter().text(
                at,
                egui::Align2::LEFT_TOP,
                text,
                crate::ui::theme::regular(12.0),
                palette.text_weak,
            );
        }
    }

    /// Range, cursor and ruler, over all lanes.
    fn overlay(cx: &ViewCx<'_>, ui: &Ui, areas: &Areas, axis: &TimeAxis) {
        let palette = Palette::of(ui);
        let painter = ui.painter();
        let below = Rect::from_min_max(areas.band.min, areas.lanes.max);
        if let Some(Item::Time(t)) = cx.interaction.selection {
            let clip = painter.with_clip_rect(below.intersect(painter.clip_rect()));
            let x = clip.round_to_pixel_center(axis.x_of(t as f64));
            let line = [pos2(x, below.top()), pos2(x, below.bottom())];
            clip.add(egui::Shape::dashed_line(&line, egui::Stroke::new(1.0, palette.text_strong), 3.0, 3.0));
        }
        time::range_marks(painter, below, axis, cx.interaction.range, cx.preview, palette);
        let cursor = cx.cursor.map(|t| t as f64);
        axis.paint_ruler(painter, areas.ruler, cursor, palette);
        if let Some(t) = cursor {
            axis.paint_cursor(painter, below, t, palette);
        }
    }

    /// Hover, clicks and double clicks on what the lanes show.
    fn pointed(
        &mut self,
        cx: &mut ViewCx<'_>,
        ui: &Ui,
        scene: &Scene<'_>,
        hits: &Hits,
        (response, gesture): (&egui::Response, &Gesture),
    ) {
        let at = response.interact_pointer_pos().or_else(|| ui.input(|i| i.pointer.latest_pos()));
        let hit = at.and_then(|p| hits.at(scene, p));
        if response.hovered() && !response.dragged() && gesture.preview.is_none() {
            if let Some((item, _)) = &hit {
                cx.out.hover = Some(item.clone());
                ui.set_cursor_icon(egui::CursorIcon::PointingHand);
            }
            if let Some((_, text)) = &hit {
                response.clone().on_hover_text_at_pointer(text);
            }
        }
        if let Some(t) = gesture.click {
            let item = hit.as_ref().map_or(Item::Time(t.round() as i64), |h| h.0.clone());
            // What was clicked is in view already.
            self.seen = Some(item.clone());
            cx.send(Command::Select(Some(item)));
        }
        if gesture.double_click.is_some() {
            match hit.and_then(|h| h.0.interval(scene.profile)).filter(|(a, b)| a < b) {
                Some((from, to)) => self.viewport.show(from as f64, to as f64),
                None => self.viewport.fit(),
            }
        }
    }

    /// What the person wants of a lane.
    fn grant(
        &mut self,
        cx: &mut ViewCx<'_>,
        ui: &Ui,
        parts: &Parts<'_>,
        lane: usize,
        wish: labels::Wish,
        (fixed, free, areas): (&[Placed], &[Placed], &Areas),
    ) {
        let key = &parts.lanes[lane].key;
        let a = &mut self.arrangement;
        match wish {
            labels::Wish::Height(height) => {
                a.heights.insert(key.clone(), height);
            }
            labels::Wish::Pin => Arrangement::turn(&mut a.pinned, key),
            labels::Wish::Hide => {
                a.hidden.insert(key.clone());
            }
            labels::Wish::HideOthers => {
                a.hidden = parts.lanes.iter().map(|l| l.key.clone()).filter(|k| k != key).collect();
            }
            labels::Wish::ShowAll => a.hidden.clear(),
            labels::Wish::Scope(tracks) => cx.send(Command::SetTracks(tracks)),
            labels::Wish::Select(item) => {
                self.seen = Some(item.clone());
                cx.send(Command::Select(Some(item)));
            }
            labels::Wish::Move(step) => {
                if let Some(from) = parts.shown.iter().position(|&i| i == lane) {
                    let to =
                        if step < 0 { from.saturating_sub(1) } else { (from + 2).min(parts.shown.len()) };
                    a.drop_at(parts.lanes, parts.shown, from, to);
                }
            }
            labels::Wish::Drag(y, dropped) => {
                let (place, line) = drop_place((fixed, free), areas, self.scroll, y);
                if dropped {
                    if let Some(from) = parts.shown.iter().position(|&i| i == lane) {
                        a.drop_at(parts.lanes, parts.shown, from, place);
                    }
                } else {
                    let stroke = egui::Stroke::new(2.0, Palette::of(ui).accent);
                    ui.painter().hline(areas.labels.min..=areas.ruler.right(), line, stroke);
                }
            }
        }
    }
}

/// Lanes that touch a window of `height` from `from` on.
fn visible(placed: &[Placed], from: f32, height: f32) -> impl Iterator<Item = &Placed> {
    let first = placed.partition_point(|p| p.top + p.height <= from);
    placed[first..].iter().take_while(move |p| p.top < from + height)
}

/// Before which place among the shown lanes something dropped at `y` goes, and where the line that says so
/// stands.
fn drop_place((fixed, free): (&[Placed], &[Placed]), areas: &Areas, scroll: f32, y: f32) -> (usize, f32) {
    let place = |lanes: &[Placed], top: f32| {
        let at = lanes.iter().position(|p| y < top + p.top + p.height / 2.0).unwrap_or(lanes.len());
        (at, top + lanes.get(at).map_or(bottom(lanes), |p| p.top))
    };
    if y < areas.pinned.bottom() && !fixed.is_empty() {
        return place(fixed, areas.pinned.top());
    }
    let (at, line) = place(free, areas.lanes.top() - scroll);
    (fixed.len() + at, line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lane_is_dropped_where_the_line_is() {
        let heights = [20.0, 40.0, 20.0];
        let all = stack(&[0, 1, 2], |i| heights[*i]);
        let areas = areas(Rect::from_min_size(pos2(0.0, 0.0), vec2(800.0, 600.0)), &[], false);
        let top = areas.lanes.top();
        let at = |y: f32| drop_place((&[], &all), &areas, 0.0, y);
        assert_eq!(at(top + 5.0), (0, top));
        assert_eq!(at(top + 25.0), (1, top + 20.0));
        assert_eq!(at(top + 45.0), (2, top + 60.0));
        assert_eq!(at(top + 500.0), (3, top + 80.0));
        assert_eq!(visible(&all, 20.0, 41.0).map(|p| p.lane).collect::<Vec<_>>(), [1, 2]);
        assert_eq!(visible(&all, 0.0, 20.0).count(), 1);
    }
}
