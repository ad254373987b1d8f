// Finds the shopper's place when a button asks for it, to the kilometre. The
// pages work without: then a store is chosen from the list.
const ask = (button) => {
  const place = { enableHighAccuracy: false, timeout: 10_000, maximumAge: 600_000 };
  button.dataset.waiting = "";
  button.disabled = true;
  navigator.geolocation.getCurrentPosition(({ coords }) => {
    const here = new URL(location.href);
    here.searchParams.set("lat", coords.latitude.toFixed(2));
    here.searchParams.set("lon", coords.longitude.toFixed(2));
    location.replace(here);
  }, () => {
    delete button.dataset.waiting;
    button.hidden = true;
    document.getElementById(button.getAttribute("aria-describedby"))?.removeAttribute("hidden");
  }, place);
};
for (const button of document.querySelectorAll("[data-locate]")) {
  if (!navigator.geolocation || !isSecureContext) continue;
  button.hidden = false;
  button.addEventListener("click", () => ask(button));
}
