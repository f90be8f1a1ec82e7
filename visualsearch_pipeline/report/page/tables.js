"use strict";
// The parts besides the gallery: what changed, how far the search has come, what it cost.
visualSearchReport.createTables = ({ plots }) => {
  const { data, element, format } = visualSearchReport;

  // columns: [{head, cell(row), number, spare}]; a cell is text or a node. A phone does without what can be spared.
  const classes = ({ number, spare }) => [number && "number", spare && "spare"].filter(Boolean).join(" ");

  function table(caption, columns, rows) {
    return element(
      "div",
      { className: "scroll", tabIndex: 0, attributes: { role: "region", "aria-label": caption } },
      element(
        "table",
        {},
        element("caption", { textContent: caption }),
        element(
          "thead",
          {},
          element(
            "tr",
            {},
            ...columns.map((column) =>
              element("th", { scope: "col", className: classes(column), textContent: column.head }),
            ),
          ),
        ),
        element(
          "tbody",
          {},
          ...rows.map((row) =>
            element(
              "tr",
              {},
              ...columns.map((column) => element("td", { className: classes(column) }, column.cell(row) ?? "")),
            ),
          ),
        ),
      ),
    );
  }

  const heading = (text) => element("h2", { textContent: text });
  const note = (text) => element("p", { className: "note", textContent: text });
  const sum = (numbers) => numbers.reduce((total, number) => total + number, 0);

  const libraries = { image: "image", public: "public video" };
  const place = (row) => libraries[row.library] ?? format.range(row.start, row.end);

  function changes(panel) {
    const all = data.changes;
    if (all === null || !panel) return;
    if (!all.length) {
      panel.append(heading("Changes"), note("No query has found anything different from its run before."));
      return;
    }
    panel.append(note("What each query's latest run found differently from the run before. A query's first run is no change."));
    const kinds = [
      ["new", "New hits"],
      ["gone", "Gone hits"],
      ["moved", "Moved hits"],
    ];
    for (const [kind, title] of kinds) {
      const rows = all.filter((row) => row.change === kind);
      if (!rows.length) continue;
      panel.append(
        heading(`${title} (${format.count(rows.length)})`),
        table(
          title,
          [
            { head: "Query", cell: (row) => `${row.set} / ${row.query}` },
            { head: "Found", cell: (row) => row.name },
            { head: "Where", cell: (row) => place(row) },
            { head: "Score", number: true, cell: (row) => format.score(row.score) },
            { head: "Day", cell: (row) => format.day(row.day) },
            { head: "Words", cell: (row) => row.text },
            { head: "Noticed", cell: (row) => row.at },
          ],
          rows,
        ),
      );
    }
  }

  // The public library changes by itself and cannot be counted: a query is asked about all of it, once a day.
  function extent(row) {
    if (row.library === "public") return row.asked_on ? `asked ${format.day(row.asked_on)}` : "not asked yet";
    return `${format.count(row.searched)} of ${format.plural(row.to_search, row.library, `${row.library}s`)}`;
  }

  function coverage(panel) {
    const { queries, failures } = data.overview;
    const days = data.coverage;
    panel.append(heading("Searched, by day"));
    if (days.length) {
      const series = [
        { name: "searched", values: days.map((day) => day.searched) },
        { name: "not searched yet", values: days.map((day) => Math.max(0, day.pairs - day.searched)) },
      ];
      const searched = sum(series[0].values);
      const pairs = sum(days.map((day) => day.pairs));
      panel.append(
        element(
          "p",
          { className: "legend" },
          element(
            "span",
            {},
            plots.swatch(0),
            `searched: ${format.count(searched)} of ${format.count(pairs)} pairs of a query and a video (${format.percent(searched, pairs)})`,
          ),
          element("span", {}, plots.swatch(1), `not searched yet: ${format.count(sum(series[1].values))}`),
        ),
        plots.stackedBars({
          title: `Pairs of a query and a video per day; ${format.percent(searched, pairs)} are searched. The table below has the numbers.`,
          days: days.map((day) => day.day),
          series,
          value: format.count,
        }),
      );
    } else {
      panel.append(note("No video is ready to be searched yet."));
    }
    panel.append(
      heading("By query"),
      table(
        "Coverage by query",
        [
          { head: "Query", cell: (row) => `${row.set} / ${row.id}` },
          { head: "Kind", spare: true, cell: (row) => format.kind(row.kind) },
          {
            head: "Searched",
            spare: true,
            cell: (row) =>
              row.library === "public"
                ? ""
                : element("progress", {
                    max: Math.max(1, row.to_search),
                    value: row.searched,
                    attributes: { "aria-label": `${row.id}: ${row.searched} of ${row.to_search} ${row.library}s searched` },
                  }),
          },
          { head: "How far", number: true, cell: (row) => extent(row) },
          { head: "Hits", number: true, cell: (row) => format.count(row.hits) },
          { head: "Truncated", number: true, cell: (row) => format.count(row.truncated) },
        ],
        queries,
      ),
      note(
        "Counted are the videos or images that a query concerns. Truncated: the service may know more hits there than it returns.",
      ),
    );
    if (days.length) {
      panel.append(
        details("The days in numbers", () =>
          table(
            "Coverage by day",
            [
              { head: "Day", cell: (row) => format.day(row.day) },
              { head: "Videos", number: true, cell: (row) => format.count(row.videos) },
              { head: "Pairs searched", number: true, cell: (row) => `${format.count(row.searched)} of ${format.count(row.pairs)}` },
              { head: "Share", number: true, cell: (row) => format.percent(row.searched, row.pairs) },
            ],
            days.toReversed(),
          ),
        ),
      );
    }
    if (failures.length) {
      panel.append(
        heading(`Failed (${format.count(failures.length)})`),
        table(
          "What failed and is not mended",
          [
            { head: "Step", cell: (row) => row.step },
            { head: "Item", cell: (row) => element("span", { className: "path", textContent: row.subject }) },
            { head: "Reason", cell: (row) => element("span", { className: "reason", textContent: row.reason ?? "" }) },
            { head: "Times", number: true, cell: (row) => format.count(row.count) },
          ],
          failures,
        ),
      );
    }
  }

  function spend(panel) {
    const rows = data.spend;
    panel.append(heading("Spend, by day"));
    const total = sum(rows.map((row) => row.usd));
    if (!rows.length) {
      panel.append(note("The service has not been called yet."));
      return;
    }
    const days = [...new Set(rows.map((row) => row.day))].sort();
    const operations = new Map();
    for (const row of rows) {
      if (!operations.has(row.operation)) operations.set(row.operation, { name: row.operation, calls: 0, usd: 0, byDay: new Map() });
      const operation = operations.get(row.operation);
      operation.calls += row.calls;
      operation.usd += row.usd;
      operation.byDay.set(row.day, row.usd);
    }
    const sorted = [...operations.values()].sort((a, b) => b.usd - a.usd || b.calls - a.calls);
    const paid = sorted.filter((operation) => operation.usd > 0);
    const series = paid.map(({ name, byDay }) => ({ name, values: days.map((day) => byDay.get(day) ?? 0) }));
    panel.append(
      note(`${format.usd(total)} in all, by the price table of the settings; days are UTC.`),
      plots.stackedBars({
        title: `US dollars per day, by operation; ${format.usd(total)} in all. The table below has the numbers.`,
        days,
        series,
        value: (usd) => `$${Number(usd.toPrecision(3))}`,
      }),
      heading("By operation"),
      table(
        "Spend by operation",
        [
          {
            head: "Operation",
            cell: (row) => element("span", {}, row.usd > 0 ? plots.swatch(paid.indexOf(row)) : "", row.name.replaceAll("_", " ")),
          },
          { head: "Calls", number: true, cell: (row) => format.count(row.calls) },
          { head: "US dollars", number: true, cell: (row) => format.usd(row.usd) },
          { head: "Share", number: true, cell: (row) => format.percent(row.usd, total) },
        ],
        sorted,
      ),
      details("The days in numbers", () =>
        table(
          "Spend by day",
          [
            { head: "Day", cell: (row) => format.day(row) },
            { head: "US dollars", number: true, cell: (row) => format.usd(sum(rows.filter((r) => r.day === row).map((r) => r.usd))) },
          ],
          days.toReversed(),
        ),
      ),
    );
  }

  // Filled when it is opened: a long table costs nothing until then.
  function details(summary, content) {
    const made = element("details", { className: "numbers" }, element("summary", { textContent: summary }));
    made.addEventListener("toggle", () => made.append(content()), { once: true });
    return made;
  }

  return { changes, coverage, spend };
};
