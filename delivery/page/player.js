'use strict';
/* The player page. hls.js where Media Source Extensions are, the browser's own HLS where they are not (iPhone). */
const $ = id => document.getElementById(id);
const video = $('video');
const base = location.pathname.endsWith('/') ? location.pathname : location.pathname + '/';
const source = base + 'index.m3u8';
const RETRY_MS = 1500;
let hls = null, retry = 0, stalls = 0, hasAudioGroup = false, partTarget = null, errors = [];

$('name').textContent = decodeURIComponent(base).replace(/^\/|\/$/g, '');
document.title = $('name').textContent + ' – weir';
$('address').textContent = location.origin + source;

function say(text, kind) {
  $('message').textContent = text;
  $('message').className = kind || '';
}

function note(text) {
  const time = new Date().toLocaleTimeString();
  errors = [{ time, text }, ...errors].slice(0, 8);
  $('errors').replaceChildren(...errors.map(e => {
    const item = document.createElement('li');
    item.textContent = `${e.time}  ${e.text}`;
    return item;
  }));
}

function again(text) {
  say(text);
  clearTimeout(retry);
  retry = setTimeout(start, RETRY_MS);
}

function play() {
  video.play().catch(() => { $('unmute').hidden = false; $('unmute').textContent = 'Play'; });
}

/* Asks first, so that a stream that is not there yet is a sentence and no error. */
async function isThere() {
  try {
    const response = await fetch(source, { cache: 'no-store' });
    if (!response.ok) return false;
    const text = await response.text();
    hasAudioGroup = text.includes('TYPE=AUDIO');
    partTarget = await partTargetOf(text.split('\n').find(line => line && !line.startsWith('#')));
    return true;
  } catch (error) {
    return false;
  }
}

/* Seconds of a part where the stream has low latency, else null. */
async function partTargetOf(media) {
  const response = await fetch(new URL(media, location.origin + source), { cache: 'no-store' });
  const found = response.ok && (await response.text()).match(/#EXT-X-PART-INF:PART-TARGET=([0-9.]+)/);
  return found ? Number(found[1]) : null;
}

async function start() {
  stop();
  if (!await isThere()) return again('Waiting for the publisher…');
  if (window.Hls && Hls.isSupported()) {
    startHls();
  } else if (video.canPlayType('application/vnd.apple.mpegurl')) {
    video.src = source;
    play();
  } else {
    say('This browser can play neither Media Source Extensions nor HLS.', 'bad');
  }
}

function stop() {
  clearTimeout(retry);
  if (hls) hls.destroy();
  hls = null;
}

function startHls() {
  /* with parts the stream says how far behind its end to stay; without, five seconds are enough */
  const distance = partTarget ? { lowLatencyMode: true, maxLiveSyncPlaybackRate: 1.1 }
    : { lowLatencyMode: false, liveSyncDuration: 5, liveMaxLatencyDuration: 20, maxLiveSyncPlaybackRate: 1.05 };
  hls = new Hls({
    ...distance, backBufferLength: 10,
    manifestLoadPolicy: { default: { maxTimeToFirstByteMs: 5000, maxLoadTimeMs: 10000, timeoutRetry: null, errorRetry: null } },
  });
  hls.on(Hls.Events.ERROR, (event, data) => {
    if (data.details === 'bufferStalledError') stalls++;
    if (data.fatal || data.details !== 'bufferStalledError') note(describe(data));
    if (!data.fatal) return;
    if (data.type === Hls.ErrorTypes.MEDIA_ERROR && hls) hls.recoverMediaError();
    else again('The stream was interrupted. Trying again…');
  });
  hls.on(Hls.Events.MANIFEST_PARSED, play);
  hls.on(Hls.Events.AUDIO_TRACKS_UPDATED, listSounds);
  hls.on(Hls.Events.LEVEL_UPDATED, (event, data) => { if (!data.details.live) say('The stream has ended.'); });
  hls.loadSource(source);
  hls.attachMedia(video);
}

/* Several audio tracks: the viewer chooses. */
function listSounds() {
  const tracks = hls.audioTracks;
  $('sound').hidden = tracks.length < 2;
  $('track').replaceChildren(...tracks.map((t, i) => new Option(t.lang && !t.name.includes(t.lang) ? `${t.name} (${t.lang})` : t.name, i)));
  $('track').value = Math.max(hls.audioTrack, 0);
}

function describe(data) {
  const status = data.response && data.response.code ? ` (HTTP ${data.response.code})` : '';
  const words = {
    manifestLoadError: 'the playlist could not be loaded', levelLoadError: 'the video playlist could not be loaded',
    audioTrackLoadError: 'the audio playlist could not be loaded', fragLoadError: 'a segment could not be loaded',
    bufferAppendError: 'the browser refused a segment', bufferAddCodecError: 'this browser cannot decode the codec',
    fragParsingError: 'a segment could not be read', bufferStalledError: 'playback stalled',
    manifestIncompatibleCodecsError: 'this browser cannot decode the codec',
    levelParsingError: 'a playlist could not be read' + (data.error ? ': ' + data.error.message.split('\n')[0].trim() : ''),
  };
  return (words[data.details] || data.details) + status;
}

function stats() {
  const quality = video.getVideoPlaybackQuality ? video.getVideoPlaybackQuality() : null;
  const end = video.buffered.length ? video.buffered.end(video.buffered.length - 1) : 0;
  let latency = null;
  if (hls && hls.playingDate) latency = (Date.now() - hls.playingDate.getTime()) / 1000;
  else if (!hls && video.getStartDate && !isNaN(video.getStartDate())) latency = (Date.now() - video.getStartDate().getTime()) / 1000 - video.currentTime;
  const level = hls && hls.levels && hls.levels[Math.max(hls.currentLevel, 0)];
  return {
    latency, buffer: Math.max(0, end - video.currentTime), time: video.currentTime, stalls,
    bitrate: level ? level.averageBitrate || level.bitrate : null, width: video.videoWidth, height: video.videoHeight,
    dropped: quality ? quality.droppedVideoFrames : null, frames: quality ? quality.totalVideoFrames : null,
    partTarget: hls ? partTarget : null, targetLatency: hls ? hls.targetLatency : null, paused: video.paused, readyState: video.readyState, errors: errors.map(e => e.text),
  };
}

let lastTime = -1, stuckSince = 0;
function refresh() {
  const s = stats();
  $('latency').textContent = s.latency === null ? '–' : s.latency.toFixed(s.partTarget ? 2 : 1) + ' s';
  $('mode').textContent = !hls ? '–' : s.partTarget ? `parts of ${s.partTarget} s` : 'segments';
  $('buffer').textContent = s.buffer.toFixed(1) + ' s';
  $('bitrate').textContent = s.bitrate ? (s.bitrate / 1e6).toFixed(2) + ' Mbit/s' : '–';
  $('picture').textContent = s.width ? `${s.width}×${s.height}` : '–';
  $('dropped').textContent = s.dropped === null ? '–' : `${s.dropped} of ${s.frames}`;
  $('stalls').textContent = s.stalls;
  const now = Date.now();
  if (s.time !== lastTime) {
    if (lastTime >= 0) say('Playing.', 'good');
    stuckSince = now;
  } else if (!s.paused && s.time > 0 && now - stuckSince > 4000) {
    say('The publisher sends nothing at the moment. Waiting…');
    if (now - stuckSince > 20000) { stuckSince = now; again('Trying again…'); }
  }
  lastTime = s.time;
}

/* Audio that joined later, or another codec: the multivariant playlist has changed, and hls.js reads it only once. */
async function watchForAudio() {
  if (hls && !hasAudioGroup && await isThere() && hasAudioGroup) start();
}

$('unmute').addEventListener('click', () => { video.muted = false; $('unmute').hidden = true; play(); });
$('track').addEventListener('change', () => { if (hls) hls.audioTrack = +$('track').value; });
video.addEventListener('playing', () => { $('unmute').hidden = !video.muted; $('unmute').textContent = 'Turn the sound on'; });
video.addEventListener('volumechange', () => { if (!video.muted) $('unmute').hidden = true; });
video.addEventListener('error', () => { if (!hls) again('The stream was interrupted. Trying again…'); });
video.addEventListener('ended', () => again('The stream has ended. Waiting for the next one…'));
setInterval(refresh, 500);
setInterval(watchForAudio, 5000);
window.weir = { get hls() { return hls; }, video, stats };
start();
