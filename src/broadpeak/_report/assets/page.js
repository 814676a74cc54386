(function () {
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const settings = { responsive: true, displaylogo: false, modeBarButtonsToRemove: ["select2d", "lasso2d"] };
  // Long rows of dates come as packed numbers: days (int32) or milliseconds (float64) since 1970.
  function dates(x) {
    if (!x || !(x.days || x.ms)) return x;
    const bytes = Uint8Array.from(atob(x.days || x.ms), (letter) => letter.charCodeAt(0));
    const times = x.days ? new Int32Array(bytes.buffer) : new Float64Array(bytes.buffer);
    return Array.from(times, (t) => new Date(x.days ? t * 864e5 : t).toISOString().slice(0, x.days ? 10 : 23));
  }
  function draw(box, forPrint) {
    const source = box.querySelector("script");
    if (!source || !window.Plotly) return;
    let text = source.textContent;
    if (dark.matches && !forPrint) {
      for (const [light, night] of Object.entries(DARK)) text = text.replaceAll(light, night);
    }
    const figure = JSON.parse(text);
    for (const trace of figure.data) trace.x = dates(trace.x);
    const narrow = box.clientWidth < 640;
    if (narrow) {
      // A narrow screen has no room for the legend beside the title.
      Object.assign(figure.layout.legend, { y: -0.28, yanchor: "top" });
      figure.layout.margin.t = 40;
      figure.layout.margin.b = 130;
      figure.layout.height = (figure.layout.height || 340) + 70;
    }
    const target = box.querySelector(".plot") || box.appendChild(document.createElement("div"));
    target.className = "plot";
    Plotly.react(target, figure.data, figure.layout, { ...settings, displayModeBar: narrow ? false : "hover" });
    box.dataset.drawn = "1";
  }
  const boxes = Array.from(document.querySelectorAll(".chart"));
  const visible = (box) => !box.closest("details:not([open])");
  // All at once, before the first paint: a page is never seen, printed or pictured half drawn.
  boxes.filter(visible).forEach((box) => draw(box));
  document.querySelectorAll("details").forEach((fold) =>
    fold.addEventListener("toggle", () => {
      if (fold.open) fold.querySelectorAll(".chart").forEach((box) => { if (!box.dataset.drawn && visible(box)) draw(box); });
    }));
  dark.addEventListener("change", () => boxes.forEach((box) => { if (box.dataset.drawn) draw(box); }));
  window.addEventListener("beforeprint", () => {
    document.querySelectorAll("details").forEach((fold) => { fold.open = true; });
    boxes.forEach((box) => { if (!box.dataset.drawn || dark.matches) draw(box, true); });
  });
  window.addEventListener("afterprint", () => { if (dark.matches) boxes.forEach((box) => draw(box)); });
})();
