// Live updates, completion of filters, and keys. Everything works without it.
'use strict';
(() => {
  const $ = (selector, root = document) => root.querySelector(selector);
  const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
  const store = {
    get: (name) => { try { return localStorage.getItem(name); } catch { return null; } },
    set: (name, value) => { try { localStorage.setItem(name, value); } catch { /* A private window. */ } },
  };
  const [button, stale] = [$('#live'), $('#stale')];
  let live = store.get('pgjobq-live') !== 'off';
  let ticks = 0;
  let loading = false;
  let failures = 0;
  let loadedAt = new Date();

  // A part is left alone while somebody works in it: a choice, a focus, or an open detail would be lost.
  const busy = (part) =>
    part.contains(document.activeElement) || $('input:checked, details[open]', part) !== null ||
    (getSelection().toString() !== '' && part.contains(getSelection().anchorNode));

  async function update() {
    const parts = $$('[data-live]').filter((part) => ticks % Number(part.dataset.live) === 0 && !busy(part));
    if (!live || loading || document.hidden || parts.length === 0) return;
    loading = true;
    try {
      const answer = await fetch(location.href, { headers: { accept: 'text/html' }, redirect: 'error' });
      if (!answer.ok) throw new Error(answer.statusText);
      const page = new DOMParser().parseFromString(await answer.text(), 'text/html');
      for (const part of parts) {
        const fresh = page.getElementById(part.id);
        if (fresh && live && !busy(part)) part.replaceWith(fresh);
      }
      begin();
      succeeded();
    } catch { failed(); /* The next tick tries again. */ } finally { loading = false; }
  }

  // A page says since when it is not up to date, because it goes on to look like one that is.
  function succeeded() {
    [failures, loadedAt] = [0, new Date()];
    show();
  }

  function failed() {
    failures += 1;
    show();
  }

  // One stream of events while somebody looks: a browser has few connections, and the server few places.
  let events = null;
  function listen() {
    const wanted = live && !document.hidden && $('[data-live]') !== null;
    if (!wanted) {
      events?.close();
      events = null;
    } else if (events === null) {
      const stream = events = new EventSource('events');
      let opened = false; // Each stream ends after a while, and is opened again.
      stream.addEventListener('open', () => { opened = true; });
      stream.addEventListener('tick', () => { ticks += 1; update(); });
      // A browser does not ask again after an answer that is no stream.
      stream.addEventListener('error', () => {
        if (events !== stream) return;
        if (!opened) failed();
        opened = false;
        if (stream.readyState !== EventSource.CLOSED) return;
        events = null;
        setTimeout(listen, 30000);
      });
    }
  }

  // Shows what has changed meanwhile, and goes on.
  function resume() {
    ticks = 0;
    update();
    listen();
  }

  function show() {
    button.hidden = $('[data-live]') === null;
    button.setAttribute('aria-pressed', String(live));
    button.textContent = live ? 'Live' : 'Paused';
    const since = loadedAt.toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' });
    stale.textContent = live && failures > 1 ? `Not updated since ${since}` : '';
    button.title = live ? 'Stop the updates of this page (p)' : 'Update this page again (p)';
  }

  function toggle() {
    live = !live;
    store.set('pgjobq-live', live ? 'on' : 'off');
    show();
    resume();
  }

  // The checkbox that chooses all is of use only with a script.
  function begin() {
    const all = $('#choose-all');
    if (all) all.hidden = false;
  }

  document.addEventListener('change', (event) => {
    if (event.target.id === 'choose-all') {
      $$('input[name=id]').forEach((box) => { box.checked = event.target.checked; });
    }
  });

  // Keys: / filter, g and a letter for a screen, j and k for rows, x to choose, p to pause the updates.
  let going = false;
  function row(step) {
    const links = $$('tbody th a');
    const at = links.indexOf(document.activeElement);
    const next = links[at < 0 ? 0 : Math.min(Math.max(at + step, 0), links.length - 1)];
    if (next) next.focus();
  }
  document.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest('input:not([type=checkbox]), select, textarea')) return;
    const key = event.key;
    if (going) {
      going = false;
      const link = $$('.screens a').find((a) => a.dataset.key === key);
      if (link) link.click();
      return;
    }
    if (key === 'g') going = true;
    else if (key === 'p' && !button.hidden) toggle();
    else if (key === 'j') row(1);
    else if (key === 'k') row(-1);
    else if (key === 'x') {
      const box = document.activeElement.closest('tr')?.querySelector('input[name=id]');
      if (box) box.checked = !box.checked;
    } else if (key === '/') {
      if (filter) filter.select(); else location.href = 'jobs';
      event.preventDefault();
    }
  });

  // The field for filters offers what its text may go on with. The server knows the names.
  const filter = $('#filter');
  let asked = null;
  async function complete() {
    const text = filter.value;
    if (text === asked) return;
    asked = text;
    try {
      const answer = await fetch(`api/completions?${new URLSearchParams({ filter: text })}`, { redirect: 'error' });
      if (!answer.ok || filter.value !== text) return;
      const { completions } = await answer.json();
      $('#filters').replaceChildren(...completions.map((value) => new Option('', value)));
    } catch { asked = null; /* The next letter tries again. */ }
  }
  let typing;
  filter?.addEventListener('focus', complete);
  filter?.addEventListener('input', () => { clearTimeout(typing); typing = setTimeout(complete, 100); });

  // On a phone the screens are a row that scrolls sideways.
  const current = $('.screens [aria-current]');
  if (current) current.parentElement.scrollLeft = current.offsetLeft - (innerWidth - current.offsetWidth) / 2;
  button.addEventListener('click', toggle);
  show();
  begin();
  document.addEventListener('visibilitychange', resume);
  listen();
})();
