// The population view: charts over everybody in the run.

const SOURCES = { given: 'given by the user', table: 'drawn from tables of figures', prior: 'drawn from the taxonomy',
  model: 'written by a model', story: 'told in a story', derived: 'worked out', edited: 'edited', learnt: 'learnt' };

const REST = ['all others', 'not said'];

/** Rows [answer, women, men, others] as a chart of bars. */
function wordsFigure(id, title, rows, more) {
  const all = population.n;
  const sum = ([, women, men, others]) => women + men + others;
  const named = rows.map((row) => ({ name: capital(row[0]), n: sum(row), rest: REST.includes(row[0]) || row[4] === true }));
  const top = named.filter((row) => !row.rest).sort((a, b) => b.n - a.n).slice(0, 3);
  return figure({
    id, title, summary: `${top.map((row) => `${row.name} ${share(row.n, all)}`).join(', ')}.`,
    draw: bars(named.map((row) => ({ name: row.name, parts: [row.n], rest: row.rest, tip: `${row.name}: ${counted(row.n, 'person', 'people')}, ${share(row.n, all)}` })), ['one'], all),
    heads: [title, 'People', 'Share'], rows: named.map((row) => [row.name, row.n, share(row.n, all)]), ...more,
  });
}

function pyramidFigure() {
  const rows = population.pyramid;
  const drawnOf = rows.reduce((sum, [, women, men]) => sum + women + men, 0);
  const left = population.n - drawnOf;
  return figure({
    id: 'pyramid', title: 'Age and sex', note: left ? `${counted(left, 'person', 'people')} without a told age or sex are not drawn.` : null,
    summary: `${population.sexes[0]} women, ${population.sexes[1]} men; median age ${population.median_age}.`,
    draw: pyramidChart(rows), heads: ['Age', 'Women', 'Men'], rows: rows.map(([from, women, men]) => [from >= 100 ? '100+' : `${from}–${from + 4}`, women, men]),
  });
}

function educationFigure() {
  const rows = population.words.education;
  const others = rows.some((row) => row[3]);
  const highest = [...rows].sort((a, b) => b[1] + b[2] + b[3] - a[1] - a[2] - a[3])[0];
  return figure({
    id: 'education', title: 'Education by sex', summary: `Most common: ${highest[0]}.`,
    key: [['women', 'women'], ['men', 'men'], ...(others ? [['others', 'sex not said']] : [])],
    draw: bars(rows.map(([name, ...parts]) => ({ name: capital(name), parts, tip: `${capital(name)}: ${counted(parts[0], 'woman', 'women')}, ${counted(parts[1], 'man', 'men')}` })), ['women', 'men', 'others'], population.n),
    heads: ['Education', 'Women', 'Men', ...(others ? ['Not said'] : [])], rows: rows.map((row) => [capital(row[0]), ...row.slice(1, others ? 4 : 3)]),
  });
}

function countriesFigure() {
  const shown = population.countries.slice(0, 15);
  const rest = population.countries.slice(15).reduce((sum, row) => sum + row[2], 0);
  const rows = shown.map(([, name, n]) => [name, n, 0, 0]);
  if (rest) rows.push([`${population.countries.length - 15} more countries`, rest, 0, 0, true]);
  return wordsFigure('countries', 'Countries', rows);
}

function fiveFigures() {
  return el('section', { class: 'chart wide', 'aria-labelledby': 'h-five-all' }, el('h2', { id: 'h-five-all' }, 'Big Five'),
    el('p', { class: 'key' }, 'How many people score what, from 1 to 5. The upright line is the mean.'),
    el('div', { class: 'smalls' }, population.five.map(([trait, bins, mean]) => figure({
      id: `five-${trait}`, title: capital(trait), note: `mean ${mean.toFixed(2)}`, level: 'h3', summary: `Scores from 1 to 5, mean ${mean}.`, draw: histogram(bins, mean),
      heads: ['Score', 'People'], rows: bins.map((n, k) => [`${(1 + k * 0.2).toFixed(1)} to ${(k === bins.length - 1 ? 5 : 1.1 + k * 0.2).toFixed(1)}`, n]).filter(([, n]) => n),
    }))));
}

function categoriesFigure() {
  const rows = population.categories.map(([title, n]) => ({ title, n, mean: population.n ? n / population.n : 0 }));
  const most = [...rows].sort((a, b) => b.n - a.n)[0];
  return figure({
    id: 'categories', title: 'Traits per category', note: 'The mean number of traits that a person has in each part of the tree.',
    summary: `Most in ${most.title}, ${most.mean.toFixed(1)} a person.`,
    draw: bars(rows.map((row) => ({ name: row.title, parts: [row.mean], said: row.mean.toFixed(1), tip: `${row.title}: ${row.mean.toFixed(1)} traits a person` })), ['one'], 1),
    heads: ['Category', 'Traits in all', 'Mean a person'], rows: rows.map((row) => [row.title, row.n, row.mean.toFixed(1)]),
  });
}

function sourcesFigure() {
  const all = population.traits;
  return figure({
    id: 'sources', title: 'Where traits come from', summary: `${population.sources.map(([source, n]) => `${source} ${share(n, all)}`).join(', ')}.`,
    draw: bars(population.sources.map(([source, n]) => ({ name: capital(source), parts: [n], said: share(n, all), tip: `${SOURCES[source] ? capital(SOURCES[source]) : source}: ${counted(n, 'trait', 'traits')}, ${share(n, all)}` })), ['one'], all),
    heads: ['Source', 'Traits', 'Share'], rows: population.sources.map(([source, n]) => [capital(source), n, share(n, all)]),
  });
}

function populationView() {
  drawn.clear();
  const p = population;
  if (!p.n) return [masthead(), el('p', { class: 'note' }, 'This run holds nobody yet.')];
  const stat = (value, text) => el('div', { class: 'stat' }, el('dd', {}, value), el('dt', {}, text));
  const mean = (n) => (n / p.n >= 100 ? String(Math.round(n / p.n)) : (n / p.n).toFixed(1));
  return [masthead(),
    el('dl', { class: 'stats', id: 'stats' }, stat(grouped(p.n), p.n === 1 ? 'person' : 'people'), stat(grouped(p.countries.length), p.countries.length === 1 ? 'country' : 'countries'),
      stat(share(p.sexes[0], p.n), 'women'), p.median_age !== null && stat(String(p.median_age), 'median age'),
      stat(mean(p.traits), 'traits a person'), stat(mean(p.stories), 'stories a person')),
    el('div', { class: 'charts' },
      el('div', { class: 'stack' }, p.pyramid.length > 0 && pyramidFigure(),
        wordsFigure('employment', 'Employment', p.words.employment_status),
        wordsFigure('income', 'Income', p.words.income, { note: 'Fifths of the country’s own distribution.' }), countriesFigure()),
      el('div', { class: 'stack' }, educationFigure(), wordsFigure('occupations', 'Occupations', p.words.occupation, { note: 'The twelve most common.' }),
        wordsFigure('religion', 'Religion', p.words.religion), wordsFigure('urban', 'Town and country', p.words.urban)),
      p.five.length > 0 && fiveFigures(),
      el('div', { class: 'stack' }, categoriesFigure()), el('div', { class: 'stack' }, sourcesFigure()))];
}
