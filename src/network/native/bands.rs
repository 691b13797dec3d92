//! Rows of an image that one thread computes and writes by itself.

use super::graph::Post;
use super::place::Place;
use super::plan::Plan;
use super::winograd::TILE;
use fearless_simd::prelude::*;
use fearless_simd::{Level, Simd, dispatch, f32x4};
use std::ops::Range;

/// Rows whose sums are made by themselves and then added up in their order, so that they are the same with any number of threads.
pub const BLOCK: usize = 16;

/// Bands for each thread, so that none waits long for the last.
const FOR_EACH: usize = 8;

/// Fewest pixels that are worth a band: its last batch is no full one.
const LEAST: usize = 3072;

/// Bands of rows for so many threads, from multiples of `block` rows on, which is one of a tile's side.
pub fn split(height: usize, width: usize, block: usize, threads: usize) -> Vec<Range<usize>> {
    debug_assert!(block.is_multiple_of(TILE));
    let least = LEAST.div_ceil(width.max(1)).min(height.div_ceil(threads));
    let many = if threads == 1 { 1 } else { FOR_EACH * threads };
    let rows = height.div_ceil(many).max(least).next_multiple_of(block);
    (0..height).step_by(rows).map(|first| first..height.min(first + rows)).collect()
}

/// Pixels for which everything is done to their values before the next, so that they stay in the nearest cache.
pub const PIECE: usize = TILE * TILE;

/// Values that are multiplied at a time with what is made of them.
const GATED: usize = 256;

/// Rows of a value while they are written, and what is read for them.
pub struct Rows<'a> {
    pub plan: &'a Plan,
    /// All buffers but the one that is written.
    pub slots: &'a [Vec<f32>],
    /// Where the value lies.
    pub place: Place,
    /// The first of its rows that is here.
    pub first: usize,
    /// These rows of the buffer.
    pub values: &'a mut [f32],
}

impl Rows<'_> {
    /// Where a pixel begins. What lies in the same buffer lies beside it.
    #[inline(always)]
    fn index(&self, place: &Place, [y, x]: [usize; 2]) -> usize {
        place.origin % place.row + (y - self.first) * place.row + x * place.pixel
    }

    /// From this pixel of a value on: of the same one, where the value lies in the buffer that is written.
    #[inline(always)]
    pub fn read(&self, place: &Place, [y, x]: [usize; 2]) -> &[f32] {
        if place.slot == self.place.slot {
            return &self.values[self.index(place, [y, x])..];
        }
        &self.slots[place.slot][place.origin + y * place.row + x * place.pixel..]
    }

    /// From this pixel on.
    #[inline(always)]
    pub fn write(&mut self, at: [usize; 2]) -> &mut [f32] {
        let index = self.index(&self.place, at);
        &mut self.values[index..]
    }

    /// What is done to pixels of a step's output before they are written, which lie one after another; `at` says where they go, unless
    /// they are beyond the image.
    // Called in two places, and large.
    #[inline(never)]
    pub fn finish(&self, posts: &[Post], at: &dyn Fn(usize) -> Option<[usize; 2]>, lines: &mut [f32]) {
        dispatch!(Level::new(), _ => self.finish_here(posts, at, lines));
    }

    /// With the instructions of the level that it is called at.
    #[inline(always)]
    fn finish_here(&self, posts: &[Post], at: &dyn Fn(usize) -> Option<[usize; 2]>, lines: &mut [f32]) {
        let channels = self.place.shape.channels;
        for post in posts {
            if post.is_even() {
                change(post, lines);
                continue;
            }
            for (index, line) in lines.chunks_exact_mut(channels).enumerate() {
                let Some([y, x]) = at(index) else { continue };
                let other = |value: usize| {
                    let place = &self.plan.places[value];
                    let at = if place.shape.size() == [1, 1] { [0, 0] } else { [y, x] };
                    &self.read(place, at)[..place.shape.channels]
                };
                match post {
                    Post::AddValue(value) => each(line, other(*value), |v, other| *v += other),
                    Post::SubtractValue(value) => each(line, other(*value), |v, other| *v -= other),
                    Post::MultiplyValue(value) => each(line, other(*value), |v, other| *v *= other),
                    Post::DivideValue(value) => each(line, other(*value), |v, other| *v /= other),
                    post => change(post, line),
                }
            }
        }
    }
}

/// Changes values by one number, or each by its own.
#[inline(always)]
fn each(line: &mut [f32], list: &[f32], change: impl Fn(&mut f32, f32)) {
    match list {
        [one] => line.iter_mut().for_each(|value| change(value, *one)),
        many => line.iter_mut().zip(many).for_each(|(value, own)| change(value, *own)),
    }
}

/// What is done to a pixel, or where all channels are alike to several, without other values.
#[inline(always)]
fn change(post: &Post, line: &mut [f32]) {
    match post {
        // NaN stays.
        Post::Relu => line.iter_mut().for_each(|v| *v = if *v < 0.0 { 0.0 } else { *v }),
        Post::Leaky(list) => each(line, list, |v, slope| *v = if *v < 0.0 { *v * slope } else { *v }),
        Post::Clip(low, high) => line.iter_mut().for_each(|v| {
            let lower = if *v < *low { *low } else { *v };
            *v = if lower > *high { *high } else { lower };
        }),
        Post::Curve(curve) => curve.apply(line),
        Post::Gate(posts) => gate(posts, line),
        Post::Add(list) => each(line, list, |v, other| *v += other),
        Post::Multiply(list) => each(line, list, |v, other| *v *= other),
        Post::Divide(list) => each(line, list, |v, other| *v /= other),
        Post::AddValue(_) | Post::SubtractValue(_) | Post::MultiplyValue(_) | Post::DivideValue(_) => {}
    }
}

/// Multiplies values with what is made of them.
#[inline(never)]
fn gate(posts: &[Post], line: &mut [f32]) {
    for values in line.chunks_mut(GATED) {
        let mut shares = [0.0; GATED];
        let shares = &mut shares[..values.len()];
        shares.copy_from_slice(values);
        posts.iter().for_each(|post| change(post, shares));
        each(values, shares, |v, share| *v *= share);
    }
}

/// Copies values vector by vector: in browsers, `copy_from_slice` calls a function, which for a pixel takes longer.
#[inline(always)]
pub fn put<S: Simd>(simd: S, from: &[f32], to: &mut [f32]) {
    let ((from, from_rest), (to, to_rest)) = (from.as_chunks::<4>(), to.as_chunks_mut::<4>());
    from.iter().zip(to).for_each(|(from, to)| f32x4::load_array_ref(simd, from).store_array(to));
    from_rest.iter().zip(to_rest).for_each(|(from, to)| *to = *from);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bands_are_all_rows_in_their_order() {
        for (height, width, block, threads) in
            [(64, 64, 16, 2), (7, 9, 4, 3), (1, 1, 4, 7), (300, 500, 16, 8)]
        {
            let bands = split(height, width, block, threads);
            let rows: Vec<usize> = bands.iter().cloned().flatten().collect();
            assert_eq!(rows, (0..height).collect::<Vec<_>>());
            assert!(bands.iter().all(|band| band.start.is_multiple_of(block)));
        }
        assert_eq!(split(64, 64, 16, 2), [0..32, 32..64]);
        assert_eq!(split(500, 9, 16, 1).len(), 1);
    }
}
