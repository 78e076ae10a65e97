"use strict";
// The page, and, where the browser loads it a second time for sound alone, the recorder.

if (globalThis.registerProcessor) {
  registerProcessor("ser-recorder", class extends AudioWorkletProcessor {
    process([[samples]]) {
      if (samples) this.port.postMessage(samples.slice());
      return true;
    }
  });
} else {
  start();
}

function start() {
  const texts = JSON.parse(document.getElementById("texts").textContent);
  const [record, file, enrol, drop, status, heard, player, answer, heading, result] =
    ["record", "file", "enrol", "drop", "status", "heard", "player", "answer", "answer-heading", "result"]
      .map((id) => document.getElementById(id));
  let running = null; // what is being recorded
  let asked = null; // what was asked last, and is not answered
  let last = null; // what was heard last, to be heard again with other recordings of the person

  function say(words, quiet = false) {
    status.textContent = words;
    status.classList.toggle("quiet", quiet);
  }

  function refuse(words, detail = "") {
    const line = document.createElement("p");
    line.className = "error";
    line.append(words + " ");
    if (detail) {
      const said = document.createElement("span");
      said.lang = "en";
      said.textContent = detail;
      line.append(said);
    }
    result.replaceChildren(line);
    answer.hidden = false;
    say(line.textContent, true);
    heading.focus();
  }

  function post(recording, signal) {
    const form = new FormData();
    form.append("file", recording, recording.name || "recording.wav");
    for (const each of enrol ? enrol.files : []) form.append("enrol", each);
    return fetch("show?lang=" + document.documentElement.lang, { method: "POST", body: form, signal });
  }

  async function listen(recording) {
    last = recording;
    if (asked) asked.abort();
    const own = (asked = new AbortController());
    URL.revokeObjectURL(player.src);
    player.src = URL.createObjectURL(recording);
    heard.hidden = false;
    document.getElementById("name").textContent = recording.name || "";
    answer.hidden = true;
    say(texts.working);
    try {
      let said = await post(recording, own.signal);
      if (said.status === 422 && recording.type !== "audio/wav") {
        // of a format that the server does not know, perhaps, but this browser does
        const wave = await decoded(recording).catch(() => null);
        if (wave) said = await post(wave, own.signal);
      }
      if (own !== asked) return;
      if (!said.ok) {
        const { error, code } = await said.json();
        const known = texts.refusals[code];
        refuse(known || texts.unusable, known ? "" : error);
        return;
      }
      result.innerHTML = await said.text();
      answer.hidden = false;
      say(result.querySelector(".decision").textContent, true);
      heading.focus();
    } catch (error) {
      if (error.name !== "AbortError") refuse(texts.failed);
    }
  }

  async function decoded(recording) {
    const context = new AudioContext();
    try {
      const sound = await context.decodeAudioData(await recording.arrayBuffer());
      const mono = new Float32Array(sound.length);
      for (let channel = 0; channel < sound.numberOfChannels; channel++) {
        sound.getChannelData(channel).forEach((value, place) => { mono[place] += value / sound.numberOfChannels; });
      }
      return wav(mono, sound.sampleRate);
    } finally {
      context.close();
    }
  }

  function wav(samples, rate) {
    const bytes = new DataView(new ArrayBuffer(44 + 2 * samples.length));
    const word = (place, letters) => [...letters].forEach((letter, n) => bytes.setUint8(place + n, letter.charCodeAt()));
    word(0, "RIFF"); bytes.setUint32(4, 36 + 2 * samples.length, true); word(8, "WAVEfmt ");
    bytes.setUint32(16, 16, true); bytes.setUint16(20, 1, true); bytes.setUint16(22, 1, true);
    bytes.setUint32(24, rate, true); bytes.setUint32(28, 2 * rate, true); bytes.setUint16(32, 2, true); bytes.setUint16(34, 16, true);
    word(36, "data"); bytes.setUint32(40, 2 * samples.length, true);
    samples.forEach((value, n) => bytes.setInt16(44 + 2 * n, 32767 * Math.max(-1, Math.min(1, value)), true));
    return new Blob([bytes], { type: "audio/wav" });
  }

  async function begin() {
    record.disabled = true; // until the browser has asked
    try {
      await recorded();
    } finally {
      record.disabled = false;
      record.focus();
    }
  }

  async function recorded() {
    if (!navigator.mediaDevices) return refuse(texts.no_microphone);
    let stream;
    try {
      // sound as it is: what a browser does for calls moves the features
      const asItIs = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
      stream = await navigator.mediaDevices.getUserMedia({ audio: asItIs });
    } catch {
      return refuse(texts.refused_microphone);
    }
    const context = new AudioContext();
    await context.audioWorklet.addModule("page.js");
    const recorder = new AudioWorkletNode(context, "ser-recorder");
    const parts = [];
    recorder.port.onmessage = ({ data }) => parts.push(data);
    context.createMediaStreamSource(stream).connect(recorder);
    const began = Date.now();
    // what the server takes: seconds, and bytes of the form that holds them, two for each sample
    const most = Math.min(texts.most_seconds, (texts.most_bytes - 1000) / 2 / context.sampleRate);
    const tell = () => {
      const seconds = (Date.now() - began) / 1000;
      record.textContent = `${texts.stop} (${Math.floor(seconds)} s)`;
      if (seconds >= most) end();
    };
    running = { stream, context, parts, most, clock: setInterval(tell, 500) };
    record.classList.add("running");
    tell();
    say(texts.recording, true);
  }

  function end() {
    const { stream, context, parts, most, clock } = running;
    running = null;
    clearInterval(clock);
    stream.getTracks().forEach((track) => track.stop());
    record.classList.remove("running");
    record.textContent = texts.record;
    const whole = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
    parts.reduce((place, part) => { whole.set(part, place); return place + part.length; }, 0);
    listen(wav(whole.subarray(0, Math.floor(most * context.sampleRate)), context.sampleRate));
    context.close();
  }

  record.addEventListener("click", () => (running ? end() : begin()));
  file.addEventListener("change", () => file.files.length && listen(file.files[0]));
  if (enrol) enrol.addEventListener("change", () => last && listen(last));
  for (const example of document.querySelectorAll(".example")) {
    example.addEventListener("click", async () => {
      const said = await fetch(example.dataset.address);
      if (said.ok) listen(await said.blob());
      else refuse(texts.failed);
    });
  }
  for (const name of ["dragenter", "dragover", "dragleave", "drop"]) {
    drop.addEventListener(name, (event) => {
      event.preventDefault();
      drop.classList.toggle("over", name === "dragenter" || name === "dragover");
      if (name === "drop" && event.dataTransfer.files.length) listen(event.dataTransfer.files[0]);
    });
  }
}
