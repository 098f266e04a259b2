// The page as a whole: which view the address asks for, the theme, the keyboard.

const main = document.getElementById('main');
const calm = () => matchMedia('(prefers-reduced-motion: reduce)').matches;
let view = '';

/** Change the address without a step in the history. */
function rewrite(hash) {
  try { history.replaceState(null, '', hash); } catch (refused) { /* an address that cannot change still shows the view */ }
}

function route() {
  const [path, query] = location.hash.replace(/^#\/?/, '').split('?');
  const asked = new URLSearchParams(query || '');
  const theme = asked.get('theme');
  if (theme === 'dark' || theme === 'light') document.documentElement.dataset.theme = theme;
  asked.delete('theme');
  const steps = path.split('/').map((step) => { try { return decodeURIComponent(step); } catch (bad) { return step; } });
  return [steps, asked];
}

function missing(id) {
  return [el('p', { class: 'note' }, `There is no page for ${id} here. ${holdings()}`), el('p', {}, el('a', { class: 'button', href: '#/' }, 'All people'))];
}

function show() {
  const [steps, query] = route();
  const was = view;
  hideTip();
  let nodes;
  let title = run.name;
  const person = steps[0] === 'p' ? byId.get(steps[1]) : undefined;
  if (steps[0] === 'p') {
    view = person ? (steps[2] === 'book' && person.raw.b ? 'book' : 'person') : 'missing';
    nodes = view === 'missing' ? missing(steps[1]) : view === 'book' ? bookView(person) : personView(person, query);
    if (person) { title = `${person.name} · ${run.name}`; leftAt = person.id; }
  } else if (steps[0] === 'population') {
    view = 'population';
    title = `Population · ${run.name}`;
    nodes = populationView();
  } else {
    view = 'people';
    nodes = peopleView(query);
  }
  main.className = `view-${view}`;
  main.replaceChildren(...nodes.filter(Boolean));
  document.title = `${title} · synthetic people`;
  for (const [id, on] of [['nav-people', ['people', 'person', 'book'].includes(view)], ['nav-population', view === 'population']]) {
    const link = document.getElementById(id);
    if (on) link.setAttribute('aria-current', 'page'); else link.removeAttribute('aria-current');
  }
  if (view === 'population') paintAll();
  const card = view === 'people' && leftAt ? main.querySelector(`a.card[data-id="${CSS.escape(leftAt)}"]`) : null;
  if (card && (was === 'person' || was === 'book')) {
    card.scrollIntoView({ block: 'center' });
    card.focus({ preventScroll: true });
  } else if (was) {
    scrollTo(0, 0);
    main.focus({ preventScroll: true });
  }
}

// ---- the theme: what the system says, unless the reader said otherwise
function stored() {
  try { return localStorage.getItem('deeppersona-theme'); } catch (refused) { return null; }
}
if (stored() === 'dark' || stored() === 'light') document.documentElement.dataset.theme = stored();

document.getElementById('theme').addEventListener('click', () => {
  const root = document.documentElement;
  const dark = root.dataset.theme ? root.dataset.theme === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches;
  root.dataset.theme = dark ? 'light' : 'dark';
  try { localStorage.setItem('deeppersona-theme', root.dataset.theme); } catch (refused) { /* it lasts as long as the page */ }
});

// ---- the keyboard: / searches, arrows move, Esc goes back
addEventListener('keydown', (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
  const at = document.activeElement;
  const typing = at && (at.tagName === 'INPUT' || at.tagName === 'SELECT' || at.tagName === 'TEXTAREA');
  const go = (id) => { const node = document.getElementById(id); if (node) { event.preventDefault(); node.click(); } };
  if (event.key === '/' && !typing) {
    const field = document.getElementById(view === 'person' ? 'trait-q' : 'q');
    if (field) { event.preventDefault(); field.focus(); field.select(); }
  } else if (event.key === 'Escape') {
    if (!tip.hidden) { hideTip(); return; }
    if (typing) { at.blur(); return; }
    if (view === 'people') { if (String(listQuery)) go('clear'); } else if (view === 'population') go('nav-people'); else go('back');
  } else if (view === 'people' && /^Arrow/.test(event.key) && (!typing || (at.id === 'q' && event.key === 'ArrowDown'))) {
    if (moveAmongCards(event.key)) event.preventDefault();
  } else if (view === 'person' && !typing && event.key === 'ArrowRight') go('next');
  else if (view === 'person' && !typing && event.key === 'ArrowLeft') go('previous');
});

document.getElementById('skip').addEventListener('click', (event) => { event.preventDefault(); main.focus(); });
document.getElementById('bar-name').textContent = run.name;
document.getElementById('foot').append(el('p', {}, 'All people here are synthetic: drawn from statistics and a curated taxonomy by deeppersona. Nobody real is described, and nothing is sent anywhere.'),
  el('p', { class: 'keys' }, el('kbd', {}, '/'), ' search  ', el('kbd', {}, '←'), el('kbd', {}, '→'), ' move  ', el('kbd', {}, 'Esc'), ' back'));
addEventListener('hashchange', show);
show();
