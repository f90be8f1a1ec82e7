"use strict";
// The cards. Only the rows near the window are in the document, however many hits there are.
visualSearchReport.createGallery = (container, { onOpen }) => {
  const { data, element, format } = visualSearchReport;
  const { hits, media, overview } = data;
  const CARD_WIDTH = 230; // the least, in pixels
  const GAP = 14;
  const HEADER_HEIGHT = 76;
  const TEXT_HEIGHT = 54; // name and day
  const WORDS_HEIGHT = 42; // two lines, for queries that are answered in words

  let groups = [];
  let rows = []; // {query, hits} for a header, {first, last, worded} for cards: positions in the sequence
  let sequence = []; // hits in the order they are shown
  let rowOf = []; // row of each position
  let active = 0; // the position that Tab reaches
  let columns = 1;
  let pictureHeight = 0;
  const shown = new Map(); // row → its element

  const virtualizer = new VirtualCore.Virtualizer(options());

  function options() {
    const activeRow = rowOf[active];
    return {
      count: rows.length,
      getScrollElement: () => window,
      estimateSize: (index) => heightOf(rows[index]),
      scrollToFn: VirtualCore.windowScroll,
      observeElementRect: VirtualCore.observeWindowRect,
      observeElementOffset: VirtualCore.observeWindowOffset,
      initialRect: { width: window.innerWidth, height: window.innerHeight },
      initialOffset: () => window.scrollY,
      scrollMargin: container.offsetTop,
      overscan: 4,
      onChange: render,
      // The active card stays in the document, or Tab and the arrow keys would lose their place.
      rangeExtractor: (range) => {
        const indexes = VirtualCore.defaultRangeExtractor(range);
        if (activeRow !== undefined && activeRow < range.count && !indexes.includes(activeRow)) {
          indexes.push(activeRow);
          indexes.sort((a, b) => a - b);
        }
        return indexes;
      },
    };
  }

  function heightOf({ hits: isHeader, worded }) {
    return isHeader ? HEADER_HEIGHT : pictureHeight + TEXT_HEIGHT + (worded ? WORDS_HEIGHT : 0) + GAP;
  }

  function layOut() {
    const width = container.clientWidth;
    columns = Math.max(width < 480 ? 1 : 2, Math.floor((width + GAP) / (CARD_WIDTH + GAP)));
    const cardWidth = (width - GAP * (columns - 1)) / columns;
    pictureHeight = Math.round((cardWidth * 9) / 16);
    container.style.setProperty("--columns", columns);
    container.style.setProperty("--picture-height", `${pictureHeight}px`);
    rows = [];
    sequence = [];
    rowOf = [];
    for (const group of groups) {
      const worded = group.hits.some((hit) => hits.text[hit]);
      rows.push({ query: group.query, hits: group.hits.length });
      for (let index = 0; index < group.hits.length; index += columns) {
        const row = group.hits.slice(index, index + columns);
        for (const hit of row) {
          rowOf.push(rows.length);
          sequence.push(hit);
        }
        rows.push({ first: sequence.length - row.length, last: sequence.length - 1, worded });
      }
    }
    active = Math.max(0, Math.min(active, sequence.length - 1));
    for (const made of shown.values()) made.remove();
    shown.clear();
    refresh({ measure: true });
  }

  function refresh({ measure = false } = {}) {
    virtualizer.setOptions(options());
    if (measure) virtualizer.measure();
    virtualizer._willUpdate();
    render();
  }

  function render() {
    const items = virtualizer.getVirtualItems();
    const wanted = new Set(items.map((item) => item.index));
    for (const [index, made] of shown) {
      if (!wanted.has(index)) {
        made.remove();
        shown.delete(index);
      }
    }
    container.style.height = `${virtualizer.getTotalSize()}px`;
    for (const item of items) {
      let made = shown.get(item.index);
      if (!made) {
        made = rows[item.index].hits ? header(rows[item.index]) : cards(rows[item.index]);
        shown.set(item.index, made);
        container.insertBefore(made, following(item.index));
      }
      made.style.transform = `translateY(${item.start - virtualizer.options.scrollMargin}px)`;
    }
  }

  // Rows stand in the document in their order, for those who hear the page instead of seeing it.
  function following(index) {
    let nearest = null;
    for (const [other, made] of shown) {
      if (other > index && made.parentNode && (nearest === null || other < nearest[0])) nearest = [other, made];
    }
    return nearest && nearest[1];
  }

  function header({ query, hits: count }) {
    const { set, id, kind, asks, description } = overview.queries[query];
    return element(
      "div",
      { className: "row header" },
      element("h2", { id: `query-${query}` }, element("span", { className: "set", textContent: `${set} / ` }), id),
      element(
        "p",
        {},
        element("span", { className: "asks", textContent: asks ?? "", title: asks ?? "" }),
        ` ${format.kind(kind)} · ${format.plural(count, "hit", "hits")}`,
        description ? ` · ${description}` : "",
      ),
    );
  }

  function cards({ first, last, worded }) {
    const row = element("div", { className: worded ? "row cards worded" : "row cards" });
    for (let position = first; position <= last; position++) row.append(card(position));
    return row;
  }

  function card(position) {
    const hit = sequence[position];
    const medium = hits.medium[hit];
    const query = overview.queries[hits.query[hit]];
    const library = media.library[medium];
    const name = media.name[medium];
    const platform = media.platform[medium] && format.platform(media.platform[medium]);
    const when = library === "image" ? "" : format.range(hits.start[hit], hits.end[hit]);
    const asked = library === "public" ? "asked " : "";
    const day = [media.creator[medium], asked + format.day(hits.day[hit])].filter(Boolean).join(" · ");
    const score = format.score(hits.score[hit]);
    const words = hits.text[hit] ?? "";
    const label = [
      `${query.id}: ${name}`,
      platform,
      hits.start[hit] === null ? when : `at ${when.replace("–", " to ")}`,
      score && `score ${score}`,
      day,
      hits.new[hit] ? "new" : "",
      words,
    ];
    const button = element(
      "button",
      {
        type: "button",
        className: `card ${library}`,
        tabIndex: position === active ? 0 : -1,
        attributes: { "data-position": position, "aria-label": label.filter(Boolean).join(", ") },
      },
      element(
        "span",
        { className: "picture" },
        visualSearchReport.picture(hit, { lazy: true }),
        score ? element("span", { className: "badge score", textContent: score }) : null,
        hits.new[hit] ? element("span", { className: "badge new", textContent: "new" }) : null,
        when ? element("span", { className: "badge when", textContent: when }) : null,
      ),
      element("span", { className: "name", textContent: name, title: name }),
      element("span", { className: "day", textContent: day, title: day }),
      element("span", { className: "words", textContent: words, title: words }),
    );
    const post = media.post[medium];
    if (!post) return button;
    // Beside the button, not in it: what can be pressed may not hold what can be pressed. By keyboard and by ear the
    // same link is in the large view, so that the gallery stays one stop of the Tab key.
    const link = element("a", {
      className: "badge post",
      href: post,
      target: "_blank",
      rel: "noopener noreferrer",
      tabIndex: -1,
      title: post,
      textContent: "Post ↗",
      attributes: { "aria-label": `${name}: open the post${platform ? ` on ${platform}` : ""}` },
    });
    return element("div", { className: "with-post" }, button, link);
  }

  function focus(position) {
    if (position < 0 || position >= sequence.length) return;
    const before = container.querySelector(`[data-position="${active}"]`);
    if (before) before.tabIndex = -1;
    active = position;
    refresh();
    const target = container.querySelector(`[data-position="${position}"]`);
    target.tabIndex = 0;
    target.focus({ preventScroll: true });
    target.scrollIntoView({ block: "nearest" });
  }

  // The card in the same column of the next row of cards, over a header where there is one.
  function vertical(step) {
    let row = rowOf[active] + step;
    while (rows[row]?.hits) row += step;
    if (!rows[row]) return active;
    const column = active - rows[rowOf[active]].first;
    return Math.min(rows[row].first + column, rows[row].last);
  }

  container.addEventListener("keydown", (event) => {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const targets = {
      ArrowRight: () => active + 1,
      ArrowLeft: () => active - 1,
      ArrowDown: () => vertical(1),
      ArrowUp: () => vertical(-1),
      Home: () => 0,
      End: () => sequence.length - 1,
    };
    if (!targets[event.key] || !event.target.closest(".card")) return;
    event.preventDefault();
    focus(targets[event.key]());
  });

  container.addEventListener("click", (event) => {
    const chosen = event.target.closest(".card");
    if (!chosen) return;
    focus(Number(chosen.dataset.position));
    onOpen(active);
  });

  // A card that got the focus by another way, such as a screen reader's, is the active one.
  container.addEventListener("focusin", (event) => {
    const position = Number(event.target.closest(".card")?.dataset.position ?? active);
    if (position !== active) focus(position);
  });

  let width = 0;
  new ResizeObserver(() => {
    if (container.clientWidth && container.clientWidth !== width) {
      width = container.clientWidth;
      layOut();
    }
  }).observe(container);
  virtualizer._didMount();

  return {
    show(newGroups) {
      groups = newGroups;
      active = 0;
      layOut();
    },
    // The place above the gallery changed, as when the filters fold or another tab was shown.
    moved: () => refresh(),
    hitAt: (position) => sequence[position],
    get length() {
      return sequence.length;
    },
    focus,
  };
};
