// The three sounds: one rising tone for yes, two low ones for no, a bell for a
// customer who waits. A browser makes none before the first touch or key.

let audio;
const wake = () => { audio ??= new AudioContext(); if (audio.state === "suspended") audio.resume(); };
for (const kind of ["pointerdown", "keydown"]) addEventListener(kind, wake, { capture: true, passive: true });

const tones = { // from Hz, to Hz, start s, length s
  yes: [[587, 988, 0, 0.18]],
  no: [[208, 196, 0, 0.16], [175, 165, 0.22, 0.22]],
  bell: [[1319, 1319, 0, 1.1], [2637, 2637, 0, 0.5]],
};

export function sound(name) {
  document.dispatchEvent(new CustomEvent("look:sound", { detail: name }));
  if (!audio || !tones[name]) return;
  for (const [from, to, start, length] of tones[name]) {
    const at = audio.currentTime + start, tone = audio.createOscillator(), volume = audio.createGain();
    tone.type = name === "no" ? "triangle" : "sine";
    tone.frequency.setValueAtTime(from, at);
    tone.frequency.exponentialRampToValueAtTime(to, at + length);
    volume.gain.setValueAtTime(0.0001, at);
    volume.gain.exponentialRampToValueAtTime(0.25, at + 0.015);
    volume.gain.exponentialRampToValueAtTime(0.0001, at + length);
    tone.connect(volume).connect(audio.destination);
    tone.start(at);
    tone.stop(at + length);
  }
}
