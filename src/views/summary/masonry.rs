//! Cards in columns: as many as the width allows, each card below the shortest column so far.

/// Narrowest column, points.
const NARROWEST: f32 = 330.0;
/// Most columns: longer lines do not read better.
const MOST: usize = 4;

/// Number of columns and the width of each.
#[must_use]
pub fn columns(width: f32, gap: f32) -> (usize, f32) {
    let count = (((width + gap) / (NARROWEST + gap)).floor() as usize).clamp(1, MOST);
    (count, ((width - gap * (count - 1) as f32) / count as f32).max(1.0))
}

/// Column and top of each card, and the height of all.
#[must_use]
pub fn place(heights: &[f32], count: usize, gap: f32) -> (Vec<(usize, f32)>, f32) {
    let mut filled = vec![0.0f32; count.max(1)];
    let places = heights
        .iter()
        .map(|height| {
            let column = (0..filled.len()).min_by(|&a, &b| filled[a].total_cmp(&filled[b])).unwrap_or(0);
            let top = filled[column];
            filled[column] += height + gap;
            (column, top)
        })
        .collect();
    let height = filled.into_iter().fold(0.0, f32::max) - gap;
    (places, height.max(0.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_fill_the_width() {
        for width in [120.0, 300.0, 700.0, 1024.0, 1600.0, 4000.0] {
            let (count, each) = columns(width, 10.0);
            let used = each * count as f32 + 10.0 * (count - 1) as f32;
            assert!((used - width).abs() < 0.01, "{width}");
        }
        assert_eq!(columns(300.0, 10.0).0, 1);
        assert_eq!(columns(1600.0, 10.0).0, 4);
    }

    #[test]
    fn cards_go_below_the_shortest_column_and_never_overlap() {
        let heights = [100.0, 40.0, 30.0, 50.0, 10.0];
        let (places, height) = place(&heights, 2, 10.0);
        assert_eq!(places, [(0, 0.0), (1, 0.0), (1, 50.0), (1, 90.0), (0, 110.0)]);
        assert_eq!(height, 140.0);
        assert_eq!(place(&[], 3, 10.0), (vec![], 0.0));
    }
}
