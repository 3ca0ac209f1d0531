//! What is done with an object's members once all are there: names that stand twice, and names with dots.

use super::{Member, Members};

/// Up to so many members, each name is compared with each; beyond, they are sorted.
const COMPARED_MAX: usize = 24;
/// Parts of a name with dots that becomes an object; one with more stays as it is.
const PARTS_MAX: usize = 16;

/// Whether two members may have the same name.
#[inline]
pub(super) fn has_twins(members: &mut Members) -> bool {
    let all = &members.all;
    if all.len() <= COMPARED_MAX {
        return all.iter().enumerate().any(|(i, a)| all.iter().skip(i + 1).any(|b| a.print == b.print));
    }
    members.order.clear();
    members.order.extend(0..all.len() as u32);
    let print = |i: &u32| all.get(*i as usize).map_or(0, |member| member.print);
    members.order.sort_unstable_by_key(print);
    members.order.windows(2).any(|pair| matches!(pair, [a, b] if print(a) == print(b)))
}

/// The name of member `i`, without its quotes.
fn name<'a>(out: &'a [u8], all: &[Member], begin: usize, i: u32) -> &'a [u8] {
    all.get(i as usize).and_then(|m| out.get(begin + m.start as usize + 1..begin + m.name_end as usize - 1)).unwrap_or_default()
}

/// Removes all but one of the members of the same name. Gives whether there were any; their names are then left in
/// `members.text`, as the elements of a JSON array.
pub(super) fn drop_twins(out: &mut Vec<u8>, members: &mut Members, begin: usize) -> bool {
    let Members { all, order, text, sealed, nested_from, .. } = members;
    let named = |i: u32| name(out, all, begin, i);
    order.clear();
    order.extend(0..all.len() as u32);
    order.sort_unstable_by(|a, b| named(*a).cmp(named(*b)).then(a.cmp(b)));
    text.clear();
    // Those that go are gathered at the front of `order`, never ahead of what is still read.
    let (mut goes, mut from) = (0, 0);
    while let Some(&first) = order.get(from) {
        let count = order.iter().skip(from).take_while(|i| named(**i) == named(first)).count();
        if count > 1 {
            text.extend_from_slice(if text.is_empty() { b"\"" } else { b",\"" });
            text.extend_from_slice(named(first));
            text.push(b'"');
        }
        let of_sealed = order.iter().skip(from).take(count).filter(|i| **i < *sealed).count();
        let stays = from + if of_sealed > 0 { of_sealed } else { count } - 1;
        for at in (from..from + count).filter(|at| *at != stays) {
            order.swap(goes, at);
            goes += 1;
        }
        from += count;
    }
    order.truncate(goes);
    order.sort_unstable();
    if let Some(from) = nested_from {
        *from -= order.iter().filter(|i| **i < *from).count() as u32;
    }
    remove(out, all, order, begin);
    goes > 0
}

/// Removes the members `gone`, which ascend. What stays is moved over what goes, each byte once.
fn remove(out: &mut Vec<u8>, all: &mut Vec<Member>, gone: &[u32], begin: usize) {
    let end = (out.len() - begin) as u32;
    let (mut gone, mut kept, mut write) = (gone.iter().copied().peekable(), 0, 1u32);
    for i in 0..all.len() {
        let Some(member) = all.get(i).copied() else { break };
        // Up to the next member's name: the comma before it goes along.
        let to = all.get(i + 1).map_or(end, |next| next.start);
        if gone.next_if_eq(&(i as u32)).is_some() {
            continue;
        }
        out.copy_within(begin + member.start as usize..begin + to as usize, begin + write as usize);
        if let Some(slot) = all.get_mut(kept) {
            *slot = Member { start: write, name_end: write + (member.name_end - member.start), ..member };
        }
        kept += 1;
        write += to - member.start;
    }
    all.truncate(kept);
    out.truncate(begin + write as usize);
    // The comma behind the last member that stays, if what followed it went.
    if write > 1 && kept > 0 {
        out.pop_if(|byte| *byte == b',');
    }
}

/// Whether a name with dots becomes an object: `a.b`, but neither `.a` nor `a..b`.
fn is_nested(name: &[u8]) -> bool {
    let mut parts = 0;
    name.split(|byte| *byte == b'.').all(|part| {
        parts += 1;
        !part.is_empty() && parts <= PARTS_MAX
    }) && parts > 1
}

/// Makes objects of the members from number `from` on whose names have dots. They come last, in the order of their names. Gives
/// whether that was possible: with `a` and `a.b` it is not, and wherever `a.b` were put, who looks for it would not find it.
pub(super) fn nest(out: &mut Vec<u8>, members: &mut Members, begin: usize, from: usize) -> bool {
    let Members { all, order, nested: text, .. } = members;
    let named = |i: u32| name(out, all, begin, i);
    order.clear();
    order.extend((from as u32..all.len() as u32).filter(|i| is_nested(named(*i))));
    if order.is_empty() {
        return true;
    }
    // A dot sorts before all else, so that what begins alike stands together.
    let key = |i: u32| named(i).iter().map(|byte| if *byte == b'.' { 0 } else { *byte });
    order.sort_unstable_by(|a, b| key(*a).cmp(key(*b)));
    text.clear();
    // The objects that are open, their first, and the name before.
    let (mut open, mut top, mut before): (&[u8], &[u8], &[u8]) = (b"", b"", b"");
    for &i in order.iter() {
        let name = named(i);
        let first = memchr::memchr(b'.', name).and_then(|dot| name.get(..dot)).unwrap_or_default();
        let is_below_value = !before.is_empty() && name.strip_prefix(before).is_some_and(|rest| rest.starts_with(b"."));
        if is_below_value || (first != top && (0..all.len() as u32).any(|i| named(i) == first)) {
            return false;
        }
        (top, before) = (first, name);
        let cut = memchr::memrchr(b'.', name).unwrap_or(0);
        let (parent, leaf) = (name.get(..cut).unwrap_or_default(), name.get(cut + 1..).unwrap_or_default());
        turn(text, open, parent);
        open = parent;
        comma(text);
        text.push(b'"');
        text.extend_from_slice(leaf);
        text.extend_from_slice(b"\":");
        text.extend_from_slice(value(out, all, begin, i));
    }
    turn(text, open, b"");
    order.sort_unstable();
    remove(out, all, order, begin);
    if out.len() > begin + 1 {
        out.push(b',');
    }
    out.extend_from_slice(text);
    true
}

/// The value of member `i`.
fn value<'a>(out: &'a [u8], all: &[Member], begin: usize, i: u32) -> &'a [u8] {
    let from = all.get(i as usize).map_or(out.len(), |m| begin + m.name_end as usize + 1);
    let to = all.get(i as usize + 1).map_or(out.len(), |next| begin + next.start as usize - 1);
    out.get(from..to).unwrap_or_default()
}

fn comma(text: &mut Vec<u8>) {
    if !matches!(text.last(), None | Some(b'{')) {
        text.push(b',');
    }
}

/// Ends and begins objects, from those along the path `from` to those along `to`.
fn turn(text: &mut Vec<u8>, from: &[u8], to: &[u8]) {
    let count = |path: &[u8]| if path.is_empty() { 0 } else { path.split(|byte| *byte == b'.').count() };
    let common = match from.is_empty() || to.is_empty() {
        true => 0,
        false => from.split(|byte| *byte == b'.').zip(to.split(|byte| *byte == b'.')).take_while(|(a, b)| a == b).count(),
    };
    text.extend(std::iter::repeat_n(b'}', count(from) - common));
    if to.is_empty() {
        return;
    }
    for part in to.split(|byte| *byte == b'.').skip(common) {
        comma(text);
        text.push(b'"');
        text.extend_from_slice(part);
        text.extend_from_slice(b"\":{");
    }
}
