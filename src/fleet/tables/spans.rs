//! Spans as rows.

use std::io;

use super::{Making, SpansKept};
use crate::fleet::file::GROUP_ROWS;
use crate::fleet::frame::Frame;
use crate::fleet::schema::SPANS;
use crate::model::{NO_ROW, TrackKind};

/// Track by track, as they lie in the profile: a caller stands before what it calls. There may be millions, so a row group at a
/// time is made.
pub(super) fn frames(
    making: &Making<'_>,
    kept: SpansKept,
    out: &mut dyn FnMut(&Frame) -> io::Result<()>,
) -> io::Result<()> {
    let profile = making.profile;
    let mut frame = Frame::new(&SPANS);
    let wanted = |kind: TrackKind| match kept {
        SpansKept::All => true,
        SpansKept::Gpu => kind == TrackKind::GpuStream,
        SpansKept::None => false,
    };
    for id in profile.track_ids().filter(|id| wanted(profile.track(*id).kind)) {
        let (track, label) = (profile.track(id), profile.track_label(id));
        for (row, span) in (0u32..).zip(&track.spans.rows) {
            let back = (span.parent != NO_ROW).then(|| i64::from(row) - i64::from(span.parent));
            frame.row(&[
                making.run_id.into(),
                making.rank.into(),
                (&label).into(),
                track.kind.key().into(),
                span.start.into(),
                span.duration().into(),
                making.ids[span.function.index()].into(),
                span.depth.into(),
                back.into(),
                making.steps.at(span.start).into(),
            ]);
            if frame.rows >= GROUP_ROWS {
                out(&frame)?;
                frame = Frame::new(&SPANS);
            }
        }
    }
    out(&frame)
}
