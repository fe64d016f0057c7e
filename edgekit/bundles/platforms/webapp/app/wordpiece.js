// From a text to pieces of words by wordpiece.json, which says what becomes of every character: as
// `edgekit/bundles/wordpiece.py`. Asks nothing of the browser's own Unicode.

const HANGUL = 0xac00;

/** Characters of a text, at most `most`; a half of one, which is no text, is a "?". */
export function charactersOf(text, most) {
  // No character takes more than two units.
  const characters = Array.from(text.slice(0, 2 * most)).slice(0, most);
  return characters.map((one) => (/^[\ud800-\udfff]$/.test(one) ? "?" : one));
}

/** A tokenizer, from what wordpiece.json holds. */
export class WordPiece {
  #table;
  #number;
  #special;

  constructor(table) {
    this.#table = table;
    this.#number = new Map(table.pieces.map((piece, number) => [piece, number]));
    // Of two at one place the longer.
    this.#special = [...table.special].sort(([one], [other]) => other.length - one.length);
  }

  /** Tokens of a text, at most `length`. */
  encode(text, length) {
    const { cut, before, after } = this.#table;
    const plain = charactersOf(text, length * cut).join("");
    const tokens = [...before];
    for (const part of this.#parts(plain)) {
      if (typeof part === "number") tokens.push(part);
      else for (const word of this.#words(this.#normal(part))) this.#pieces(word, tokens);
    }
    return [...tokens, ...after].slice(0, length);
  }

  // The text between special ones, and their numbers.
  *#parts(text) {
    let begin = 0;
    for (let at = 0; at < text.length; ) {
      const found = this.#special.find(([special]) => text.startsWith(special, at));
      if (!found) {
        at += 1;
        continue;
      }
      yield text.slice(begin, at);
      yield found[1];
      begin = at += found[0].length;
    }
    yield text.slice(begin);
  }

  // Characters as they are looked up: folded, dropped, taken apart, marks in their order.
  #normal(text) {
    const { becomes, order, breaks } = this.#table;
    const made = []; // [rank, character]; 0 of what stays in its place
    let run = 0; // where the run of combining characters begins
    for (const character of text) {
      if (ruleOf(breaks, character)) run = made.length;
      for (const one of applied(ruleOf(becomes, character), character)) {
        const rank = ruleOf(order, one)?.[2] ?? 0;
        let at = made.length;
        while (rank && at > run && made[at - 1][0] > rank) at--;
        made.splice(at, 0, [rank, one]);
        if (!rank) run = made.length;
      }
    }
    return made.map(([, character]) => character);
  }

  *#words(characters) {
    let word = [];
    let kind = null;
    for (const character of characters) {
      const here = ["spaces", "alone", "runs"].find((name) => ruleOf(this.#table[name], character));
      if (word.length && (here !== kind || here === "alone")) {
        yield word;
        word = [];
      }
      kind = here;
      if (here !== "spaces") word.push(character);
    }
    if (word.length) yield word;
  }

  // The longest piece that is in the vocabulary, again and again.
  #pieces(word, tokens) {
    const { unknown, longest, continued } = this.#table;
    const made = [];
    for (let at = 0; at < word.length; ) {
      let end = word.length <= longest ? word.length : at;
      let number;
      for (; end > at; end--) {
        number = this.#number.get((at ? continued : "") + word.slice(at, end).join(""));
        if (number !== undefined) break;
      }
      if (number === undefined) {
        tokens.push(unknown);
        return;
      }
      made.push(number);
      at = end;
    }
    tokens.push(...made);
  }
}

// The range [first, last, …] that a character lies in; ranges are ascending.
function ruleOf(ranges, character) {
  const point = character.codePointAt(0);
  let [low, high] = [0, ranges.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (ranges[middle][0] <= point) low = middle + 1;
    else high = middle;
  }
  const found = ranges[low - 1];
  return found && point <= found[1] ? found : undefined;
}

function applied(rule, character) {
  if (!rule) return character;
  const [, , how, what] = rule;
  if (how === "to") return what;
  if (how === "shift") return String.fromCodePoint(character.codePointAt(0) + what);
  if (how === "apart") return ` ${character} `;
  // The letters of a Hangul syllable: The Unicode Standard, 3.12.
  const index = character.codePointAt(0) - HANGUL;
  const letters = [0x1100 + Math.floor(index / 588), 0x1161 + Math.floor((index % 588) / 28)];
  if (index % 28) letters.push(0x11a7 + (index % 28));
  return String.fromCodePoint(...letters);
}
