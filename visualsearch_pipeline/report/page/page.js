"use strict";
// Puts the parts together. What one looks at stands in the address, after the #, so that it can be passed on.
(() => {
  const { data, createFilters, createGallery, createPlayer, createPlots, createTables, format } = visualSearchReport;
  const byId = (id) => document.getElementById(id);
  const tabs = [...document.querySelectorAll('[role="tab"]')];
  const form = byId("filters");
  const narrow = window.matchMedia("(max-width: 719px)");

  const plots = createPlots();
  const gallery = createGallery(byId("gallery"), { onOpen: (position) => player.open(position) });
  const player = createPlayer(byId("player"), { gallery });
  const filters = createFilters(form, {
    onChange: () => {
      show();
      remember();
    },
  });
  const tables = createTables({ plots });
  tables.changes(byId("panel-changes"));
  tables.coverage(byId("panel-coverage"));
  tables.spend(byId("panel-spend"));

  function show() {
    const groups = filters.groups();
    const found = groups.reduce((total, group) => total + group.hits.length, 0);
    const shown = data.hits.query.length;
    const all = data.overview.hits_total;
    let text = found === shown ? format.plural(found, "hit", "hits") : `${format.count(found)} of ${format.plural(shown, "hit", "hits")}`;
    if (shown < all) text += `; this page holds the best of every query, the database all ${format.count(all)}`;
    byId("count").textContent = text;
    byId("nothing").hidden = found > 0;
    byId("nothing").textContent = shown ? "No hit fits these filters." : "No query has found anything yet.";
    gallery.show(groups);
  }

  function choose(view) {
    const chosen = tabs.find((tab) => tab.id === `tab-${view}`) ?? tabs[0];
    for (const tab of tabs) {
      const selected = tab === chosen;
      tab.setAttribute("aria-selected", selected);
      tab.tabIndex = selected ? 0 : -1;
      byId(tab.getAttribute("aria-controls")).hidden = !selected;
    }
    plots.draw();
    gallery.moved();
    return chosen;
  }

  const view = () => tabs.find((tab) => tab.getAttribute("aria-selected") === "true").id.slice("tab-".length);

  function remember() {
    const state = filters.state();
    if (view() !== "hits") state.unshift(["view", view()]);
    const address = new URLSearchParams(state).toString();
    history.replaceState(null, "", location.href.split("#")[0] + (address && `#${address}`));
  }

  function restore() {
    const parameters = new URLSearchParams(location.hash.slice(1));
    filters.restore(parameters);
    show();
    choose(parameters.get("view") ?? "hits");
  }

  for (const tab of tabs) {
    tab.addEventListener("click", () => {
      choose(tab.id.slice("tab-".length));
      window.scrollTo(0, 0);
      remember();
    });
    tab.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!step) return;
      const next = tabs[(tabs.indexOf(tab) + step + tabs.length) % tabs.length];
      next.focus();
      next.click();
    });
  }

  document.querySelector(".skip").addEventListener("click", (event) => {
    event.preventDefault();
    choose("hits");
    gallery.focus(0);
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "/" || event.target.closest("input, select, textarea, dialog")) return;
    event.preventDefault();
    choose("hits");
    form.elements.find.focus();
  });
  // From the search field straight to the first card.
  form.elements.find.addEventListener("keydown", (event) => {
    if (event.key !== "ArrowDown" && event.key !== "Enter") return;
    event.preventDefault();
    gallery.focus(0);
  });

  const fold = () => {
    byId("more-filters").open = !narrow.matches;
  };
  narrow.addEventListener("change", fold);
  byId("more-filters").addEventListener("toggle", () => gallery.moved());
  window.addEventListener("hashchange", restore);
  fold();
  restore();
})();
