"use strict";
(() => {
  const data = document.getElementById("data");
  if (!data) return;
  const { conditions, names, attempts, words } = JSON.parse(data.textContent);
  const table = document.getElementById("attempts");
  const form = document.getElementById("filter");
  const body = table.tBodies[0];
  const rows = [...body.rows];
  let only = null;
  document.documentElement.classList.add("live");
  if (rows.length > 60) document.documentElement.classList.add("long");

  const text = (element, words) => {
    const made = document.createElement(element);
    made.textContent = words;
    return made;
  };
  const first = (condition, task) => {
    const found = (attempts[condition][task] || []).filter((a) => a && a[0] < 2);
    return found.length ? found.reduce((sum, a) => sum + a[0], 0) / found.length : null;
  };
  const outcome = (cell, wanted) => !wanted || cell.classList.contains(wanted);

  function matches(row) {
    const task = Number(row.dataset.i);
    const sought = form.q.value.trim().toLowerCase();
    if (sought && !(row.cells[0].textContent + " " + row.cells[1].textContent).toLowerCase().includes(sought))
      return false;
    if (only) {
      const [one, other] = only.map((i) => first(i - 1, task));
      return one !== null && other !== null && one !== other;
    }
    const cells = [...row.cells].slice(2);
    const chosen = form.c.value ? [cells[form.c.value - 1]] : cells;
    return chosen.some((cell) => outcome(cell, form.o.value));
  }

  function filter() {
    for (const open of body.querySelectorAll(".detail")) open.remove();
    let shown = 0;
    for (const row of rows) {
      row.classList.remove("open");
      row.hidden = !matches(row);
      shown += !row.hidden;
    }
    const pair = only ? `, on which #${only[0]} and #${only[1]} differ` : "";
    form.n.value = `${shown} of ${rows.length} tasks${pair}`;
  }

  function attempt(condition, task, repeat, found) {
    const { key, digest, traces } = conditions[condition];
    const id = `${names[task]}~${digest}~${repeat}`;
    const line = document.createElement("div");
    line.append(text("b", `${key} `), text("code", id), " ");
    if (!found) {
      line.append("owed");
      return line;
    }
    const [, why, tried, usd, seconds] = found;
    const cost = usd === null ? "no price" : `$${usd}`;
    line.append(`${words[why]}; ${cost}, ${seconds} s`);
    for (let number = 1; traces !== null && number <= tried; number++) {
      const link = text("a", tried > 1 ? `trace of try ${number}` : "trace");
      link.href = `${traces}/${id}.${number}.jsonl`.split("/").map(encodeURIComponent).join("/");
      line.append(" ", link);
    }
    return line;
  }

  function toggle(row) {
    const next = row.nextElementSibling;
    if (next && next.classList.contains("detail")) {
      next.remove();
      row.classList.remove("open");
      return;
    }
    const task = Number(row.dataset.i);
    const detail = document.createElement("tr");
    detail.className = "detail";
    const cell = detail.insertCell();
    cell.colSpan = row.cells.length;
    attempts.forEach((column, condition) => {
      column[task].forEach((found, repeat) => cell.append(attempt(condition, task, repeat, found)));
    });
    row.classList.add("open");
    row.after(detail);
  }

  let sorted = [-1, 1];
  function sort(column) {
    sorted = [column, sorted[0] === column ? -sorted[1] : 1];
    const key = (row) => (column < 2 ? row.cells[column].textContent : first(column - 2, Number(row.dataset.i)) ?? -1);
    const compare = (a, b) => (typeof a === "string" ? a.localeCompare(b) : b - a);
    rows.sort((a, b) => sorted[1] * compare(key(a), key(b)));
    body.append(...rows);
    filter();
  }

  function follow() {
    const [place, query] = location.hash.slice(1).split("/");
    if (place !== "tasks") return;
    const asked = new URLSearchParams(query || "");
    form.c.value = asked.get("c") || "";
    form.o.value = asked.get("o") || "";
    form.q.value = asked.get("repo") || "";
    only = asked.get("only") ? asked.get("only").split(",").map(Number) : null;
    filter();
    document.getElementById("tasks").scrollIntoView();
  }

  body.addEventListener("click", (event) => {
    const row = event.target.closest("tr");
    if (row && row.dataset.i && !event.target.closest("a")) toggle(row);
  });
  body.addEventListener("keydown", (event) => {
    const row = event.target.closest("tr");
    if (event.key === "Enter" && row && row.dataset.i) toggle(row);
  });
  rows.forEach((row) => (row.tabIndex = 0));
  table.tHead.addEventListener("click", (event) => {
    const head = event.target.closest("th");
    if (head) sort(head.cellIndex);
  });
  form.addEventListener("input", () => {
    only = null;
    filter();
  });
  form.addEventListener("submit", (event) => event.preventDefault());
  addEventListener("hashchange", follow);
  filter();
  follow();
})();
