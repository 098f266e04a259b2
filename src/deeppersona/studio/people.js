// The people view: cards, instant search over everything, filters, sorting.

const BANDS = [[0, 17], [18, 29], [30, 44], [45, 59], [60, 74], [75, 999]];
const bandName = ([low, high]) => (high > 200 ? `${low} and over` : `${low}–${high}`);
const PAGE = 240;

const FACETS = [
  { key: 'country', label: 'Country', of: (p) => p.core.countryName },
  { key: 'sex', label: 'Sex', of: (p) => p.core.sex },
  { key: 'age', label: 'Age', order: BANDS.map(bandName),
    of: (p) => (p.age === null ? undefined : bandName(BANDS.find(([, high]) => p.age <= high) || BANDS[5])) },
  { key: 'education', label: 'Education', order: data.educationOrder, of: (p) => p.core.education },
  { key: 'employment', label: 'Employment', of: (p) => p.core.employment_status },
  { key: 'religion', label: 'Religion', of: (p) => p.core.religion },
];
const byText = (a, b) => (a < b ? -1 : a > b ? 1 : 0);
const SORTS = {
  run: ['Order of the run', (a, b) => a.place - b.place],
  name: ['Name', (a, b) => byText(a.name, b.name)],
  youngest: ['Youngest first', (a, b) => (a.age ?? 999) - (b.age ?? 999)],
  oldest: ['Oldest first', (a, b) => (b.age ?? -1) - (a.age ?? -1)],
  country: ['Country', (a, b) => byText(a.core.countryName || '', b.core.countryName || '')],
};

const facetOf = (facet, person) => {
  const value = facet.of(person);
  return value === undefined ? 'not said' : words(value);
};
const fold = (text) => text.normalize('NFD').replace(/[\u0300-\u036f]/g, '').toLowerCase();

/** The words of a search. */
const termsOf = (text) => fold(text).split(/[^\p{L}\p{N}]+/u).filter(Boolean);
const LETTER = /[\p{L}\p{N}]/u;

/** Where a word of the text begins with the term, or -1; beyond Latin letters, where words may not be parted, anywhere. */
function begins(text, term, from) {
  const anywhere = /[^\x00-\x7f]/.test(term);
  for (let at = text.indexOf(term, from || 0); at >= 0; at = text.indexOf(term, at + 1)) {
    if (anywhere || at === 0 || !LETTER.test(text[at - 1])) return at;
  }
  return -1;
}

/** Everything that can be searched of a person, made at the first search. */
function haystack(person) {
  if (person.hay === undefined) {
    const rows = person.traits.map((trait) => answer(trait.fact));
    person.hay = fold([person.id, person.name, person.core.countryName || '', person.narrative, ...rows].join('\n'));
  }
  return person.hay;
}

/** What in a person answers a search: the first trait that holds it, if the card itself does not. */
function finding(person, terms, shown) {
  const missing = terms.find((term) => begins(fold(shown), term) < 0);
  if (missing === undefined) return null;
  let best = null;
  for (const trait of person.traits) {
    const text = answer(trait.fact);
    const at = begins(fold(text), missing);
    if (at < 0) continue;
    const whole = !LETTER.test(text[at + missing.length] || ' ');
    if (whole || !best) best = `${capital(spaced(trait.path.split('.').pop()))}: ${text}`;
    if (whole) break;
  }
  if (best) return best;
  const at = begins(fold(person.narrative), missing);
  return at < 0 ? null : `… ${person.narrative.slice(Math.max(0, at - 30), at + missing.length + 40).replace(/\s+/g, ' ')} …`;
}

/** A text with the searched words marked. Only where folding keeps the length, so that places agree. */
function marked(text, terms) {
  const folded = fold(text);
  if (!terms.length || folded.length !== text.length) return [text];
  const out = [];
  let at = 0;
  while (at < text.length) {
    let best = -1;
    let long = 0;
    for (const term of terms) {
      const found = begins(folded, term, at);
      if (found >= 0 && (best < 0 || found < best || (found === best && term.length > long))) { best = found; long = term.length; }
    }
    if (best < 0) break;
    if (best > at) out.push(text.slice(at, best));
    out.push(el('mark', {}, text.slice(best, best + long)));
    at = best + long;
  }
  if (at < text.length) out.push(text.slice(at));
  return out;
}

/** The people that a query (of the address) leaves, in its order. */
function selected(query) {
  const terms = termsOf(query.get('q') || '');
  const wanted = FACETS.filter((facet) => query.get(facet.key));
  const kept = people.filter((person) => wanted.every((facet) => facetOf(facet, person) === query.get(facet.key))
    && terms.every((term) => begins(haystack(person), term) >= 0));
  const sort = SORTS[query.get('sort')] || SORTS.run;
  return [kept.sort((a, b) => sort[1](a, b) || a.place - b.place), terms];
}

function card(person, terms) {
  const first = person.narrative.split(/\s+/).slice(0, 30).join(' ');
  const excerpt = first.length < person.narrative.trim().length ? `${first.replace(/[,;:.]$/, '')} …` : first;
  const line = inShort(person);
  const why = terms.length ? finding(person, terms, [person.id, person.name, line, excerpt].join('\n')) : null;
  return el('li', {}, el('a', { class: 'card', href: linkTo(person), 'data-id': person.id },
    el('span', { class: 'card-head' }, avatar(person.id, 48),
      el('span', { class: 'card-who' }, el('span', { class: 'card-name' }, marked(person.name, terms)),
        el('span', { class: 'card-line' }, marked(line, terms)))),
    el('span', { class: 'card-text' }, marked(excerpt, terms)),
    why && el('span', { class: 'card-why' }, marked(why, terms))));
}

/** How the page says what it holds. */
function holdings() {
  if (people.length >= population.n) return '';
  return `Pages for the first ${grouped(people.length)} of ${grouped(population.n)} people; the rest are in personas/. `
    + 'The population view counts everybody.';
}

function masthead() {
  const named = population.countries.map(([, name]) => name);
  const places = named.length > 5 ? `${named.slice(0, 4).join(', ')} and ${named.length - 4} more` : named.join(', ');
  const fact = (term, value) => value !== '' && el('div', {}, el('dt', {}, term), el('dd', {}, value));
  const anchors = Object.entries(run.anchors).map(([key, value]) => `${spaced(key)} = ${value}`).join(', ');
  return el('section', { class: 'mast' },
    el('h1', {}, run.name),
    el('dl', { class: 'mast-facts' },
      fact('People', run.failures ? `${grouped(population.n)} (${grouped(run.failures)} could not be made)` : grouped(population.n)),
      fact(named.length === 1 ? 'Country' : 'Countries', places || '–'),
      fact('Seed', String(run.seed)), fact('Depth', `${run.depth} attributes`), fact('Engine', run.engine),
      fact('Anchors', anchors)),
    el('p', { class: 'mast-note' }, 'Synthetic people: drawn from statistics, told in language. Nobody real is described. ', holdings()));
}

let listQuery = new URLSearchParams();
let listShown = PAGE;
let leftAt = null;

function chooser(label, key, options, chosen, change) {
  const select = el('select', { id: `f-${key}`, name: key }, options.map(([value, text]) =>
    el('option', { value, selected: value === chosen }, text)));
  select.addEventListener('change', () => change(key, select.value));
  return el('div', { class: chosen && key !== 'sort' ? 'field on' : 'field' }, el('label', { for: `f-${key}` }, label), select);
}

function facetOptions(facet) {
  const counts = new Map();
  for (const person of people) {
    const value = facetOf(facet, person);
    counts.set(value, (counts.get(value) || 0) + 1);
  }
  const place = (value) => { const at = (facet.order || []).indexOf(value); return at < 0 ? 999 : at; };
  const names = [...counts.keys()].sort((a, b) => place(a) - place(b) || byText(a, b));
  return [['', 'All'], ...names.map((value) => [value, `${value} (${counts.get(value)})`])];
}

function peopleView(query) {
  if (String(query) !== String(listQuery)) listShown = PAGE;
  listQuery = query;
  const results = el('ul', { class: 'cards', id: 'cards' });
  const count = el('p', { class: 'count', role: 'status', id: 'count' });
  const more = el('button', { type: 'button', class: 'button more', onclick: () => { listShown += PAGE; draw(); } }, 'Show more');
  const none = el('p', { class: 'note', id: 'none' }, people.length ? 'Nobody answers to that. Loosen the search or a filter.' : 'This page carries no people of their own; see the population.');
  const clear = el('button', { type: 'button', class: 'button quiet', id: 'clear', onclick: () => { location.hash = '#/'; } }, 'Clear all');
  const search = el('input', { type: 'search', id: 'q', placeholder: 'Names, portraits, every trait', autocomplete: 'off',
    spellcheck: 'false', enterkeyhint: 'search', value: query.get('q') || '' });
  const change = (key, value) => {
    if (value && !(key === 'sort' && value === 'run')) listQuery.set(key, value); else listQuery.delete(key);
    listShown = PAGE;
    rewrite(`#/${String(listQuery) && `?${listQuery}`}`);
    const field = document.getElementById(`f-${key}`);
    if (field && key !== 'sort') field.parentNode.classList.toggle('on', Boolean(value));
    draw();
  };
  search.addEventListener('input', () => change('q', search.value.trim()));
  function draw() {
    const [kept, terms] = selected(listQuery);
    results.replaceChildren(...kept.slice(0, listShown).map((person) => card(person, terms)));
    count.textContent = kept.length === people.length ? counted(people.length, 'person', 'people')
      : `${grouped(kept.length)} of ${counted(people.length, 'person', 'people')}`;
    more.hidden = kept.length <= listShown;
    none.hidden = kept.length > 0;
    const active = FACETS.filter((facet) => listQuery.get(facet.key)).length;
    clear.hidden = active === 0 && !listQuery.get('q');
    summary.textContent = active ? `Filters (${active} on)` : 'Filters';
  }
  const summary = el('summary', {}, 'Filters');
  const filters = el('details', { class: 'filters', open: matchMedia('(min-width: 760px)').matches || FACETS.some((f) => query.get(f.key)) },
    summary, el('div', { class: 'fields' }, FACETS.map((facet) =>
      chooser(facet.label, facet.key, facetOptions(facet), query.get(facet.key) || '', change))));
  const tools = el('form', { class: 'tools', role: 'search', onsubmit: (event) => event.preventDefault() },
    el('div', { class: 'tools-row' },
      el('div', { class: 'search' }, el('label', { for: 'q' }, 'Search'), search, el('kbd', { 'aria-hidden': 'true' }, '/')),
      chooser('Sort by', 'sort', Object.entries(SORTS).map(([key, [label]]) => [key, label]), query.get('sort') || 'run', change)),
    filters, el('div', { class: 'count-row' }, count, clear));
  draw();
  return [masthead(), tools, results, none, more];
}

/** Move the focus from card to card with the arrow keys. */
function moveAmongCards(key) {
  const cards = [...document.querySelectorAll('a.card')];
  const at = cards.indexOf(document.activeElement);
  if (!cards.length) return false;
  if (at < 0) {
    if (key !== 'ArrowDown' || document.activeElement.id !== 'q') return false;
    cards[0].focus();
    return true;
  }
  const top = (node) => Math.round(node.getBoundingClientRect().top);
  const columns = Math.max(1, cards.filter((node) => top(node) === top(cards[0])).length);
  const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns, ArrowUp: -columns }[key];
  const to = cards[at + step];
  if (!to && key === 'ArrowUp') document.getElementById('q').focus();
  else if (to) to.focus();
  return true;
}
