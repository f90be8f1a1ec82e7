"use strict";
// Which hits are shown, in which order: from the form's fields to groups of hits, one per query.
visualSearchReport.createFilters = (form, { onChange }) => {
  const { data, element } = visualSearchReport;
  const { hits, media, overview } = data;
  const fields = form.elements;
  const queries = overview.queries;
  const queryKeys = queries.map((query) => `${query.set}/${query.id}`);
  const count = hits.query.length;
  const allDays = [...new Set(hits.day)].sort().reverse();
  const scored = hits.score.some((score) => score !== null);

  // Searched words are looked for in everything a card shows; made once, when first needed.
  let texts = null;
  function searchable(hit) {
    texts ??= hits.query.map((query, index) => {
      const medium = hits.medium[index];
      const { set, id, asks } = queries[query];
      const told = ["name", "uri", "camera", "platform", "creator"].map((name) => media[name][medium]);
      const parts = [...told, set, id, asks, hits.text[index]];
      return parts.filter(Boolean).join("\n").toLowerCase();
    });
    return texts[hit];
  }

  function fill() {
    const sets = [...new Set(queries.map((query) => query.set))];
    fields.set.append(...sets.map((name) => element("option", { value: name, textContent: name })));
    fillQueries();
    fields.day.append(
      ...allDays.map((day) => element("option", { value: day, textContent: visualSearchReport.format.day(day) })),
    );
    fields.score.closest("label").hidden = !scored;
    const libraries = new Set(queries.map((query) => query.library));
    fields.library.closest("label").hidden = libraries.size < 2;
    for (const option of [...fields.library.options]) {
      if (option.value && !libraries.has(option.value)) option.remove();
    }
    fields.new.closest("label").hidden = !hits.new.some(Boolean);
  }

  // Only the queries of the chosen set and library.
  function fillQueries() {
    const chosen = fields.query.value;
    const groups = new Map();
    queries.forEach((query, index) => {
      if (fields.set.value && query.set !== fields.set.value) return;
      if (fields.library.value && query.library !== fields.library.value) return;
      if (!groups.has(query.set)) groups.set(query.set, element("optgroup", { label: query.set }));
      groups.get(query.set).append(element("option", { value: queryKeys[index], textContent: query.id }));
    });
    fields.query.replaceChildren(element("option", { value: "", textContent: "All queries" }), ...groups.values());
    fields.query.value = chosen;
    if (fields.query.selectedIndex < 0) fields.query.value = "";
  }

  const orders = {
    score: (a, b) => (hits.score[b] ?? -1) - (hits.score[a] ?? -1) || orders.newest(a, b),
    newest: (a, b) => compare(hits.day[b], hits.day[a]) || orders.name(a, b),
    oldest: (a, b) => compare(hits.day[a], hits.day[b]) || orders.name(a, b),
    name: (a, b) => nameRank[hits.medium[a]] - nameRank[hits.medium[b]] || (hits.start[a] ?? 0) - (hits.start[b] ?? 0),
  };
  const collator = new Intl.Collator("en", { numeric: true, sensitivity: "base" });
  const nameOrder = [...media.name.keys()].sort((a, b) => collator.compare(media.name[a], media.name[b]));
  const nameRank = new Array(nameOrder.length);
  nameOrder.forEach((medium, rank) => (nameRank[medium] = rank));
  const compare = (a, b) => (a < b ? -1 : a > b ? 1 : 0);

  // [{query, hits: [index, …]}, …]: queries in their order, their hits in the chosen one.
  function groups() {
    const words = fields.find.value.toLowerCase().split(/\s+/).filter(Boolean);
    const set = fields.set.value;
    const library = fields.library.value;
    const day = fields.day.value;
    const least = Number(fields.score.value);
    const asked = queryKeys.indexOf(fields.query.value);
    const found = new Map();
    for (let hit = 0; hit < count; hit++) {
      const query = hits.query[hit];
      if (asked >= 0 ? query !== asked : set && queries[query].set !== set) continue;
      if (library && queries[query].library !== library) continue;
      if (day && hits.day[hit] !== day) continue;
      if (least > 0 && !(hits.score[hit] >= least)) continue;
      if (fields.new.checked && !hits.new[hit]) continue;
      if (words.length && !words.every((word) => searchable(hit).includes(word))) continue;
      if (!found.has(query)) found.set(query, []);
      found.get(query).push(hit);
    }
    const order = orders[fields.sort.value] ?? orders.score;
    return [...found.keys()]
      .sort((a, b) => a - b)
      .map((query) => ({ query, hits: found.get(query).sort(order) }));
  }

  const names = ["find", "library", "set", "query", "day", "score", "sort"];
  const defaults = { find: "", library: "", set: "", query: "", day: "", score: "0", sort: "score" };

  // What differs from a fresh page, so that a link to what one sees can be passed on.
  function state() {
    const given = names.filter((name) => fields[name].value !== defaults[name]);
    const pairs = given.map((name) => [name, fields[name].value]);
    if (fields.new.checked) pairs.push(["new", "1"]);
    return pairs;
  }

  function restore(parameters) {
    for (const name of names) {
      fields[name].value = parameters.get(name) ?? defaults[name];
      if (name === "set") fillQueries();
      if (fields[name].selectedIndex === -1) fields[name].value = defaults[name];
    }
    fields.new.checked = parameters.get("new") === "1";
    form.querySelector(".least").textContent = Number(fields.score.value).toFixed(2);
  }

  function changed() {
    form.querySelector(".least").textContent = Number(fields.score.value).toFixed(2);
    onChange();
  }

  form.addEventListener("input", (event) => {
    if (event.target === fields.set || event.target === fields.library) fillQueries();
    changed();
  });
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", (event) => {
    event.preventDefault();
    restore(new URLSearchParams());
    changed();
  });
  fill();
  return { groups, state, restore };
};
