'use strict';
const list = document.getElementById('streams');
const rate = bps => bps >= 1e6 ? (bps / 1e6).toFixed(2) + ' Mbit/s' : Math.round(bps / 1e3) + ' kbit/s';
const duration = s => s >= 3600 ? Math.floor(s / 3600) + ' h ' + Math.floor(s % 3600 / 60) + ' min' : s >= 60 ? Math.floor(s / 60) + ' min' : s + ' s';

function describe(track) {
  return track.kind === 'video'
    ? `${track.codec} ${track.width}×${track.height}${track.fps ? ' ' + +track.fps.toFixed(3) + ' fps' : ''}`
    : `${track.codec} ${track.sample_rate / 1000} kHz ${track.channels} ch${track.language ? ' ' + track.language : ''}`;
}

/* What the way from the publisher is like, where its transport says so. */
function way(t) {
  if (!t || t.rtt_us === undefined) return t ? [t.protocol] : [];
  const share = n => t.packets ? (100 * n / t.packets).toFixed(n ? 2 : 0) + ' %' : '0 %';
  const more = [[t.packets_restored, 'restored by FEC'], [t.packets_undecryptable, 'could not be decrypted']].filter(([n]) => n).map(([n, what]) => `, ${what} ${n}`).join('');
  return [`${t.protocol}: RTT ${(t.rtt_us / 1000).toFixed(1)} ms, latency ${t.latency_ms} ms, lost ${share(t.packets_lost)}, for good ${t.packets_dropped}${more}`];
}

/* What is encoded of it, by what, and what of that the machine could not keep up with. */
function ladder(l) {
  const encoded = (l ? l.rungs : []).filter(r => r.state !== 'source'), out = encoded.filter(r => r.state === 'absent');
  if (!encoded.length) return [];
  const by = [...new Set(encoded.map(r => r.backend).filter(Boolean))].join(', ');
  return [`encodes ${encoded.map(r => r.name).join(', ')}${by ? ' by ' + by : ''}`, ...out.length ? ['left out: ' + out.map(r => r.name).join(', ')] : [],
    ...l.shed_level ? ['behind: shed level ' + l.shed_level] : []];
}

/* Of the picture: how fast, and where players may begin. */
const KEYFRAME_LATE_MS = 15000;
function pictures(stream) {
  if (!stream.tracks.some(t => t.kind === 'video')) return [];
  const late = stream.state === 'live' && stream.last_keyframe_ms_ago > KEYFRAME_LATE_MS;
  return [stream.fps.toFixed(1) + ' fps measured', late ? `no keyframe for ${Math.round(stream.last_keyframe_ms_ago / 1000)} s: browsers cannot join` :
    stream.keyframe_interval_ms ? 'keyframe every ' + (stream.keyframe_interval_ms / 1000).toFixed(1) + ' s' : 'one keyframe so far'];
}

function line(stream) {
  const item = document.createElement('li'), link = document.createElement('a'), state = document.createElement('span'), facts = document.createElement('div');
  link.href = stream.play;
  link.textContent = stream.name;
  state.className = 'state ' + stream.state;
  state.textContent = stream.state;
  facts.className = 'dim facts';
  const repairs = Object.values(stream.repairs).reduce((a, b) => a + b, 0);
  const texts = [...stream.tracks.map(describe), rate(stream.bitrate_bps), ...pictures(stream),
    stream.viewers + (stream.viewers === 1 ? ' viewer' : ' viewers'),
    'up ' + duration(stream.uptime_s), repairs + ' repairs', ...way(stream.transport), ...ladder(stream.ladder), ...stream.unsupported_tracks.map(t => 'not carried: ' + t.what)];
  facts.append(...texts.map(text => Object.assign(document.createElement('span'), { textContent: text })));
  item.append(link, state, facts);
  return item;
}

async function refresh() {
  try {
    const [streams, server] = await Promise.all([fetch('/api/v1/streams'), fetch('/api/v1/server')].map(r => r.then(x => x.json())));
    list.replaceChildren(...streams.streams.map(line));
    document.getElementById('summary').textContent = `weir ${server.version}, ${streams.streams.length} stream${streams.streams.length === 1 ? '' : 's'}`;
    document.getElementById('empty').hidden = streams.streams.length > 0;
    const { rtmp, rtmps, srt } = server.listen, host = location.hostname;
    document.getElementById('server').textContent = rtmp ? `rtmp://${host}:${rtmp[0].port}/live` : rtmps ? `rtmps://${host}:${rtmps[0].port}/live`
      : srt ? `srt://${host}:${srt[0].port}?streamid=publish:live/studio` : '–';
    document.getElementById('key').hidden = !rtmp && !rtmps;
  } catch (error) {
    document.getElementById('summary').textContent = 'the server does not answer';
  }
  setTimeout(refresh, 2000);
}
refresh();
