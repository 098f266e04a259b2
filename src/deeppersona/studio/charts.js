// Charts as inline SVG, drawn to the width they have. Each comes with its figures as a table.

const ROW = 26;
const textWidth = (() => {
  const pen = document.createElement('canvas').getContext('2d');
  return (text) => { if (pen) pen.font = '13px system-ui, sans-serif'; return pen ? pen.measureText(text).width : text.length * 7; };
})();

/** Cut a label to a width. */
function fitted(text, width) {
  if (textWidth(text) <= width) return text;
  let cut = text;
  while (cut.length > 1 && textWidth(`${cut}…`) > width) cut = cut.slice(0, -1);
  return `${cut.trim()}…`;
}

const label = (x, y, text, more) => svg('text', { x, y, ...more }, text);

/** A step of 1, 2 or 5 times a power of ten, so that an axis of so much has about four of them. */
function niceStep(most) {
  const rough = Math.max(most / 4, 1e-9);
  const power = 10 ** Math.floor(Math.log10(rough));
  return power * [1, 2, 5, 10].find((m) => m * power >= rough);
}

/** A mark that says its figure when pointed at. */
function hot(node, text) {
  node.addEventListener('pointermove', (event) => showTip(text, event.clientX, event.clientY - 6));
  node.addEventListener('pointerleave', hideTip);
  return node;
}

/** Bars from the left. Rows are {name, parts: [n, ...], tip}; parts are stacked in the classes given. */
function bars(rows, classes, total) {
  return (width) => {
    const sum = (row) => row.parts.reduce((a, b) => a + b, 0);
    const saying = (row) => row.said || `${grouped(sum(row))} · ${share(sum(row), total)}`;
    const widest = (texts) => Math.max(...texts.map(textWidth)) + 14;
    const named = Math.min(width * 0.46, widest(rows.map((row) => row.name)));
    const room = Math.max(20, width - named - widest(rows.map(saying)));
    const most = Math.max(...rows.map(sum), 1);
    const marks = rows.flatMap((row, k) => {
      const y = k * ROW;
      let x = named;
      const parts = row.parts.map((n, part) => {
        const long = (room * n) / most;
        const bar = svg('rect', { x, y: y + 5, width: Math.max(long, n ? 1 : 0), height: ROW - 10, rx: 2, class: row.rest ? 'others' : classes[part % classes.length] });
        x += long;
        return bar;
      });
      const all = svg('rect', { x: 0, y, width, height: ROW, class: 'hit' });
      return [...parts, label(named - 8, y + 17, fitted(row.name, named - 10), { class: 'name', 'text-anchor': 'end' }),
        label(x + 7, y + 17, saying(row), { class: 'said' }), hot(all, row.tip)];
    });
    return [rows.length * ROW, [svg('line', { x1: named, x2: named, y1: 0, y2: rows.length * ROW, class: 'axis' }), ...marks]];
  };
}

/** Women to the left, men to the right, an age band to a row, the oldest on top. Rows are [from, women, men, others]. */
function pyramidChart(rows) {
  return (width) => {
    const gap = 46;
    const side = (width - gap) / 2;
    const row = 17;
    const top = 24;
    const most = Math.max(...rows.map(([, women, men]) => Math.max(women, men)), 1);
    const step = Math.max(1, niceStep(most));
    const high = top + rows.length * row;
    const x = (n, left) => (left ? side - (side * n) / (most * 1.04) : side + gap + (side * n) / (most * 1.04));
    const marks = [label(side / 2, 13, 'Women', { class: 'head', 'text-anchor': 'middle' }), label(side + gap + side / 2, 13, 'Men', { class: 'head', 'text-anchor': 'middle' })];
    for (let n = 0; n <= most; n += step) {
      for (const left of [true, false]) {
        marks.push(svg('line', { x1: x(n, left), x2: x(n, left), y1: top, y2: high, class: n ? 'grid' : 'axis' }),
          label(x(n, left), high + 16, grouped(n), { class: 'tick', 'text-anchor': 'middle' }));
      }
    }
    [...rows].reverse().forEach(([from, women, men], k) => {
      const y = top + k * row;
      const band = from >= 100 ? '100+' : `${from}–${from + 4}`;
      marks.push(svg('rect', { x: x(women, true), y: y + 1.5, width: side - x(women, true), height: row - 3, rx: 2, class: 'women' }),
        svg('rect', { x: side + gap, y: y + 1.5, width: x(men, false) - side - gap, height: row - 3, rx: 2, class: 'men' }),
        label(side + gap / 2, y + 12.5, band, { class: 'tick', 'text-anchor': 'middle' }),
        hot(svg('rect', { x: 0, y, width, height: row, class: 'hit' }), `Age ${band}: ${counted(women, 'woman', 'women')}, ${counted(men, 'man', 'men')}`));
    });
    marks.push(label(width / 2, high + 34, 'people in each five-year band', { class: 'tick', 'text-anchor': 'middle' }));
    return [high + 42, marks];
  };
}

/** A small histogram of scores from 1 to 5, with the mean marked. */
function histogram(bins, mean) {
  return (width) => {
    const high = 84;
    const pad = 10;
    const room = width - 2 * pad;
    const most = Math.max(...bins, 1);
    const all = bins.reduce((a, b) => a + b, 0);
    const marks = bins.map((n, k) => svg('rect', { x: pad + (room * k) / bins.length + 0.5, y: high - (high * n) / most,
      width: Math.max(1, room / bins.length - 1), height: (high * n) / most, rx: 1, class: 'one' }));
    for (let score = 1; score <= 5; score++) {
      marks.push(label(pad + (room * (score - 1)) / 4, high + 16, String(score), { class: 'tick', 'text-anchor': 'middle' }));
    }
    const at = pad + (room * (mean - 1)) / 4;
    marks.push(svg('line', { x1: pad, x2: width - pad, y1: high + 0.5, y2: high + 0.5, class: 'axis' }),
      svg('line', { x1: at, x2: at, y1: 0, y2: high, class: 'mean' }));
    bins.forEach((n, k) => {
      const from = 1 + k * (4 / bins.length);
      marks.push(hot(svg('rect', { x: pad + (room * k) / bins.length, y: 0, width: room / bins.length, height: high, class: 'hit' }),
        `${from.toFixed(1)} to ${(from + 4 / bins.length - (k === bins.length - 1 ? 0 : 0.1)).toFixed(1)}: ${grouped(n)} · ${share(n, all)}`));
    });
    return [high + 22, marks];
  };
}

/** The same numbers as a table, for reading and for those who do not see the picture. */
function figuresTable(heads, rows) {
  return el('details', { class: 'figures' }, el('summary', {}, 'Figures'), el('div', { class: 'figures-box' }, el('table', {},
    el('thead', {}, el('tr', {}, heads.map((head) => el('th', { scope: 'col' }, head)))),
    el('tbody', {}, rows.map((row) => el('tr', {}, row.map((cell, k) => (k ? el('td', {}, typeof cell === 'number' ? grouped(cell) : cell)
      : el('th', { scope: 'row' }, String(cell))))))))));
}

const drawn = new Set();

/** A figure: title, what it says in a line, the picture, the key, the table. */
function figure({ id, title, note, summary, draw, heads, rows, key, wide, level }) {
  const picture = svg('svg', { role: 'img', 'aria-label': `${title}. ${summary}` });
  const box = el('div', { class: 'plot' }, picture);
  const paint = () => {
    const width = Math.floor(box.clientWidth);
    if (width < 40 || picture.getAttribute('width') === String(width)) return;
    const [high, marks] = draw(width);
    picture.setAttribute('width', width);
    picture.setAttribute('height', high);
    picture.setAttribute('viewBox', `0 0 ${width} ${high}`);
    picture.replaceChildren(...marks);
  };
  drawn.add(paint);
  return el('figure', { class: wide ? 'chart wide' : 'chart', id: `chart-${id}` }, el('figcaption', {}, el(level || 'h2', {}, title), note && el('p', { class: 'key' }, note)),
    key && el('p', { class: 'chart-key' }, key.map(([cls, text]) => el('span', {}, el('i', { class: `swatch ${cls}`, 'aria-hidden': 'true' }), text))),
    box, figuresTable(heads, rows));
}

const paintAll = () => drawn.forEach((paint) => paint());
addEventListener('resize', paintAll);
