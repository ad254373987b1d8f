// Helpers of single fields: search as you type, choices that send themselves,
// - and + beside a number, the keys of a keypad.

let typing;
addEventListener("input", (e) => { // search as you type
  const form = e.target.form;
  if (!form?.matches("[data-typing]")) return;
  clearTimeout(typing);
  typing = setTimeout(() => form.requestSubmit(), 150);
});
addEventListener("change", (e) => { if (e.target.matches("[data-submit]")) e.target.form.requestSubmit(); });
addEventListener("click", (e) => { // - and + beside a number, and the keys of a keypad
  const { step, key } = e.target.closest("[data-step], [data-key]")?.dataset ?? {};
  const field = step ? e.target.closest(".stepper").querySelector("input") : key && document.getElementById(e.target.closest(".keypad").dataset.for);
  if (!field) return;
  if (step) step > 0 ? field.stepUp(step) : field.stepDown(-step);
  else field.value = key === "back" ? field.value.slice(0, -1) : field.value + key;
  field.dispatchEvent(new Event("input", { bubbles: true }));
});
