"""Reads the picture and sound of a page's <video>, from inside the page: the blocks of clock_source.c in each frame that is shown."""
import clock

SCRIPT = """addEventListener('DOMContentLoaded', () => {
  const video = document.querySelector('video'), canvas = document.createElement('canvas');
  canvas.width = 16; canvas.height = 9;
  const brush = canvas.getContext('2d', { willReadFrequently: true });
  const out = globalThis.weirWatch = { seen: [], beeps: [], firstMs: null };
  const look = () => {
    const now = Date.now();
    if (out.firstMs === null) out.firstMs = performance.now();
    brush.drawImage(video, 0, 0, 16, 9);
    const pixels = brush.getImageData(0, 0, 16, 9).data, bright = (x, y) => pixels[(y * 16 + x) * 4 + 1] > 125 ? 1 : 0;
    let bits = '';
    for (let i = 0; i < 32; i++) bits += bright(i % 16, i >> 4);
    out.seen.push([now, bits, bright(14, 7)]);
    video.requestVideoFrameCallback(look);
  };
  video.requestVideoFrameCallback(look);
  out.listen = () => {
    const context = new AudioContext(), ear = context.createAnalyser(), samples = new Float32Array(512);
    ear.fftSize = 512;
    const source = context.createMediaElementSource(video);
    source.connect(ear); source.connect(context.destination);
    video.muted = false;
    let loud = false;
    setInterval(() => {
      ear.getFloatTimeDomainData(samples);
      const now = Date.now(), at = samples.findIndex(s => Math.abs(s) > 0.06);
      if (at >= 0 && !loud) out.beeps.push(now - (512 - at) * 1000 / context.sampleRate);
      loud = at >= 0;
    }, 8);
  };
  out.take = () => { const taken = { seen: out.seen, beeps: out.beeps }; out.seen = []; out.beeps = []; return taken; };
});"""


def open(page, url):
    """Goes to a page, which is watched from its first frame on. Once for a browser is enough for all that it opens later."""
    if not getattr(page, "is_watched", False):
        page.call("Page.addScriptToEvaluateOnNewDocument", source=SCRIPT)
        page.is_watched = True
    page.call("Page.navigate", url=url)


def take(page, watch):
    """Moves what the page noted since the last time into a clock.Watch."""
    taken = page.ask("weirWatch.take()")
    for at_ms, bits, is_flash in taken["seen"]:
        watch.see(at_ms / 1000, clock.decode(bit == "1" for bit in bits), bool(is_flash))
    for at_ms in taken["beeps"]:
        watch.hear(at_ms / 1000, True)
        watch.hear(at_ms / 1000, False)
