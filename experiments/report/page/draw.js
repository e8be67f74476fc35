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
// Figures as injector/core/figures.hpp writes them: "0.5%", "1.2 s", "14.4x".
const trimmed = text => text.includes('.') ? text.replace(/\.?0+$/, '') : text;
const digitsOf = size => size >= 100 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : size > 0 ? Math.min(6, Math.max(2, 1 - Math.floor(Math.log10(size)))) : 0;
const number = value => trimmed(value.toFixed(digitsOf(Math.abs(value))));
function time(value) {
  if (!known(value)) return '–';
  const size = Math.abs(value);
  if (size >= 172800) return number(value / 86400) + ' days';
  if (size >= 3600) return number(value / 3600) + ' h';
  if (size >= 120) return number(value / 60) + ' min';
  if (size >= 1 || size === 0) return number(value) + ' s';
  return size >= 0.001 ? number(value * 1e3) + ' ms' : number(value * 1e6) + ' us';
}
const share = value => known(value) ? number(value * 100) + '%' : '–';
const factor = value => known(value) ? value.toFixed(Math.abs(value) < 99.95 ? 1 : 0) + 'x' : '–';
function amount(value, unit) {
  if (!known(value)) return '–';
  if (unit === 'ns') return time(value / 1e9);
  if (unit === 'fraction') return share(value);
  if (unit === 'bit/s') return number(value / 1e6) + ' Mbit/s';
  return number(value);
}
const colour = name => getComputedStyle(document.documentElement).getPropertyValue('--' + name).trim();
const end = Math.max(1, ...result.states.map(s => s.at), ...result.events.map(e => e.at), ...result.guard.map(g => g.at));

const verdicts = {
  'held': ['good', 'Held', 'The hypothesis held.'],
  'refuted': ['bad', 'Refuted', 'The hypothesis did not hold.'],
  'refused': ['warn', 'Refused', 'Nothing was injected: the experiment was not allowed to start.'],
  'interrupted': ['warn', 'Interrupted', 'A person interrupted it before its end.'],
  'inconclusive': ['warn', 'Inconclusive', 'The run cannot tell whether the hypothesis holds.'],
  'left-behind': ['bad', 'Something may be left behind', 'A fault could not be shown to be reverted. Look at the faults below first.'],
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
    ['Abort decision', t.decision, t.firstBad, 'after the first bad request'],
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
  const marks = [[result.times.firstBad, 'first bad request', ''], [result.times.decision, 'abort decision', ''], [result.times.recovered, 'recovered', 'calm']];
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

// The reciprocal of an e-value is a p-value; below one in 10¹² it is no longer told apart.
const leastChance = 12 * Math.LN10;
const raised = exponent => [...String(exponent)].map(digit => '⁰¹²³⁴⁵⁶⁷⁸⁹'[digit]).join('');
function significance(logE) {
  if (!known(logE) || logE < 0.7) return 'none';
  const decades = Math.min(logE, leastChance) / Math.LN10;
  return 'p = ' + (decades < 6 ? number(10 ** -decades) : '10⁻' + raised(Math.floor(decades + 1e-9)));
}
// Ticks at whole powers of ten, at most five of them.
function splitsOfChance(u, axis, low, high) {
  const step = Math.max(1, Math.ceil(high / Math.LN10 / 5));
  return Array.from({length: Math.floor(high / Math.LN10 / step) + 1}, (none, i) => i * step * Math.LN10);
}
function drawEvidence(box, slo, times, states) {
  const most = Math.max(0, ...states.map(s => s.logE || 0));
  chart(box, 'Significance: ' + slo.name, 'how unlikely so many bad requests are while the burn rate is within its limit; highest ' + significance(most) + ', the guard aborts at ' + significance(slo.logThreshold),
    times, [{label: 'significance', values: states.map(s => Math.min(leastChance, Math.max(0, s.logE || 0))), stroke: colour('fault'), fill: colour('fault-wash')}],
    significance, {label: 'abort', value: slo.logThreshold}, {splits: splitsOfChance});
}
const lineColours = ['warn', 'blue', 'fault', 'soft', 'good', 'ink'];
function drawBurn(box, slo, times, states) {
  const seen = new Map();
  for (const state of states) for (const w of state.windows || []) seen.set(w.length, w.threshold);
  const series = [...seen.keys()].sort((a, b) => a - b).map((length, k) => ({
    label: time(length).replace(/\.00/, '') + ' (alert threshold ' + factor(seen.get(length)) + ')', stroke: colour(lineColours[k % lineColours.length]),
    values: states.map(s => { const w = (s.windows || []).find(x => x.length === length); return w ? w.burnRate / w.threshold : null; })}));
  if (series.length) chart(box, 'Burn rate by window: ' + slo.name, 'each divided by its alert threshold; the alert fires when both the window and a twelfth of it are above 1',
    times, series, factor, {label: 'alert', value: 1});
  else chart(box, 'Burn rate: ' + slo.name, 'at 1.0x the whole error budget is used in exactly its window', times,
    [{label: 'last 10 s', values: states.map(s => s.burnRate), stroke: colour('warn')}], factor, {label: '14.4x', value: 14.4});
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
    const note = 'error budget used ' + share(slo.budgetSpent) + (slo.period ? ' (of ' + slo.period + ')' : '') + (slo.extrapolated ? ' (the budget is extrapolated: no whole window was measured)' : '') +
      '; charged also counts time without data and the time a revert takes';
    chart(box, 'Error budget: ' + slo.name, note, times,
      [{label: 'used', values: rows.map(g => g.slos[i].spent), stroke: colour('blue'), fill: colour('fault-wash')}, {label: 'charged', values: rows.map(g => g.slos[i].charged), stroke: colour('soft'), dash: [2, 3]}],
      share, known(limit) ? {label: 'limit', value: limit} : null);
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
    const end = !known(fault.activeAt) ? 'not injected' : isOver ? 'ended (cannot be reverted)' : fault.step;
    const values = fault.evidence.values.length ? fault.evidence.values : [{what: '', unit: '', requested: null, achieved: null, note: ''}];
    values.forEach((value, i) => rows.push([
      i ? '' : fault.fault, i ? '' : fault.victim, i ? '' : fault.mechanism, value.what,
      [amount(value.requested, value.unit), 'number'], [amount(value.achieved, value.unit), 'number'],
      i ? '' : !known(fault.activeAt) ? '–' : [fault.evidence.bit ? 'yes' : 'no', fault.evidence.bit ? 'yes' : 'no'],
      i ? '' : [end + (fault.problem ? ': ' + fault.problem : ''), fault.step === 'reverted' ? 'yes' : fault.step === 'stuck' ? 'no' : 'maybe'],
      value.note || (i ? '' : fault.evidence.detail)]));
  });
  table(card, ['fault', 'victim', 'mechanism', 'what', 'requested', 'achieved', 'took effect', 'end', 'evidence'], rows);
}

const layers = {'cap': 'Budget cap', 'e-process': 'Statistical test', 'burn-rate': 'Burn-rate alert', 'no-data': 'No data'};
function drawWhy() {
  const reasons = (result.abort || {reasons: []}).reasons;
  if (!reasons.length) return;
  add(page, 'h2', {}, 'Why the guard aborted');
  table(add(page, 'section', {class: 'card'}), ['by', 'SLO', 'what it saw'], reasons.map(r => [[layers[r.layer] || r.layer, 'no'], r.slo, r.text]));
}

function drawSlos() {
  if (!result.slos.length) return;
  add(page, 'h2', {}, 'Objectives');
  const card = add(page, 'section', {class: 'card'});
  table(card, ['SLO', 'requests', 'bad', 'error budget used', 'limit', 'significance', 'aborts at', 'shown to have held'],
    result.slos.map(s => [s.name, [String(s.total), 'number'], [String(s.bad) + (s.lost ? ' (' + s.lost + ' did not arrive)' : ''), 'number'], [share(s.budgetSpent), 'number'],
      [share(s.budgetLimit), 'number'], [significance(s.logE), 'number'], [significance(s.logThreshold), 'number'],
      s.logHeld >= s.logHeldThreshold ? ['yes', 'yes'] : ['no', 'maybe']]));
  const sources = result.slos.flatMap(s => (s.sources || []).length > 1 ? s.sources.map(x => [s.name, x]) : []);
  if (sources.length) table(card, ['SLO', 'measured by', 'requests', 'bad', 'error budget used', 'data'],
    sources.map(([name, x]) => [name, x.name + (x.authoritative ? '' : ' (not authoritative)'), [String(x.total), 'number'], [String(x.bad), 'number'], [share(x.budgetSpent), 'number'], x.state + (x.problem ? ': ' + x.problem : '')]));
}

function drawEffects() {
  const effects = result.slos.filter(s => s.effect);
  if (!effects.length) return;
  add(page, 'h2', {}, 'Effect of the fault: faulted beside unfaulted replicas');
  const card = add(page, 'section', {class: 'card'});
  const rate = c => c.total ? share(c.bad / c.total) + ' (' + c.bad + ' of ' + c.total + ')' : '–';
  const times = factor;
  table(card, ['SLO', 'faulted replicas: bad', 'unfaulted: bad', 'as likely to fail', '95% interval', 'in words'], effects.map(({name, effect: e}) =>
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
  table(add(page, 'section', {class: 'card'}), ['at', 'for', 'fault', 'victim', 'mechanism', 'reason', 'revert'],
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
