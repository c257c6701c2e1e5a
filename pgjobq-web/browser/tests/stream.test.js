// The script has one stream of events while somebody looks, and none else. It runs here without a browser: `node --test`.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { createContext, runInContext } from 'node:vm';

const script = readFileSync(new URL('../../assets/live.js', import.meta.url), 'utf8');

/** A page with a part that follows the database, or without one. */
function page(hasLive = true) {
  const listeners = {};
  const listen = (of) => (name, handler) => { (of[name] ??= []).push(handler); };
  const button = { listeners: {}, setAttribute() {}, hidden: false };
  button.addEventListener = listen(button.listeners);
  const stale = { textContent: '' };
  const part = { dataset: { live: '2' }, id: 'part', contains: () => false, querySelector: () => null };
  const found = (selector) => (selector === '#live' ? button : selector === '#stale' ? stale : selector === '[data-live]' && hasLive ? part : null);
  const document = {
    hidden: false,
    querySelector: found,
    querySelectorAll: (selector) => [found(selector)].filter(Boolean),
    addEventListener: listen(listeners),
  };
  const streams = [];
  class EventSource {
    static CLOSED = 2;
    readyState = 1;
    listeners = {};
    addEventListener = listen(this.listeners);
    constructor(url) { streams.push(Object.assign(this, { url })); }
    close() { this.readyState = EventSource.CLOSED; }
  }
  const [timers, loads, server] = [[], [], { answers: false }];
  const context = {
    document, EventSource, URL, location: { href: 'jobs' },
    localStorage: { getItem: () => null, setItem() {} },
    getSelection: () => ({ toString: () => '' }),
    setTimeout: (handler) => timers.push(handler),
    fetch: async (url) => {
      loads.push(url);
      return { ok: server.answers, text: async () => '' };
    },
    DOMParser: class { parseFromString = () => ({ getElementById: () => null }); },
  };
  runInContext(script, createContext(context));
  return {
    document, streams, timers, loads, stale, server,
    open: () => streams.filter((stream) => stream.readyState !== EventSource.CLOSED).length,
    look(isShown) { document.hidden = !isShown; listeners.visibilitychange.forEach((handler) => handler()); },
    pause: () => button.listeners.click.forEach((handler) => handler()),
    fire: (stream, name) => stream.listeners[name].forEach((handler) => handler()),
  };
}

test('open page has one stream', () => {
  const { streams, open } = page();
  assert.equal(streams[0].url, 'events');
  assert.equal(open(), 1);
});

test('page without live parts has no stream', () => {
  const { streams, look } = page(false);
  look(false);
  look(true);
  assert.equal(streams.length, 0);
});

test('hidden page has no stream, and loads at once when it is shown', async () => {
  const { open, look, loads } = page();
  look(false);
  assert.equal(open(), 0);
  assert.equal(loads.length, 0);
  look(true);
  look(true);
  assert.equal(open(), 1);
  assert.equal(loads.length, 1);
});

test('paused page has no stream, also if it is hidden and shown', () => {
  const { open, pause, look } = page();
  pause();
  assert.equal(open(), 0);
  look(false);
  look(true);
  assert.equal(open(), 0);
  pause();
  assert.equal(open(), 1);
});

test('refused stream is opened again later', () => {
  const { streams, timers, open, fire } = page();
  fire(streams[0], 'error'); // The browser itself opens it again.
  assert.equal(timers.length, 0);
  streams[0].close();
  fire(streams[0], 'error');
  assert.equal(open(), 0);
  timers.forEach((handler) => handler());
  assert.equal(open(), 1);
});

test('closed stream of a hidden page stays closed', () => {
  const { streams, timers, open, look, fire } = page();
  streams[0].close();
  fire(streams[0], 'error');
  look(false);
  timers.forEach((handler) => handler());
  assert.equal(open(), 0);
});

const settled = () => new Promise((done) => { setImmediate(done); });

test('page says since when it is not updated, until it is', async () => {
  const { streams, stale, server, fire } = page();
  const tick = async () => {
    fire(streams[0], 'tick');
    fire(streams[0], 'tick');
    await settled();
  };
  fire(streams[0], 'open');
  await tick();
  assert.equal(stale.textContent, '');
  await tick();
  assert.match(stale.textContent, /^Not updated since \d/);
  server.answers = true;
  await tick();
  assert.equal(stale.textContent, '');
});

test('page whose stream cannot be opened says so', () => {
  const { streams, timers, stale, fire } = page();
  const refuse = (stream) => {
    stream.close();
    fire(stream, 'error');
  };
  refuse(streams[0]);
  assert.equal(stale.textContent, '');
  timers.forEach((handler) => handler());
  refuse(streams[1]);
  assert.match(stale.textContent, /^Not updated since \d/);
});

test('end of a stream is no failure', () => {
  const { streams, stale, fire } = page();
  for (let streamed = 0; streamed < 5; streamed += 1) {
    fire(streams[0], 'open');
    fire(streams[0], 'error');
  }
  assert.equal(stale.textContent, '');
});
