// A person's page: portrait, stories along a life line, core facts, the Big Five, every trait with its source; the book.

const CORE_ROWS = [['age', 'Age'], ['sex', 'Sex'], ['country', 'Country'], ['city', 'Place'], ['education', 'Education'],
  ['occupation', 'Occupation'], ['former_occupation', 'Formerly'], ['employment_status', 'Employment'], ['income', 'Income'],
  ['marital_status', 'Marital status'], ['children', 'Children'], ['household_size', 'Household'], ['religion', 'Religion'],
  ['language', 'Language']];
const FIVE = ['extraversion', 'agreeableness', 'conscientiousness', 'neuroticism', 'openness'];
const categoryTitle = new Map(data.categories);

function paragraphs(text) {
  return text.split(/\n\s*\n/).map((part) => part.trim()).filter(Boolean).map((part) => el('p', {}, part));
}

/** Move places on a line of 0 to 100 apart, so that none lies on another. */
function spread(places, gap) {
  const out = [...places];
  for (let k = 1; k < out.length; k++) out[k] = Math.max(out[k], out[k - 1] + gap);
  for (let k = out.length - 1, most = 100; k >= 0; k--, most -= gap) out[k] = Math.max(0, Math.min(out[k], most));
  return out;
}

function lifeLine(person) {
  const stories = (person.raw.s || []).map(([age, title, text]) => ({ age, title: words(title), text: textOf(text) }))
    .sort((a, b) => (a.age ?? 0) - (b.age ?? 0));
  if (!stories.length) return null;
  const end = Math.max(person.age || 0, ...stories.map((s) => s.age || 0), 1);
  const line = el('div', { class: 'line' }, el('span', { class: 'line-end', 'aria-hidden': 'true' }, 'born'),
    el('span', { class: 'line-end last', 'aria-hidden': 'true' }, person.age === null ? '' : `${person.age} now`));
  const items = [];
  const places = spread(stories.map((story) => (100 * (story.age || 0)) / end), 5);
  let below = false;
  stories.forEach((story, k) => {
    below = k > 0 && places[k] - places[k - 1] < 10 && !below;
    const item = el('li', { class: 'story', tabindex: '-1', id: `story-${k}` },
      el('div', { class: 'story-age' }, el('span', {}, 'age'), el('b', {}, words(story.age ?? '–'))),
      el('div', {}, el('h3', {}, story.title), paragraphs(story.text)));
    const dot = el('button', { type: 'button', class: below ? 'dot below' : 'dot', 'aria-label': `Story at age ${story.age}: ${story.title}`,
      onclick: () => { hideTip(); item.scrollIntoView({ block: 'center', behavior: calm() ? 'auto' : 'smooth' }); item.focus({ preventScroll: true }); } },
    el('span', {}, words(story.age ?? '')));
    dot.style.left = `${places[k]}%`;
    line.append(tipped(dot, story.title));
    items.push(item);
  });
  return el('section', { class: 'block stories', 'aria-labelledby': 'h-stories' },
    el('h2', { id: 'h-stories' }, stories.length === 1 ? 'A turning point' : 'Turning points'),
    el('div', { class: 'line-box' }, line), el('ol', { class: 'story-list' }, items));
}

function coreFacts(person) {
  const { core } = person;
  const told = {
    country: core.countryName,
    city: core.city === undefined ? core.urban : words(core.city) + (core.urban === 'rural' ? ', in the countryside nearby' : ''),
  };
  const kin = person.traits.find((trait) => trait.path === 'relationships.kin.lives_with');
  const rows = CORE_ROWS.filter(([key]) => core[key] !== undefined || told[key] !== undefined)
    .map(([key, label]) => [label, words(told[key] === undefined ? core[key] : told[key])]);
  if (kin) rows.push(['Lives with', answer(kin.fact)]);
  if (!rows.length) return null;
  return el('section', { class: 'block', 'aria-labelledby': 'h-core' }, el('h2', { id: 'h-core' }, 'Core facts'),
    el('table', { class: 'facts' }, el('tbody', {}, rows.map(([label, value]) =>
      el('tr', {}, el('th', { scope: 'row' }, label), el('td', {}, value))))));
}

function bigFive(person) {
  const means = new Map(population.five.map(([trait, , mean]) => [trait, mean]));
  const rows = FIVE.filter((trait) => typeof person.five[trait] === 'number');
  if (!rows.length) return null;
  return el('section', { class: 'block', 'aria-labelledby': 'h-five' }, el('h2', { id: 'h-five' }, 'Big Five'),
    el('div', { class: 'five' }, rows.map((trait) => {
      const score = person.five[trait];
      const mean = means.get(trait);
      const place = (x) => `${Math.min(100, Math.max(0, ((x - 1) / 4) * 100))}%`;
      const bar = el('span', { class: 'five-fill' });
      bar.style.width = place(score);
      const tick = el('span', { class: 'five-mean' });
      tick.style.left = place(mean === undefined ? 1 : mean);
      const track = el('span', { class: 'five-track', role: 'img', 'aria-label': `${trait} ${score} of 5; mean of this population ${mean}` }, bar, tick);
      return el('div', { class: 'five-row' }, el('span', { class: 'five-name' }, capital(trait)),
        tipped(track, `${capital(trait)} ${score}; mean of this population ${mean}`),
        el('span', { class: 'five-score' }, Number(score).toFixed(1)));
    })),
    el('p', { class: 'key' }, 'From 1 to 5. The mark is the mean of this population.'));
}

function traitRow(trait, terms) {
  const badge = tipped(el('button', { type: 'button', class: `src src-${trait.source}`,
    'aria-label': `${trait.source}: ${origin(trait.source, trait.evidence)}` }, trait.source), origin(trait.source, trait.evidence));
  return el('div', { class: 'trait' }, el('dt', {}, marked(capital(spaced(trait.path.split('.').pop())), terms)),
    el('dd', {}, el('span', { class: 'trait-value' }, marked(trait.path === 'demographics.country' ? words(trait.evidence.name || answer(trait.fact)) : answer(trait.fact), terms),
      trait.evidence.colour ? el('em', { class: 'colour' }, words(trait.evidence.colour)) : ''), badge));
}

/** What the model was asked for and did not give; what stands in was drawn. */
function holesOf(person) {
  const holes = person.raw.m || [];
  if (!holes.length) return null;
  return el('section', { class: 'block holes' }, el('h2', {}, counted(holes.length, 'hole', 'holes'), ' in what the model wrote'),
    el('ul', {}, holes.map(([path, reason]) => el('li', {}, `${spaced(path)}: ${words(reason)}`))));
}

function traitsOf(person, query) {
  const groups = new Map(data.categories.map(([key]) => [key, []]));
  for (const trait of person.traits) {
    const key = trait.path.split('.')[0];
    if (!groups.has(key)) groups.set(key, []);
    groups.get(key).push(trait);
  }
  const boxes = [];
  for (const [key, traits] of groups) {
    if (!traits.length) continue;
    const count = el('span', { class: 'cat-count' }, String(traits.length));
    const body = el('div', { class: 'cat-body' });
    const box = el('details', { class: 'cat', 'data-category': key }, el('summary', {},
      el('span', { class: 'cat-title' }, categoryTitle.get(key) || capital(spaced(key))), count,
      el('span', { class: 'cat-teaser', 'aria-hidden': 'true' }, traits.slice(-3).map((t) => answer(t.fact)).join(' · '))), body);
    const draw = (terms) => {
      const trees = new Map();
      let kept = 0;
      for (const trait of traits) {
        const tree = trait.path.split('.').slice(1, -1).map(spaced).join(' › ') || 'core';
        const text = fold(`${spaced(trait.path)} ${answer(trait.fact)} ${trait.source}`);
        if (!terms.every((term) => begins(text, term) >= 0)) continue;
        if (!trees.has(tree)) trees.set(tree, []);
        trees.get(tree).push(traitRow(trait, terms));
        kept += 1;
      }
      body.replaceChildren(...[...trees].map(([tree, rows]) => el('section', { class: 'tree' }, el('h4', {}, capital(tree)), el('dl', {}, rows))));
      count.textContent = terms.length ? `${kept} of ${traits.length}` : String(traits.length);
      box.hidden = terms.length > 0 && kept === 0;
      return kept;
    };
    draw([]);
    boxes.push({ box, draw });
  }
  const status = el('p', { class: 'count', role: 'status' });
  const all = el('button', { type: 'button', class: 'button quiet', onclick: () => {
    const open = boxes.some(({ box }) => !box.open);
    boxes.forEach(({ box }) => { box.open = open; });
  } }, 'Open or close all');
  const input = el('input', { type: 'search', id: 'trait-q', autocomplete: 'off', spellcheck: 'false', placeholder: 'Find among the traits' });
  const find = () => {
    const terms = termsOf(input.value);
    let kept = 0;
    boxes.forEach(({ box, draw }) => { kept += draw(terms); box.open = terms.length > 0; });
    status.textContent = terms.length ? counted(kept, 'trait', 'traits') : '';
  };
  input.addEventListener('input', find);
  if (query.get('q')) { input.value = query.get('q'); find(); }
  if (query.has('open')) boxes.forEach(({ box }) => { box.open = true; });
  const sources = [...new Set(person.traits.map((trait) => trait.source))];
  return el('section', { class: 'block traits', 'aria-labelledby': 'h-traits' },
    el('h2', { id: 'h-traits' }, counted(person.traits.length, 'trait', 'traits'), ' by category'),
    el('div', { class: 'trait-tools' }, el('div', { class: 'search' }, el('label', { for: 'trait-q' }, 'Find a trait'), input), all, status),
    el('p', { class: 'key legend' }, 'Where a trait comes from: ', sources.map((source) =>
      el('span', { class: `src src-${source}` }, source)), ' Point at a badge, or tap it, for the evidence.'),
    boxes.map(({ box }) => box));
}

async function copyText(text, node) {
  let done = false;
  try {
    await navigator.clipboard.writeText(text);
    done = true;
  } catch (refused) {
    getSelection().selectAllChildren(node);
    try { done = document.execCommand('copy'); } catch (unable) { done = false; }
  }
  return done;
}

function promptOf(person, open) {
  const text = textOf(person.raw.p);
  if (!text) return null;
  const pre = el('pre', { tabindex: '0', 'aria-label': 'System prompt' }, text);
  const button = el('button', { type: 'button', class: 'button' }, 'Copy');
  button.addEventListener('click', async () => {
    button.textContent = (await copyText(text, pre)) ? 'Copied' : 'Press Ctrl+C to copy';
    setTimeout(() => { button.textContent = 'Copy'; }, 2000);
  });
  return el('details', { class: 'prompt block', id: 'prompt', open }, el('summary', {}, 'Show system prompt',
    el('span', { class: 'cat-count' }, counted(text.split(/\s+/).length, 'word', 'words'))),
  el('div', { class: 'prompt-body' }, button, pre));
}

/** Who comes before and after, among the people that the list shows. */
function neighbours(person) {
  let among = selected(listQuery)[0];
  if (!among.includes(person)) among = people;
  const at = among.indexOf(person);
  return [among[at - 1], among[at + 1], at, among.length];
}

function turning(person, more) {
  const [before, after, at, of] = neighbours(person);
  const to = (other, label, sign, id) => (other ? el('a', { class: 'turn', href: linkTo(other, more), id, 'aria-label': `${label}: ${other.name}` }, sign)
    : el('span', { class: 'turn off', 'aria-hidden': 'true' }, sign));
  const back = String(listQuery) ? `#/?${listQuery}` : '#/';
  return el('nav', { class: 'turning', 'aria-label': 'Among the people' }, el('a', { class: 'back', id: 'back', href: back }, '← All people'),
    el('span', { class: 'turns' }, to(before, 'Previous', '‹', 'previous'), el('span', { class: 'turn-count' }, `${at + 1} of ${of}`), to(after, 'Next', '›', 'next')));
}

function personView(person, query) {
  const o = person.raw.o;
  const made = Object.entries(o).map(([key, value]) => `${key} ${value}`).join(' · ');
  return [turning(person), el('article', { class: 'person' },
    el('header', { class: 'person-head' }, avatar(person.id, 96), el('div', {}, el('h1', {}, person.name),
      el('p', { class: 'person-line' }, inShort(person)),
      el('p', { class: 'key' }, el('code', {}, person.id), ' · a synthetic person'))),
    el('div', { class: 'spread' },
      el('div', { class: 'leaf' }, el('section', { class: 'portrait', 'aria-label': 'Portrait' }, paragraphs(person.narrative)),
        person.raw.b && el('p', {}, el('a', { class: 'button', id: 'read-book', href: linkTo(person, '/book') }, 'Read the life book')),
        !person.raw.b && run.books[0] < run.books[1] && el('p', { class: 'key' }, `This page carries the life books of ${grouped(run.books[0])} people; the others are in personas/.`),
        lifeLine(person)),
      el('div', { class: 'margin' }, coreFacts(person), bigFive(person))),
    traitsOf(person, query), holesOf(person), promptOf(person, query.has('open')), el('p', { class: 'key made' }, made))];
}

function bookView(person) {
  const chapters = [];
  const lines = [];
  for (const part of textOf(person.raw.b).split(/\n\s*\n|\n(?=#)/).map((x) => x.trim()).filter(Boolean)) {
    const head = /^(#{1,6})\s+(.*)$/.exec(part);
    if (!head) { lines.push(el('p', {}, part)); continue; }
    if (head[1].length === 1) continue;
    const heading = el(head[1].length === 2 ? 'h2' : 'h3', { tabindex: '-1' }, head[2]);
    if (head[1].length === 2) chapters.push([head[2], heading]);
    lines.push(heading);
  }
  const contents = chapters.length > 1 && el('nav', { class: 'contents', 'aria-label': 'Chapters' }, chapters.map(([title, heading]) =>
    el('button', { type: 'button', class: 'button quiet', onclick: () => { heading.scrollIntoView({ behavior: calm() ? 'auto' : 'smooth' }); heading.focus({ preventScroll: true }); } }, title)));
  return [el('nav', { class: 'turning', 'aria-label': 'Back' }, el('a', { class: 'back', id: 'back', href: linkTo(person) }, `← ${person.name}`)),
    el('article', { class: 'book' }, el('header', { class: 'book-head' }, avatar(person.id, 64), el('h1', {}, person.name),
      el('p', { class: 'key' }, 'The life book of a synthetic person')), contents || '', lines)];
}
