(function () {
  const night = window.matchMedia("(prefers-color-scheme: dark)");
  const root = document.documentElement;
  const settings = { responsive: true, displaylogo: false, modeBarButtonsToRemove: ["select2d", "lasso2d"] };
  const all = (selector, inside) => Array.from((inside || document).querySelectorAll(selector));
  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : night.matches);
  const bytesOf = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));

  // RFC 1951. The browser's own decoder answers later, and a page should never be seen half drawn.
  function inflate(bytes, size) {
    const out = new Uint8Array(size), lens = [], dists = [];
    for (let i = 0, base = 3; i < 28; i++) { const extra = i < 8 ? 0 : (i >> 2) - 1; lens.push([base, extra]); base += 1 << extra; }
    lens.push([258, 0]);
    for (let i = 0, base = 1; i < 30; i++) { const extra = i < 4 ? 0 : (i >> 1) - 1; dists.push([base, extra]); base += 1 << extra; }
    let at = 0, held = 0, count = 0, end = 0;
    const fill = (n) => { while (count < n) { held |= (bytes[at++] || 0) << count; count += 8; } };
    const take = (n) => { if (!n) return 0; fill(n); const got = held & ((1 << n) - 1); held >>>= n; count -= n; return got; };
    function codes(lengths) {
      const most = Math.max(...lengths), table = new Int32Array(1 << most);
      for (let length = 1, code = 0; length <= most; length++, code <<= 1) {
        lengths.forEach((own, symbol) => {
          if (own !== length) return;
          let reversed = 0;
          for (let bit = 0; bit < length; bit++) reversed |= ((code >> bit) & 1) << (length - 1 - bit);
          for (let place = reversed; place < table.length; place += 1 << length) table[place] = (symbol << 4) | length;
          code++;
        });
      }
      return [table, most];
    }
    function symbol([table, most]) { fill(most); const got = table[held & ((1 << most) - 1)]; held >>>= got & 15; count -= got & 15; return got >> 4; }
    for (let last = 0; !last;) {
      last = take(1);
      const kind = take(2);
      if (kind === 0) {
        take(count & 7);
        const n = take(16); take(16);
        for (let i = 0; i < n; i++) out[end++] = take(8);
        continue;
      }
      let literals, distances;
      if (kind === 1) {
        literals = codes(Array.from({ length: 288 }, (_, i) => (i < 144 ? 8 : i < 256 ? 9 : i < 280 ? 7 : 8)));
        distances = codes(new Array(30).fill(5));
      } else {
        const nLiterals = take(5) + 257, nDistances = take(5) + 1, nCodes = take(4) + 4;
        const order = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15], own = new Array(19).fill(0);
        for (let i = 0; i < nCodes; i++) own[order[i]] = take(3);
        const tree = codes(own), lengths = [];
        while (lengths.length < nLiterals + nDistances) {
          const got = symbol(tree);
          if (got < 16) lengths.push(got);
          else { const what = got === 16 ? lengths[lengths.length - 1] : 0; let n = got === 16 ? 3 + take(2) : got === 17 ? 3 + take(3) : 11 + take(7); while (n--) lengths.push(what); }
        }
        literals = codes(lengths.slice(0, nLiterals));
        distances = codes(lengths.slice(nLiterals));
      }
      for (let got = symbol(literals); got !== 256; got = symbol(literals)) {
        if (got < 256) { out[end++] = got; continue; }
        const length = lens[got - 257][0] + take(lens[got - 257][1]), far = dists[symbol(distances)];
        const back = far[0] + take(far[1]);
        for (let i = 0; i < length; i++, end++) out[end] = out[end - back];
      }
    }
    return out;
  }
  if (typeof PLOTLY !== "undefined") {
    const library = document.createElement("script");
    library.textContent = new TextDecoder().decode(inflate(bytesOf(PLOTLY.data), PLOTLY.size));
    document.head.append(library);
  }

  // Long rows of dates come as packed numbers: days (int32) or milliseconds (float64) since 1970.
  const read = new Map();
  function dates(x) {
    if (!x) return x;
    if (x.shared !== undefined) {
      if (!read.has(x.shared)) read.set(x.shared, dates(SHARED[x.shared]));
      return read.get(x.shared);
    }
    if (!(x.days || x.ms)) return x;
    const bytes = bytesOf(x.days || x.ms);
    const times = x.days ? new Int32Array(bytes.buffer) : new Float64Array(bytes.buffer);
    return Array.from(times, (t) => new Date(x.days ? t * 864e5 : t).toISOString().slice(0, x.days ? 10 : 23));
  }
  function draw(box, forPrint) {
    const source = box.querySelector("script");
    if (!source || !window.Plotly) return;
    let text = source.textContent;
    if (isDark() && !forPrint) {
      for (const [light, dark] of Object.entries(DARK)) text = text.replaceAll(light, dark);
    }
    const figure = JSON.parse(text);
    for (const trace of figure.data) { trace.x = dates(trace.x); trace.y = dates(trace.y); }
    const narrow = box.clientWidth < 640;
    const target = box.querySelector(".plot") || box.appendChild(document.createElement("div"));
    if (narrow) {
      // A narrow screen has no room for the legend beside the title.
      const named = figure.data.filter((trace) => trace.name && trace.showlegend !== false).length;
      const rows = figure.layout.showlegend === false || named < 2 ? 0 : Math.min(6, named < 3 ? 1 : named);
      Object.assign(figure.layout.legend || (figure.layout.legend = {}), { yref: "container", y: 0, yanchor: "bottom" });
      figure.layout.margin = Object.assign({}, figure.layout.margin, { t: 44, l: 8, r: 10, b: 48 + 20 * rows });
      figure.layout.height = (figure.layout.height || 340) + 20 * rows;
      const title = figure.layout.title;
      if (title && title.font) title.font.size = 13;
      // A figure may know better what a narrow screen has room for.
      const { layout: own = {}, trace: changes = {} } = (figure.layout.meta || {}).narrow || {};
      for (const [name, value] of Object.entries(own)) {
        figure.layout[name] = value instanceof Object ? Object.assign(figure.layout[name] || {}, value) : value;
      }
      figure.data.forEach((trace) => Object.assign(trace, changes));
    }
    target.className = "plot";
    Plotly.react(target, figure.data, figure.layout, { ...settings, displayModeBar: narrow ? false : "hover" });
    box.dataset.drawn = "1";
  }
  const boxes = all(".chart");
  const visible = (box) => !box.closest("details:not([open])");
  // All at once, before the first paint: a page is never seen, printed or pictured half drawn.
  boxes.filter(visible).forEach((box) => draw(box));
  all("details").forEach((fold) =>
    fold.addEventListener("toggle", () => {
      if (fold.open) all(".chart", fold).forEach((box) => { if (!box.dataset.drawn && visible(box)) draw(box); });
    }));
  const redraw = () => boxes.forEach((box) => { if (box.dataset.drawn) draw(box); });
  window.addEventListener("beforeprint", () => {
    all("details").forEach((fold) => { fold.open = true; });
    boxes.forEach((box) => { if (!box.dataset.drawn || isDark()) draw(box, true); });
  });
  window.addEventListener("afterprint", () => { if (isDark()) redraw(); });

  const theme = document.getElementById("theme");
  const named = () => { theme.textContent = isDark() ? "Light" : "Dark"; };
  theme.hidden = false;
  theme.addEventListener("click", () => { root.dataset.theme = isDark() ? "light" : "dark"; named(); redraw(); });
  night.addEventListener("change", () => { if (!root.dataset.theme) { named(); redraw(); } });
  named();

  // Tables: the whole figure of a cell stands in data-v where its text is rounded.
  const whole = (cell) => (cell.dataset.v !== undefined ? cell.dataset.v : cell.textContent.trim());
  function numeric(cell) {
    const text = whole(cell).replace(/\u2212/g, "-").replace(/[,\s\u00a0]/g, "").replace(/%$/, "").replace("\u221e", "Infinity");
    return text !== "" && !Number.isNaN(Number(text)) ? Number(text) : null;
  }
  function sort(button) {
    const head = button.closest("th"), table = head.closest("table"), place = head.cellIndex;
    const down = head.getAttribute("aria-sort") === "ascending";
    all("thead th", table).forEach((one) => one.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const rows = Array.from(table.tBodies[0].rows).filter((row) => row.cells.length > place);
    const keyed = rows.map((row) => [row, numeric(row.cells[place]), whole(row.cells[place])]);
    const blank = (key) => key[2] === "" || key[2] === "\u2013" || key[2] === "nan";
    const numbers = keyed.every((key) => key[1] !== null || blank(key));
    keyed.sort((a, b) => {
      if (blank(a) || blank(b)) return blank(a) - blank(b);  // what is missing stays at the end
      const order = numbers ? a[1] - b[1] : a[2].localeCompare(b[2], undefined, { numeric: true });
      return down ? -order : order;
    });
    // As many rows are seen as before, and of those the first ones now.
    const later = rows.map((row) => row.classList.contains("later")).sort((a, b) => a - b);
    keyed.forEach(([row], position) => { row.classList.toggle("later", later[position]); table.tBodies[0].append(row); });
  }
  all("button.sort").forEach((button) => button.addEventListener("click", () => sort(button)));
  function csv(table) {
    const quoted = (text) => (/[",\n]/.test(text) ? `"${text.replace(/"/g, '""')}"` : text);
    const field = (cell) => {
      const text = whole(cell), plain = text === "\u2013" || text === "nan" ? "" : text;
      return quoted(plain.replace(/^\u2212/, "-"));
    };
    return Array.from(table.rows, (row) => Array.from(row.cells, field).join(",")).join("\n") + "\n";
  }
  function copied(text) {
    const old = () => {
      const area = Object.assign(document.createElement("textarea"), { value: text });
      document.body.append(area);
      area.select();
      document.execCommand("copy");
      area.remove();
    };
    // Files of this machine may not be given the clipboard; the old way still works there.
    return navigator.clipboard ? navigator.clipboard.writeText(text).catch(old) : Promise.resolve(old());
  }
  all("button.copy").forEach((button) => {
    const label = button.textContent;
    button.hidden = false;
    button.addEventListener("click", () => {
      const text = csv(button.closest(".box").querySelector("table"));
      button.dataset.csv = text;
      copied(text).then(() => { button.textContent = "Copied"; setTimeout(() => { button.textContent = label; }, 1500); });
    });
  });
  const openers = [["button.all", "every"], ["button.wide", "wide"]];
  openers.forEach(([selector, name]) => all(selector).forEach((button) => {
    button.hidden = false;
    button.addEventListener("click", () => { button.closest(".box").classList.add(name); button.remove(); });
  }));
})();
