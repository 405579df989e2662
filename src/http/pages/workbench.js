// Shows what the rule would do while it is being written. The form does the same without this.
(() => {
  const form = document.querySelector("form.rule");
  const preview = document.getElementById("preview");
  if (!form || !preview) return;
  let timer, running;
  // Not by its property, which the button of that name hides.
  const address = form.getAttribute("action");
  const show = async () => {
    running?.abort();
    running = new AbortController();
    preview.setAttribute("aria-busy", "true");
    try {
      const body = new URLSearchParams(new FormData(form));
      const answer = await fetch(address, { method: "POST", body, signal: running.signal });
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const fresh = page.getElementById("preview");
      // A refusal is a page of its own: what is shown from before must not pass for what the rule does now.
      if (fresh) preview.replaceChildren(...fresh.childNodes);
      else preview.textContent = page.querySelector("main p")?.textContent ?? "veille did not answer; try again.";
    } catch (error) {
      if (error.name === "AbortError") return;
      preview.textContent = "veille did not answer. What you wrote is still here; try again.";
    }
    preview.removeAttribute("aria-busy");
  };
  form.elements.rule.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(show, 400);
  });
})();
