'use strict';
/* The player page. hls.js where Media Source Extensions are, the browser's own HLS where they are not (iPhone). */
const $ = id => document.getElementById(id);
const video = $('video');
const base = location.pathname.endsWith('/') ? location.pathname : location.pathname + '/';
const source = base + 'index.m3u8';
const ASK_EAGERLY_MS = 250, ASK_CALMLY_MS = 2000, EAGER_FOR_MS = 2 * 60000;
const CHANGES_MS = 5000; // how often the multivariant playlist is looked at for tracks that came or went
let hls = null, retry = 0, stalls = 0, errorCount = 0, errors = [];
let waitingSince = performance.now();
let shape = null;     // what the multivariant playlist offered when it was opened
let low = null;       // {part, hold} in seconds while the playlist is a low-latency one

$('name').textContent = decodeURIComponent(base).replace(/^\/|\/$/g, '');
document.title = $('name').textContent + ' – weir';
$('address').textContent = location.origin + source;

function say(text, kind) {
  if ($('message').textContent !== text) $('message').textContent = text;
  $('message').className = kind || '';
}

function note(text) {
  errorCount++;
  errors = [{ time: new Date().toLocaleTimeString(), text }, ...errors].slice(0, 8);
  $('errors').replaceChildren(...errors.map(e => {
    const item = document.createElement('li');
    item.textContent = `${e.time}  ${e.text}`;
    return item;
  }));
}

function again(text) {
  say(text);
  clearTimeout(retry);
  const isEager = !document.hidden && performance.now() - waitingSince < EAGER_FOR_MS;
  retry = setTimeout(start, isEager ? ASK_EAGERLY_MS : ASK_CALMLY_MS);
}

function play() {
  video.play().catch(() => { $('unmute').hidden = false; $('unmute').textContent = 'Play'; });
}

/* The multivariant playlist, or null: asked for first, so that a stream that is not there yet is a sentence and no error. */
async function ask() {
  try {
    const response = await fetch(source, { cache: 'no-store' });
    return response.ok ? await response.text() : null;
  } catch (error) {
    return null;
  }
}

/* What of it means another start: renditions, codecs, sizes; not the rates, which are measured and move. */
const shapeOf = text => text.split('\n').filter(line => /^#EXT-X-(MEDIA|STREAM-INF):|^[^#]/.test(line))
  .map(line => line.replace(/(AVERAGE-)?BANDWIDTH=\d+,?|FRAME-RATE=[\d.]+,?/g, '')).join('\n');

async function start() {
  stop();
  const text = await ask();
  if (text === null) return again('Waiting for the publisher…');
  shape = shapeOf(text);
  if (window.Hls && Hls.isSupported()) {
    startHls(text);
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
  hls = low = null;
  spares = [];
  isFilling = false;
  video.playbackRate = 1;
  $('pictures').hidden = $('sounds').hidden = true;
}

/* hls.js reads playlists through this: the first one is at hand already, and the media playlist says how close to the edge to play,
 * which hls.js must know before it chooses where to begin. */
function makeLoader(firstText) {
  let first = firstText;
  return class extends Hls.DefaultConfig.loader {
    load(context, config, callbacks) {
      const onSuccess = (response, stats, ...rest) => {
        if (context.type === 'level') adapt(response.data);
        callbacks.onSuccess(response, stats, ...rest);
      };
      if (context.type !== 'manifest' || first === null) return super.load(context, config, { ...callbacks, onSuccess });
      const data = first, now = performance.now();
      first = null;
      Object.assign(this.stats.loading, { start: now, first: now, end: now });
      this.stats.loaded = this.stats.total = data.length;
      this.context = context;
      queueMicrotask(() => onSuccess({ url: new URL(source, location.href).href, data, code: 200 }, this.stats, context, null));
    }
  };
}

function adapt(text) {
  const part = /^#EXT-X-PART-INF:.*?PART-TARGET=([\d.]+)/m.exec(text), target = /^#EXT-X-TARGETDURATION:(\d+)/m.exec(text);
  if (low !== null || !target || !hls) return;
  if (part) {
    isFilling = true;
    low = { part: +part[1], hold: +(/PART-HOLD-BACK=([\d.]+)/.exec(text) || [0, 3 * part[1]])[1] };
    hls.targetLatency = low.hold;
  } else {
    low = false;
    hls.targetLatency = target[1] * 5 / 3; // a segment of the greatest length, and until the next look at the playlist
  }
}

function startHls(text) {
  arrivesBefore = performance.now() + ARRIVAL_MS;
  hls = new Hls({
    lowLatencyMode: true, maxLiveSyncPlaybackRate: 1, liveSyncOnStallIncrease: 0, backBufferLength: 10, startLevel: -1,
    pLoader: makeLoader(text),
    manifestLoadPolicy: { default: { maxTimeToFirstByteMs: 5000, maxLoadTimeMs: 10000, timeoutRetry: null, errorRetry: null } },
  });
  hls.on(Hls.Events.ERROR, (event, data) => {
    if (data.details === 'bufferStalledError') stalls++;
    if (data.fatal || data.details !== 'bufferStalledError') note(describe(data));
    if (!data.fatal) return;
    if (data.type === Hls.ErrorTypes.MEDIA_ERROR && hls) hls.recoverMediaError();
    else again('The stream was interrupted. Trying again…');
  });
  hls.on(Hls.Events.MANIFEST_PARSED, () => { play(); offerPictures(); });
  hls.on(Hls.Events.AUDIO_TRACKS_UPDATED, offerSounds);
  hls.on(Hls.Events.LEVEL_UPDATED, (event, data) => { if (!data.details.live) say('The stream has ended.'); });
  hls.attachMedia(video);
  hls.loadSource(source);
}

/* A menu where there is something to choose. */
function offer(id, names, chosen, choose) {
  const menu = $(id).querySelector('select');
  menu.replaceChildren(...names.map(([value, text]) => new Option(text, value, false, value === chosen)));
  menu.onchange = () => choose(+menu.value);
  $(id).hidden = names.length < 2;
}

function offerPictures() {
  const names = hls.levels.map((level, index) => [index, [level.height ? level.height + 'p' : level.name || 'sound only',
    level.bitrate ? (level.bitrate / 1e6).toFixed(1) + ' Mbit/s' : ''].filter(Boolean).join(', ')]);
  offer('pictures', names.length > 1 ? [[-1, 'automatic'], ...names] : names, -1, index => { hls.nextLevel = index; });
}

function offerSounds() {
  const tongue = code => { try { return new Intl.DisplayNames(undefined, { type: 'language' }).of(code); } catch (error) { return code; } };
  const names = hls.audioTracks.map((track, index) => [index, [track.lang && tongue(track.lang), track.name !== track.lang && track.name].filter(Boolean).join(', ') || 'track ' + (index + 1)]);
  offer('sounds', names, hls.audioTrack, index => { hls.audioTrack = index; });
}

function describe(data) {
  const status = data.response && data.response.code ? ` (HTTP ${data.response.code})` : '';
  const words = {
    levelParsingError: 'a playlist could not be read' + (data.error ? ': ' + data.error.message.split('\n')[0].trim() : ''),
    manifestLoadError: 'the playlist could not be loaded', levelLoadError: 'the video playlist could not be loaded',
    audioTrackLoadError: 'the audio playlist could not be loaded', fragLoadError: 'a segment could not be loaded',
    bufferAppendError: 'the browser refused a segment', bufferAddCodecError: 'this browser cannot decode the codec',
    fragParsingError: 'a segment could not be read', bufferStalledError: 'playback stalled',
    levelLoadTimeOut: 'the video playlist did not come in time', audioTrackLoadTimeOut: 'the audio playlist did not come in time',
    fragLoadTimeOut: 'a segment did not come in time', bufferNudgeOnStall: 'playback was helped over a gap',
    bufferSeekOverHole: 'a gap was jumped over', manifestIncompatibleCodecsError: 'this browser cannot decode the codec',
  };
  return (words[data.details] || data.details) + status;
}

function stats() {
  const quality = video.getVideoPlaybackQuality ? video.getVideoPlaybackQuality() : null;
  const end = video.buffered.length ? video.buffered.end(video.buffered.length - 1) : 0;
  let latency = null;
  if (hls && hls.playingDate) latency = (Date.now() - hls.playingDate.getTime()) / 1000;
  else if (!hls && video.getStartDate && !isNaN(video.getStartDate())) latency = (Date.now() - video.getStartDate().getTime()) / 1000 - video.currentTime;
  if (hls && latency !== null && (latency < 0 || latency > 3600)) latency = hls.latency; // this clock and the server's are apart
  const level = hls && hls.levels && hls.levels[Math.max(hls.currentLevel, 0)];
  return {
    latency, buffer: Math.max(0, end - video.currentTime), time: video.currentTime, stalls, partTarget: low ? low.part : null, rate: video.playbackRate,
    behind: hls ? hls.latency : null, targetLatency: hls ? hls.targetLatency : null,
    bitrate: level ? level.averageBitrate || level.bitrate : null, width: video.videoWidth, height: video.videoHeight,
    dropped: quality ? quality.droppedVideoFrames : null, frames: quality ? quality.totalVideoFrames : null,
    paused: video.paused, readyState: video.readyState, errors: errors.map(e => e.text),
  };
}

/* How close to the edge to play, ten times a second. What counts is the least that was buffered over the last seconds: more than is needed
 * lets play go a little faster, too little a little slower. After running dry, play waits for a cushion instead of stuttering along the edge.
 * hls.js has a governor of its own, which does nothing while less than a second is buffered. */
const SPARE_WINDOW = 40, SPARE_MOST_S = 0.3, SPARE_LEAST_S = 0.1, LAG_MOST_S = 3;
let spares = [], isFilling = false;

/* Play begins at a keyframe, which may be seconds before the edge; going faster takes ten times as long to be there. So, once, as soon as what
 * is buffered reaches the edge: over what is more than enough, at a moment when nobody has seen much yet. */
const ARRIVAL_MS = 10000, JUMP_LEAST_S = 0.3;
let arrivesBefore = 0;
function arrive(s) {
  const surplus = s.buffer - s.targetLatency;
  if (!low || isFilling || performance.now() > arrivesBefore || s.behind - s.buffer > 1.5 * low.part) return;
  arrivesBefore = 0;
  if (surplus > JUMP_LEAST_S) { video.currentTime = s.time + surplus; spares = []; }
}

function steer() {
  if (!hls || low === null || video.paused || video.seeking || video.readyState < 1) return;
  const s = stats();
  if (s.targetLatency === null) return;
  if (isFilling && s.buffer >= s.targetLatency - (low ? low.part : 0)) isFilling = false;
  arrive(s);
  spares = [...spares, s.buffer].slice(-SPARE_WINDOW);
  const least = Math.min(...spares), lag = s.behind - s.targetLatency, most = low ? SPARE_MOST_S : 1.5;
  const isAmple = lag > 0.1 && least > most && spares.length >= (lag > 0.5 ? SPARE_WINDOW / 4 : SPARE_WINDOW);
  if (lag > LAG_MOST_S && hls.liveSyncPosition > s.time) { video.currentTime = hls.liveSyncPosition; spares = []; }
  const rate = isFilling ? 0 : isAmple ? (low && lag > 0.5 ? 1.1 : 1.05) : low && least < SPARE_LEAST_S && lag < LAG_MOST_S / 2 ? 0.96 : 1;
  if (video.playbackRate !== rate) video.playbackRate = rate;
}

let lastTime = -1, stuckSince = 0;
function refresh() {
  const s = stats();
  $('latency').textContent = s.latency === null ? '–' : s.latency.toFixed(low ? 2 : 1) + ' s';
  $('mode').textContent = s.partTarget ? `parts of ${s.partTarget} s` : low === false ? 'segments' : '–';
  $('buffer').textContent = s.buffer.toFixed(low ? 2 : 1) + ' s';
  $('bitrate').textContent = s.bitrate ? (s.bitrate / 1e6).toFixed(2) + ' Mbit/s' : '–';
  $('picture').textContent = s.width ? `${s.width}×${s.height}` : '–';
  $('dropped').textContent = s.dropped === null ? '–' : `${s.dropped} of ${s.frames}`;
  $('stalls').textContent = s.stalls;
  $('error-count').textContent = errorCount;
  const now = performance.now();
  if (s.time !== lastTime) {
    if (lastTime >= 0) say('Playing.', 'good');
    stuckSince = waitingSince = now;
  } else if (!s.paused && s.time > 0 && now - stuckSince > 4000) {
    say('The publisher sends nothing at the moment. Waiting…');
    if (now - stuckSince > 20000) { stuckSince = now; again('Trying again…'); }
  }
  lastTime = s.time;
}

/* Sound that joined later, another codec or rendition: the multivariant playlist has changed, and hls.js reads it only once. */
async function watchForChanges() {
  if (!hls || document.hidden) return;
  const text = await ask();
  if (text !== null && hls && shapeOf(text) !== shape) start();
}

$('unmute').addEventListener('click', () => { video.muted = false; $('unmute').hidden = true; play(); });
video.addEventListener('playing', () => { $('unmute').hidden = !video.muted; $('unmute').textContent = 'Turn the sound on'; });
video.addEventListener('volumechange', () => { if (!video.muted) $('unmute').hidden = true; });
video.addEventListener('error', () => { if (!hls) again('The stream was interrupted. Trying again…'); });
video.addEventListener('ended', () => again('The stream has ended. Waiting for the next one…'));
video.addEventListener('waiting', () => { isFilling = !!low && lastTime > 0 && !video.seeking; });
setInterval(refresh, 500);
setInterval(steer, 100);
setInterval(watchForChanges, CHANGES_MS);
window.weir = { get hls() { return hls; }, video, stats };
start();
