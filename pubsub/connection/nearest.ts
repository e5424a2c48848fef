/**
 * The name that a misspelt one was meant to be, whatever its case: the one in which fewest letters
 * differ, are missing, too many or swapped, and of two such the longer; undefined when more than a
 * third would have to change.
 */
export function nearest(word: string, names: Iterable<string>): string | undefined {
  const letters = word.toLowerCase();
  let least = Math.max(1, Math.floor(word.length / 3));
  let found = "";
  for (const name of names) {
    // A word of any length is as far as it is longer, without being looked through.
    if (Math.abs(name.length - word.length) > least) continue;
    const count = distance(letters, name.toLowerCase());
    if (count > least || (count === least && name.length <= found.length)) continue;
    [least, found] = [count, name];
  }
  return found === "" ? undefined : found;
}

/** How many letters to change, add, leave out, or swap with the next, to make one word of another. */
function distance(a: string, b: string): number {
  let before: number[] = [];
  let above = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const isSame = a[i - 1] === b[j - 1];
      let least = Math.min(above[j]! + 1, row[j - 1]! + 1, above[j - 1]! + (isSame ? 0 : 1));
      const isSwapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      if (isSwapped) least = Math.min(least, before[j - 2]! + 1);
      row.push(least);
    }
    [before, above] = [above, row];
  }
  return above[b.length]!;
}
