// What every view uses: making elements, reading the packed data, words, the tooltip, the picture of an id.

/** Make an element. Strings become text nodes, never markup. */
function el(tag, attributes, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** Make an SVG element. */
function svg(tag, attributes, ...children) {
  return fill(document.createElementNS('http://www.w3.org/2000/svg', tag), attributes, children);
}

function fill(node, attributes, children) {
  for (const [key, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith('on')) node.addEventListener(key.slice(2), value);
    else node.setAttribute(key, value === true ? '' : String(value));
  }
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false && child !== ''));
  return node;
}

const data = JSON.parse(document.getElementById('data').textContent);
const { run, population, tables } = data;
const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
const DIGIT = new Uint8Array(128);
for (let k = 0; k < 64; k++) DIGIT[ALPHABET.charCodeAt(k)] = k;

/** Read a packed list of numbers (pack.py says how it is written). */
function numbers(text) {
  const out = [];
  let value = 0;
  let scale = 1;
  for (let k = 0; k < text.length; k++) {
    const digit = DIGIT[text.charCodeAt(k)];
    value += (digit % 32) * scale;
    if (digit >= 32) scale *= 32;
    else { out.push(value); value = 0; scale = 1; }
  }
  return out;
}

const factPaths = numbers(tables.factPaths);

/** Read a packed text back, letter for letter. */
function textOf(packed) {
  let out = '';
  let begun = true;
  for (const place of numbers(packed || '')) {
    if (place === 0) { out += '\n'; begun = true; continue; }
    out += (begun ? '' : ' ') + tables.sentences[place];
    begun = false;
  }
  return out;
}

const words = (value) => (Array.isArray(value) ? value.join(', ') : String(value));
const spaced = (key) => String(key).replace(/_/g, ' ');
const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);
const grouped = (n) => Number(n).toLocaleString('en-US');
const counted = (n, one, many) => `${grouped(n)} ${n === 1 ? one : many}`;
const share = (part, whole) => {
  const percent = whole ? (100 * part) / whole : 0;
  return percent > 0 && percent < 1 ? '< 1%' : `${Math.round(percent)}%`;
};

/** The answer of a trait in words: a step of a scale with its label, a number with its unit. */
function answer(fact) {
  const value = tables.factValues[fact];
  const meaning = data.answers[factPaths[fact]];
  if (Array.isArray(meaning) && meaning[value - 1] !== undefined) return meaning[value - 1];
  if (typeof meaning === 'string' && typeof value === 'number') return `${grouped(value)} ${meaning}`;
  return words(value) || 'nothing';
}

/** A person unpacked: core facts at hand, everything else when asked for. */
function unpack(raw, place) {
  const flat = numbers(raw.t);
  const core = {};
  const five = {};
  const traits = [];
  for (let k = 0; k < flat.length; k += 2) {
    const path = tables.paths[factPaths[flat[k]]];
    const [source, evidence] = tables.evidence[flat[k + 1]];
    const trait = { path, fact: flat[k], source, evidence };
    traits.push(trait);
    const steps = path.split('.');
    if (steps[0] === 'demographics' && steps.length === 2) {
      core[steps[1]] = tables.factValues[flat[k]];
      if (steps[1] === 'country') core.countryName = words(evidence.name || core.country);
    }
    if (path.startsWith('personality.big_five.')) five[steps[2]] = tables.factValues[flat[k]];
  }
  const person = { raw, place, id: raw.i, traits, core, five };
  person.name = core.name === undefined ? raw.i : words(core.name);
  person.age = typeof core.age === 'number' ? core.age : null;
  person.narrative = textOf(raw.n);
  return person;
}

const people = data.people.map(unpack);
const byId = new Map(people.map((person) => [person.id, person]));
const linkTo = (person, more) => `#/p/${encodeURIComponent(person.id)}${more || ''}`;

/** One line on who somebody is. */
function inShort(person) {
  const { core } = person;
  const parts = [person.age === null ? '' : String(person.age), core.occupation === undefined ? '' : words(core.occupation)];
  const where = [core.city, core.countryName].filter((x) => x !== undefined).map(words).join(', ');
  return [...parts, where].filter(Boolean).join(' · ');
}

/** Where a trait came from, in a sentence. */
function origin(source, evidence) {
  const e = evidence || {};
  const of = e.of ? ` of ${words(e.of)}` : '';
  const known = ['table', 'of', 'name', 'stratum', 'p', 'story', 'percentile', 'as', 'scale', 'colour'];
  const rest = Object.keys(e).filter((key) => !known.includes(key)).map((key) => `${spaced(key)}: ${words(e[key])}`);
  let text;
  if (source === 'table') {
    text = e.table ? `from table ${words(e.table)}${of}` : e.name ? `from the plan: ${words(e.name)}` : `from the tables${of}`;
    if (e.percentile !== undefined) text += `; percentile ${e.percentile}`;
    if (e.as) text += `; ${words(e.as)}`;
    if (e.scale) text += `; ${words(e.scale)}`;
  } else if (source === 'prior') {
    text = typeof e.p === 'number' ? `prior: ${e.p < 0.01 ? 'fewer than 1' : Math.round(100 * e.p)}% of people like this would say so`
      : 'prior: drawn from what people like this would say';
    if (e.stratum) text += `; stratum ${words(e.stratum)}`;
  } else if (source === 'story') {
    text = e.story ? `told in the story “${words(e.story)}”` : 'told in a story';
  } else {
    text = { given: 'given by whoever asked for this person', model: 'written by a language model',
      derived: 'worked out from other facts of this person', edited: 'edited by hand',
      learnt: 'learnt in a conversation' }[source] || source;
  }
  return rest.length ? `${text}; ${rest.join('; ')}` : text;
}

// ---- the tooltip: one element, moved to what is pointed at or focused
const tip = document.getElementById('tip');

function showTip(text, x, y) {
  tip.textContent = text;
  tip.hidden = false;
  const box = tip.getBoundingClientRect();
  const left = Math.min(Math.max(8, x - box.width / 2), document.documentElement.clientWidth - box.width - 8);
  const above = y - box.height - 10;
  tip.style.left = `${Math.max(8, left)}px`;
  tip.style.top = `${above < 56 ? y + 22 : above}px`;
}

function hideTip() { tip.hidden = true; }

/** Show a text by a node when it is pointed at, focused or tapped. */
function tipped(node, text) {
  const show = () => {
    const box = node.getBoundingClientRect();
    showTip(text, box.left + box.width / 2, box.top);
  };
  node.addEventListener('pointerenter', show);
  node.addEventListener('pointerleave', hideTip);
  node.addEventListener('focus', show);
  node.addEventListener('blur', hideTip);
  node.addEventListener('click', show);
  return node;
}

addEventListener('scroll', hideTip, { passive: true });

// ---- the picture of an id: nine tiles, the same for the same id, nobody's face
const TILES = [
  'M0 0h10v10H0z', 'M0 0h10A10 10 0 0 1 0 10z', 'M10 0v10H0A10 10 0 0 1 10 0z', 'M10 10H0V0a10 10 0 0 1 10 10z',
  'M0 10V0a10 10 0 0 0 10 10z', 'M0 0h10L0 10z', 'M10 10H0L10 0z', 'M5 0a5 5 0 0 1 0 10A5 5 0 0 1 5 0z',
  'M0 0a5 5 0 0 0 10 0z', 'M0 10a5 5 0 0 1 10 0z', 'M5 1.6a3.4 3.4 0 0 1 0 6.8a3.4 3.4 0 0 1 0-6.8z',
];

function avatar(id, size) {
  let state = 2166136261;
  for (const letter of id) state = Math.imul(state ^ letter.codePointAt(0), 16777619);
  const next = (n) => {
    state ^= state << 13; state ^= state >>> 17; state ^= state << 5;
    return ((state >>> 0) % 65521) % n;
  };
  for (let k = 0; k < 8; k++) next(2);
  const palette = next(6);
  const picture = svg('svg', { viewBox: '0 0 30 30', width: size, height: size, class: `avatar pal${palette}`,
    'aria-hidden': 'true', focusable: 'false' }, svg('rect', { width: 30, height: 30, class: 'ground' }));
  const tile = (x, y, shape, ink) => picture.append(
    svg('path', { d: TILES[shape], transform: `translate(${x * 10} ${y * 10})`, class: `ink${ink}` }));
  for (let y = 0; y < 3; y++) {
    for (let x = 0; x < 3; x++) if (next(6)) tile(x, y, next(TILES.length), next(3));
  }
  return picture;
}
