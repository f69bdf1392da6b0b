"use strict";
(() => {
  const main = document.getElementById("main");
  const help = document.getElementById("help");
  const state = document.getElementById("state");
  document.documentElement.classList.add("live");

  // Where one is: a row of a grid or list, a square of that row, a step.
  const rows = () => [...document.querySelectorAll("#rows > tr, #rows > tbody > tr")];
  const steps = () => [...document.querySelectorAll(".step")];
  const links = (row) => [...row.querySelectorAll("a")];
  let at = -1;
  let column = 0;

  function show(element) {
    for (const old of document.querySelectorAll(".at")) old.classList.remove("at");
    if (!element) return;
    element.classList.add("at");
    const box = element.getBoundingClientRect();
    if (box.top < 60 || box.bottom > innerHeight - 20 || element.matches(".step"))
      element.scrollIntoView({ block: element.matches(".step") ? "start" : "nearest" });
  }

  function move(by) {
    const cards = steps();
    const all = cards.length ? cards : rows();
    if (!all.length) return;
    if (cards.length && !inSight(all[at])) at = nearest(cards, by) - by;
    const over = at + by < 0 || at + by >= all.length;
    if (over && follow(by > 0 ? "a.steps-after" : "a.steps-before")) return;
    at = Math.max(0, Math.min(all.length - 1, at + by));
    show(all[at]);
    if (!cards.length) point();
  }

  function inSight(card) {
    if (!card || !card.matches(".at")) return false;
    const box = card.getBoundingClientRect();
    return box.bottom > 60 && box.top < innerHeight;
  }

  // Scrolling by hand moves where one is.
  function nearest(cards, by) {
    const tops = cards.map((card) => card.getBoundingClientRect().top - 56);
    if (by > 0) {
      const next = tops.findIndex((top) => top > 4);
      return next < 0 ? cards.length - 1 : next;
    }
    return Math.max(0, tops.filter((top) => top < -4).length - 1);
  }

  function point() {
    const row = rows()[at];
    if (!row) return;
    const all = links(row);
    column = Math.max(0, Math.min(all.length - 1, column));
    if (all[column]) all[column].focus({ preventScroll: true });
  }

  function across(by) {
    if (steps().length || at < 0) return;
    column += by;
    point();
  }

  function open() {
    const card = document.querySelector(".step.at");
    if (card) {
      const folds = [...card.querySelectorAll("details")];
      const to = folds.some((fold) => !fold.open);
      for (const fold of folds) fold.open = to;
    } else if (document.activeElement && document.activeElement.matches("#rows a")) {
      document.activeElement.click();
    } else if (rows()[at]) {
      links(rows()[at])[0].click();
    }
  }

  const follow = (selector) => {
    const link = document.querySelector(selector);
    if (link) location.href = link.href;
    return Boolean(link);
  };
  const section = (id) => {
    const found = document.getElementById(id);
    if (found) found.scrollIntoView();
  };

  // Two attempts side by side: the first is remembered until the second is named.
  function mark() {
    const link = document.activeElement && document.activeElement.closest("a[href*='/a/']");
    const path = new URL(link ? link.href : location.href).pathname;
    const found = path.match(/^\/r\/([^/]+)\/a\/([^/]+)$/);
    if (!found) return;
    const name = `${decodeURIComponent(found[1])}/${decodeURIComponent(found[2])}`;
    const first = sessionStorage.getItem("marked");
    if (first && first !== name) {
      sessionStorage.removeItem("marked");
      location.href = `/compare?${new URLSearchParams({ a: first, b: name })}`;
    } else {
      sessionStorage.setItem("marked", name);
      say("marked; press x at another attempt to see both");
    }
  }

  function say(words) {
    state.textContent = words;
  }

  const keys = {
    j: () => move(1),
    k: () => move(-1),
    ArrowDown: () => !steps().length && at >= 0 && move(1),
    ArrowUp: () => !steps().length && at >= 0 && move(-1),
    h: () => across(-1),
    l: () => across(1),
    o: open,
    ArrowLeft: () => follow("a[rel=prev]"),
    ArrowRight: () => follow("a[rel=next]"),
    "/": () => {
      const field = document.querySelector("input[type=search]");
      if (field) field.select();
      if (field) field.focus();
    },
    u: () => follow(".crumbs a:last-of-type"),
    t: () => section("trajectory"),
    d: () => section("diff"),
    e: () => section("tests"),
    x: mark,
    g: () => scrollTo(0, 0),
    "?": () => (help.open ? help.close() : help.showModal()),
  };

  document.getElementById("keys").addEventListener("click", keys["?"]);

  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.matches("input, select, textarea")) {
      if (event.key === "Escape") event.target.blur();
      return;
    }
    if (event.key === "Enter" && event.target.matches("a, button, summary")) return;
    const key = event.key === "Enter" ? "o" : event.key;
    if (!Object.hasOwn(keys, key) || (help.open && key !== "?")) return;
    if (keys[key]() !== false) event.preventDefault();
  });

  document.addEventListener("focusin", (event) => {
    const row = event.target.closest("#rows tr");
    if (!row) return;
    at = rows().indexOf(row);
    column = links(row).indexOf(event.target);
    show(row);
  });

  for (const choice of document.querySelectorAll("#filter select"))
    choice.addEventListener("change", () => send(choice.form));
  for (const form of document.querySelectorAll("form[method=get]"))
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      send(form);
    });

  // The address has only what was asked for.
  function send(form) {
    const asked = new URLSearchParams(
      [...new FormData(form)].filter(([, value]) => value !== ""),
    );
    const to = new URL(form.getAttribute("action") || location.pathname, location.href);
    location.href = `${to.pathname}?${asked}${to.hash}`;
  }

  // While a run goes on: what has changed is fetched as a page, and put in the place of the old.
  const pages = window.trustedTypes
    ? window.trustedTypes.createPolicy("page", { createHTML: (text) => text })
    : { createHTML: (text) => text };
  let before = main ? [...main.children].map((part) => part.outerHTML) : [];
  let failures = 0;

  async function look() {
    const again = (seconds) => setTimeout(look, 1000 * seconds);
    if (document.hidden) return again(2);
    try {
      const found = await (await fetch(main.dataset.watch)).json();
      document.body.classList.toggle("written", found.written);
      if (found.version && found.version !== main.dataset.seen) await renew();
      if (failures) say("");
      failures = 0;
      return again(found.written ? 2 : 10);
    } catch {
      failures += 1;
      say("the viewer does not answer; is it still running?");
      return again(10);
    }
  }

  async function renew() {
    const answer = await fetch(location.href);
    if (!answer.ok) return;
    const made = new DOMParser().parseFromString(pages.createHTML(await answer.text()), "text/html");
    const fresh = made.getElementById("main");
    if (!fresh) return;
    const parts = [...fresh.children];
    const texts = parts.map((part) => part.outerHTML);
    const unfolded = folds();
    const old = [...main.children];
    parts.forEach((part, i) => {
      if (texts[i] === before[i]) return;
      if (old[i]) old[i].replaceWith(document.adoptNode(part));
      else main.append(document.adoptNode(part));
    });
    for (const left of old.slice(parts.length)) left.remove();
    before = texts;
    main.dataset.seen = fresh.dataset.seen;
    for (const fold of document.querySelectorAll("main details"))
      if (unfolded.has(named(fold))) fold.open = unfolded.get(named(fold));
  }

  // A fold is known by where it stands: the step or section, and which one in there.
  const named = (fold) => {
    const place = fold.closest("[id]");
    return `${place.id} ${[...place.querySelectorAll("details")].indexOf(fold)}`;
  };
  const folds = () =>
    new Map([...document.querySelectorAll("main details")].map((fold) => [named(fold), fold.open]));

  if (main && main.dataset.watch) look();
})();
