// Draws the page from the result that stands in it. Text from the run goes in as text nodes only, never as markup.
'use strict';
const result = JSON.parse(document.getElementById('result').textContent);
const page = document.getElementById('page');

function add(parent, tag, attributes, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) node.setAttribute(name, value);
  for (const child of children) if (child !== null && child !== undefined) node.append(child);
  parent.append(node);
  return node;
}

const known = value => value !== null && value !== undefined;
function time(value) {
  if (!known(value)) return '–';
  const size = Math.abs(value);
  if (size < 0.001) return (value * 1e6).toFixed(0) + ' µs';
  if (size < 1) return (value * 1e3).toFixed(size < 0.01 ? 2 : 0) + ' ms';
  if (size < 100) return value.toFixed(2) + ' s';
  return Math.floor(value / 60) + ' min ' + (value % 60).toFixed(0) + ' s';
}
const share = value => known(value) ? (value * 100).toPrecision(value >= 0.1 ? 3 : 2).replace(/\.?0+$/, '') + ' %' : '–';
function amount(value, unit) {
  if (!known(value)) return '–';
  if (unit === 'ns') return time(value / 1e9);
  if (unit === 'fraction') return share(value);
  if (unit === 'bit/s') return Math.round(value / 1e3) / 1e3 + ' Mbit/s';
  return String(Math.round(value * 1000) / 1000);
}
const colour = name => getComputedStyle(document.documentElement).getPropertyValue('--' + name).trim();
const end = Math.max(1, ...result.states.map(s => s.at), ...result.events.map(e => e.at), ...result.guard.map(g => g.at));

const verdicts = {
  'held': ['good', 'Held', 'The hypothesis held.'],
  'refuted': ['bad', 'Refuted', 'The hypothesis did not hold.'],
  'refused': ['warn', 'Refused', 'Nothing was broken: the experiment was not allowed to start.'],
  'interrupted': ['warn', 'Interrupted', 'A person stopped it before it was done.'],
  'inconclusive': ['warn', 'Inconclusive', 'The run cannot tell whether the hypothesis holds.'],
  'left-behind': ['bad', 'Something may be left behind', 'A fault could not be shown to be taken back. Look at the faults below first.'],
};

function drawBanner() {
  const [kind, word, sentence] = verdicts[result.outcome] || ['warn', result.outcome, ''];
  document.title = word + ': ' + result.experiment;
  const header = add(page, 'header');
  const name = add(header, 'div', {class: 'name'}, 'Arashi experiment ');
  add(name, 'b', {}, result.experiment);
  name.append(' · ' + result.started + ' · run ' + result.run);
  add(header, 'h1', {}, result.hypothesis || result.experiment);
  const banner = add(page, 'section', {class: 'banner ' + kind + '-box'});
  add(banner, 'div', {class: 'word'}, word);
  add(banner, 'div', {class: 'why'}, result.reasons[0] || sentence);
  if (result.reasons.length > 1) {
    const list = add(banner, 'ul');
    for (const reason of result.reasons.slice(1)) add(list, 'li', {}, reason);
  }
}

function drawTimes() {
  const t = result.times;
  const tiles = [
    ['First injection', t.firstInjection, null, ''],
    ['First bad request', t.firstBad, t.firstInjection, 'after the first injection'],
    ['Decision to stop', t.decision, t.firstBad, 'after the first bad request'],
    ['Last revert', t.lastRevert, t.decision, 'after the decision'],
    ['Recovered', t.recovered, t.lastRevert, 'after the last revert'],
  ].filter(tile => known(tile[1]));
  if (!tiles.length) return;
  const box = add(page, 'section', {class: 'tiles'});
  for (const [label, at, from, words] of tiles) {
    const tile = add(box, 'div', {class: 'tile'});
    add(tile, 'div', {class: 'label'}, label);
    add(tile, 'div', {class: 'value'}, '+' + time(at));
    add(tile, 'div', {class: 'after'}, known(from) && at >= from ? time(at - from) + ' ' + words : '\u00a0');
  }
}

function lane(card, label, title) {
  const track = add(card, 'div', {class: 'track'});
  add(track, 'div', {class: 'label', title: title || label}, label);
  return add(track, 'div', {class: 'lane'});
}
const percent = value => (100 * Math.min(1, Math.max(0, value / end))).toFixed(3) + '%';
const hasRoom = (from, to) => to - from > end / 7;
function bar(into, kind, from, to, text) {
  add(into, 'div', {class: 'bar ' + kind, title: text + ': ' + time(from) + ' to ' + time(to),
    style: 'left:' + percent(from) + ';width:' + percent(to - from)}, hasRoom(from, to) ? text : '');
}
// The victim, as that is what differs from lane to lane; the bar says which fault, where it has room for it.
function drawFaultLane(card, fault, kind) {
  const until = known(fault.revertedAt) ? fault.revertedAt : end;
  const whole = fault.fault + ' → ' + fault.victim;
  bar(lane(card, hasRoom(fault.activeAt, until) ? fault.victim : whole, whole), kind, fault.activeAt, until, fault.fault);
}

function drawTimeline() {
  add(page, 'h2', {}, 'Timeline');
  const card = add(page, 'section', {class: 'card'});
  const states = lane(card, 'run');
  result.states.forEach((entry, i) => {
    const until = i + 1 < result.states.length ? result.states[i + 1].at : end;
    if (entry.state !== 'done') bar(states, 'state' + (i % 2 ? ' odd' : ''), entry.at, until, entry.state);
  });
  for (const fault of result.faults) {
    if (!known(fault.activeAt)) continue;
    const kind = fault.step === 'lost' || fault.step === 'drifted' ? 'lost' : fault.step === 'stuck' ? 'stuck' : '';
    drawFaultLane(card, fault, kind);
  }
  const marks = [[result.times.firstBad, 'first bad request', ''], [result.times.decision, 'decision', ''], [result.times.recovered, 'recovered', 'calm']];
  for (const track of card.querySelectorAll('.lane'))
    for (const [at, title, kind] of marks) if (known(at)) add(track, 'div', {class: 'mark ' + kind, title: title + ' +' + time(at), style: 'left:' + percent(at)});
  const axis = add(card, 'div', {class: 'axis'});
  const step = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600].find(s => end / s <= 10) || end / 8;
  for (let at = 0; at <= end; at += step) add(axis, 'span', {style: 'left:' + percent(at)}, at + ' s');
}

const pending = [];  // charts are drawn when the page is laid out, so that they know their width
function chart(into, title, note, times, series, axisText, limit, axisMore) {
  const card = add(into, 'div', {class: 'card'});
  add(card, 'h3', {}, title);
  if (note) add(card, 'div', {class: 'soft'}, note);
  const mount = add(card, 'div');
  pending.push(() => {
    const grid = {stroke: colour('line'), width: 1};
    const axis = {stroke: colour('soft'), grid, ticks: grid, font: '12px system-ui, sans-serif'};
    const shown = series.concat(known(limit) ? [{label: limit.label, values: times.map(() => limit.value), stroke: colour('bad'), dash: [6, 4]}] : []);
    new uPlot({
      width: mount.clientWidth || 480, height: 210, cursor: {sync: {key: 'run'}},
      scales: {x: {time: false, range: [0, end]}, y: {range: (u, low, high) => [0, Math.max(high * 1.08, 1e-9)]}},
      axes: [{...axis, values: (u, all) => all.map(v => v + ' s')}, {...axis, size: 76, values: (u, all) => all.map(axisText), ...axisMore}],
      series: [{label: 'at', value: (u, v) => known(v) ? v.toFixed(1) + ' s' : '–'}].concat(shown.map(s => ({
        label: s.label, stroke: s.stroke, fill: s.fill, width: 1.6, dash: s.dash, points: {show: false}, value: (u, v) => known(v) ? axisText(v) : '–'}))),
      hooks: {drawClear: [shadeFaults]},
    }, [times, ...shown.map(s => s.values)], mount);
  });
}
// The time in which a fault was active lies behind every chart.
function shadeFaults(u) {
  const spans = result.faults.filter(f => known(f.activeAt));
  if (!spans.length) return;
  u.ctx.save();
  u.ctx.fillStyle = colour('fault-wash');
  const from = u.valToPos(Math.min(...spans.map(f => f.activeAt)), 'x', true);
  const to = u.valToPos(Math.max(...spans.map(f => known(f.revertedAt) ? f.revertedAt : end)), 'x', true);
  u.ctx.fillRect(from, u.bbox.top, to - from, u.bbox.height);
  u.ctx.restore();
}

// An e-value as the chance that what was seen is an accident; below 1 in 10¹² it is no longer told apart.
const leastChance = 12 * Math.LN10;
const raised = exponent => [...String(exponent)].map(digit => '⁰¹²³⁴⁵⁶⁷⁸⁹'[digit]).join('');
function chance(logE) {
  if (!known(logE) || logE < 0.7) return 'any';
  const decades = Math.min(logE, leastChance) / Math.LN10;
  return '1 in ' + (decades < 6 ? Math.round(10 ** decades).toLocaleString('en') : '10' + raised(Math.floor(decades + 1e-9)));
}
// Ticks at whole powers of ten, at most five of them.
function splitsOfChance(u, axis, low, high) {
  const step = Math.max(1, Math.ceil(high / Math.LN10 / 5));
  return Array.from({length: Math.floor(high / Math.LN10 / step) + 1}, (none, i) => i * step * Math.LN10);
}
function drawEvidence(box, slo, times, states) {
  const most = Math.max(0, ...states.map(s => s.logE || 0));
  chart(box, 'Is it an accident? ' + slo.name, 'the chance that so many bad requests come although the budget burns no faster than it may; lowest ' + chance(most) + ', the guard stops at ' + chance(slo.logThreshold),
    times, [{label: 'chance', values: states.map(s => Math.min(leastChance, Math.max(0, s.logE || 0))), stroke: colour('fault'), fill: colour('fault-wash')}],
    chance, {label: 'stop', value: slo.logThreshold}, {splits: splitsOfChance});
}
const lineColours = ['warn', 'blue', 'fault', 'soft', 'good', 'ink'];
function drawBurn(box, slo, times, states) {
  const seen = new Map();
  for (const state of states) for (const w of state.windows || []) seen.set(w.length, w.threshold);
  const series = [...seen.keys()].sort((a, b) => a - b).map((length, k) => ({
    label: time(length).replace(/\.00/, '') + ' (alert at ' + seen.get(length).toPrecision(3) + ')', stroke: colour(lineColours[k % lineColours.length]),
    values: states.map(s => { const w = (s.windows || []).find(x => x.length === length); return w ? w.burnRate / w.threshold : null; })}));
  if (series.length) chart(box, 'Burn rate by window: ' + slo.name, 'each as a share of its alert; both this window and a twelfth of it must be over 1',
    times, series, v => v.toPrecision(2) + '×', {label: 'alert', value: 1});
  else chart(box, 'Burn rate: ' + slo.name, '1 spends the whole budget in exactly its window', times,
    [{label: 'last 10 s', values: states.map(s => s.burnRate), stroke: colour('warn')}], v => v.toPrecision(3).replace(/\.0+$/, '') + '×', {label: '14.4×', value: 14.4});
}

function drawCharts() {
  if (!result.loads.length && !result.guard.length) return;
  add(page, 'h2', {}, 'What the users saw');
  const box = add(page, 'section', {class: 'charts'});
  for (const load of result.loads) {
    // The last second is cut short by the end of the run: its counts would look like an outage.
    const rows = load.seconds.filter((second, i) => i === 0 || second.at + 1 <= end);
    const times = rows.map(r => r.at);
    chart(box, 'Requests: ' + load.name, load.total + ' requests, ' + load.bad + ' bad; intended ' + load.rateIntended.toFixed(1) + '/s, sent ' + load.rateAchieved.toFixed(1) + '/s',
      times, [{label: 'too slow', values: rows.map(r => r.slow), stroke: colour('warn'), fill: colour('warn-wash')},
        {label: 'failed', values: rows.map(r => r.failed), stroke: colour('bad'), fill: colour('bad-wash')},
        {label: 'good', values: rows.map(r => r.good), stroke: colour('good')}], v => v + '/s');
    const latency = which => rows.map(r => r.good + r.slow ? r[which] : null);  // where no request was answered there is none
    chart(box, 'Latency: ' + load.name, 'from the intended time of each answered request', times,
      [{label: 'p50', values: latency('p50'), stroke: colour('blue')}, {label: 'p99', values: latency('p99'), stroke: colour('fault')}], time);
  }
  result.slos.forEach((slo, i) => {
    const rows = result.guard.filter(g => g.slos[i]);
    const times = rows.map(g => g.at);
    const limit = known(slo.budgetLimit) ? slo.budgetLimit : ((result.plan.worstCase || []).find(c => c.slo === slo.name) || {}).stopAt;
    const note = share(slo.budgetSpent) + ' of the whole budget spent' + (slo.period ? ' (of ' + slo.period + ')' : '') + (slo.extrapolated ? ' (the budget is extrapolated: no whole window was measured)' : '') +
      '; charged also counts unknown time and the time a rollback takes';
    chart(box, 'Error budget: ' + slo.name, note, times,
      [{label: 'spent', values: rows.map(g => g.slos[i].spent), stroke: colour('blue'), fill: colour('fault-wash')}, {label: 'charged', values: rows.map(g => g.slos[i].charged), stroke: colour('soft'), dash: [2, 3]}],
      share, known(limit) ? {label: 'this experiment may spend', value: limit} : null);
    drawEvidence(box, slo, times, rows.map(g => g.slos[i]));
    drawBurn(box, slo, times, rows.map(g => g.slos[i]));
  });
}

function table(into, heads, rows) {
  const node = add(into, 'table');
  const head = add(add(node, 'thead'), 'tr');
  for (const text of heads) add(head, 'th', {}, text);
  const body = add(node, 'tbody');
  for (const cells of rows) {
    const row = add(body, 'tr');
    for (const cell of cells) {
      const [text, kind] = Array.isArray(cell) ? cell : [cell, ''];
      add(row, 'td', {class: kind}, text);
    }
  }
}

function drawFaults() {
  if (!result.faults.length) return;
  add(page, 'h2', {}, 'Faults: requested and achieved');
  const card = add(page, 'section', {class: 'card'});
  const rows = [];
  const injections = result.plan.injections || [];
  result.faults.forEach((fault, n) => {
    const isOver = fault.step === 'reverted' && injections[n] && injections[n].reversible === false;
    const end = !known(fault.activeAt) ? 'not injected' : isOver ? 'over (what it did can\'t be undone)' : fault.step;
    const values = fault.evidence.values.length ? fault.evidence.values : [{what: '', unit: '', requested: null, achieved: null, note: ''}];
    values.forEach((value, i) => rows.push([
      i ? '' : fault.fault, i ? '' : fault.victim, i ? '' : fault.mechanism, value.what,
      [amount(value.requested, value.unit), 'number'], [amount(value.achieved, value.unit), 'number'],
      i ? '' : !known(fault.activeAt) ? '–' : [fault.evidence.bit ? 'yes' : 'no', fault.evidence.bit ? 'yes' : 'no'],
      i ? '' : [end + (fault.problem ? ': ' + fault.problem : ''), fault.step === 'reverted' ? 'yes' : fault.step === 'stuck' ? 'no' : 'maybe'],
      value.note || (i ? '' : fault.evidence.detail)]));
  });
  table(card, ['fault', 'victim', 'mechanism', 'what', 'requested', 'achieved', 'did it bite?', 'end', 'evidence'], rows);
}

const layers = {'cap': 'Budget cap', 'e-process': 'Statistical test', 'burn-rate': 'Burn-rate alert', 'no-data': 'No data'};
function drawWhy() {
  const reasons = (result.abort || {reasons: []}).reasons;
  if (!reasons.length) return;
  add(page, 'h2', {}, 'Why the guard stopped it');
  table(add(page, 'section', {class: 'card'}), ['by', 'SLO', 'what it saw'], reasons.map(r => [[layers[r.layer] || r.layer, 'no'], r.slo, r.text]));
}

function drawSlos() {
  if (!result.slos.length) return;
  add(page, 'h2', {}, 'Objectives');
  const card = add(page, 'section', {class: 'card'});
  table(card, ['SLO', 'requests', 'bad', 'budget spent', 'it may spend', 'chance of an accident', 'stops at', 'shown to have held'],
    result.slos.map(s => [s.name, [String(s.total), 'number'], [String(s.bad) + (s.lost ? ' (' + s.lost + ' never came)' : ''), 'number'], [share(s.budgetSpent), 'number'],
      [share(s.budgetLimit), 'number'], [chance(s.logE), 'number'], [chance(s.logThreshold), 'number'],
      s.logHeld >= s.logHeldThreshold ? ['yes', 'yes'] : ['no', 'maybe']]));
  const sources = result.slos.flatMap(s => (s.sources || []).length > 1 ? s.sources.map(x => [s.name, x]) : []);
  if (sources.length) table(card, ['SLO', 'measured by', 'requests', 'bad', 'budget spent', 'data'],
    sources.map(([name, x]) => [name, x.name + (x.authoritative ? '' : ' (not authoritative)'), [String(x.total), 'number'], [String(x.bad), 'number'], [share(x.budgetSpent), 'number'], x.state + (x.problem ? ': ' + x.problem : '')]));
}

function drawEffects() {
  const effects = result.slos.filter(s => s.effect);
  if (!effects.length) return;
  add(page, 'h2', {}, 'Was it the fault? Faulted replicas beside untouched ones');
  const card = add(page, 'section', {class: 'card'});
  const rate = c => c.total ? share(c.bad / c.total) + ' (' + c.bad + ' of ' + c.total + ')' : '–';
  const times = value => (value >= 10 ? value.toFixed(0) : value.toPrecision(2)) + '×';
  table(card, ['SLO', 'faulted replicas: bad', 'untouched: bad', 'as likely to fail', '95 % interval', 'in words'], effects.map(({name, effect: e}) =>
    [name, [rate(e.treated), 'number'], [rate(e.control), 'number'], [times(e.ratio), 'number'],
      [times(e.lowest) + ' to ' + (known(e.highest) ? times(e.highest) : 'any'), 'number'],
      [e.text, e.cause === 'fault' ? 'no' : e.cause === 'unknown' ? '' : 'maybe']]));
}

function drawChecks() {
  if (!result.checks.length) return;
  add(page, 'h2', {}, 'Checks');
  table(add(page, 'section', {class: 'card'}), ['check', 'when', 'result', 'took', 'detail'],
    result.checks.map(c => [c.name, c.when, [c.passed ? 'passed' : 'failed', c.passed ? 'yes' : 'no'], [time(c.took), 'number'], c.detail]));
}

function drawPlan() {
  const injections = result.plan.injections || [];
  if (!injections.length) return;
  add(page, 'h2', {}, 'Plan');
  table(add(page, 'section', {class: 'card'}), ['at', 'for', 'fault', 'victim', 'mechanism', 'why this one', 'undo'],
    injections.map(i => [i.at + ' s', i.for + ' s', i.fault, i.victim, i.mechanism, i.because, i.undo].map(v => typeof v === 'object' && v ? v.label || '' : known(v) ? String(v) : '')));
}

function drawEvents() {
  add(page, 'h2', {}, 'Events');
  const details = add(add(page, 'section', {class: 'card'}), 'details', result.events.length <= 40 ? {open: ''} : {});
  add(details, 'summary', {}, result.events.length + ' events');
  table(details, ['at', 'what', ''], result.events.map(e => [['+' + e.at.toFixed(3) + ' s', 'number'], e.what, e.detail]));
}

drawBanner();
drawTimes();
drawTimeline();
drawWhy();
drawCharts();
drawSlos();
drawEffects();
drawFaults();
drawChecks();
drawPlan();
drawEvents();
add(page, 'footer', {}, 'Drawn by Arashi from result.json of run ' + result.run + '. Times are since the start of the run.');
pending.forEach(draw => draw());
